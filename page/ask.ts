/** Questions to the gateway. */

/** @throws Error with the gateway's own sentence when it refuses. */
export async function ask<T>(path: string, words: Readonly<Record<string, string>>): Promise<T> {
  return answerOf(await fetch(`${path}?${new URLSearchParams(words)}`));
}

/** A question that is too long for an address. @throws as `ask`. */
export async function post<T>(path: string, yaml: string): Promise<T> {
  return answerOf(await fetch(path, { method: "POST", headers: { "content-type": "application/yaml" }, body: yaml }));
}

async function answerOf<T>(response: Response): Promise<T> {
  const answer = (await response.json()) as T & { error?: string };
  if (!response.ok) throw new Error(answer?.error ?? `the gateway answers ${response.status}`);
  return answer;
}
