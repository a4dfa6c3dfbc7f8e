/** Questions to the gateway. */

/** @throws Error with the gateway's own sentence when it refuses. */
export async function ask<T>(path: string, words: Readonly<Record<string, string>>): Promise<T> {
  const response = await fetch(`${path}?${new URLSearchParams(words)}`);
  const answer = (await response.json()) as T & { error?: string };
  if (!response.ok) throw new Error(answer?.error ?? `the gateway answers ${response.status}`);
  return answer;
}
