/** Asks the running process over its unix socket. */
import { type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";

export async function ask<T>(socket: string, path: string): Promise<T> {
  return JSON.parse((await askOctets(socket, path)).toString()) as T;
}

/** Asks for a change. */
export async function tell<T>(socket: string, path: string): Promise<T> {
  return JSON.parse((await octetsOf(socket, path, "POST")).toString()) as T;
}

export function askOctets(socket: string, path: string): Promise<Buffer> {
  return octetsOf(socket, path, "GET");
}

/** Hands over lines as they come, until the other side ends. */
export async function follow(socket: string, path: string, take: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: await open(socket, path) })) take(line);
}

/** An answer that has no end of its own: whoever has enough destroys it. */
export async function open(socket: string, path: string): Promise<IncomingMessage> {
  const response = await call(socket, path, "GET");
  if (response.statusCode === 200) return response;
  throw refusal(path, await bodyOf(response));
}

async function octetsOf(socket: string, path: string, method: "GET" | "POST"): Promise<Buffer> {
  const response = await call(socket, path, method);
  const body = await bodyOf(response);
  if (response.statusCode === 200) return body;
  throw refusal(path, body);
}

async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function refusal(path: string, body: Buffer): Error {
  return new Error(`the running process refused ${path}: ${errorIn(body.toString())}`);
}

/** The `error` of a JSON answer, or the answer itself. */
function errorIn(text: string): string {
  try {
    return (JSON.parse(text) as { error?: string }).error ?? text;
  } catch {
    return text.trim();
  }
}

function call(socketPath: string, path: string, method: "GET" | "POST"): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // On a connection of its own: a kept one may have been closed meanwhile, and whoever writes to it first finds out.
    const asked = request({ socketPath, path, method, agent: false }, resolve);
    asked.on("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "ENOENT" || cause.code === "ECONNREFUSED" ? "nothing listens there" : cause.message;
      reject(
        new Error(`cannot reach a running Sluice at ${socketPath}: ${why}. \`--socket\` names another one`, { cause }),
      );
    });
    asked.end();
  });
}
