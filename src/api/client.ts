/** Asks the running process over its unix socket. */
import { request } from "node:http";

export async function ask<T>(socket: string, path: string): Promise<T> {
  return JSON.parse((await askOctets(socket, path)).toString()) as T;
}

export async function askOctets(socket: string, path: string): Promise<Buffer> {
  const { status, body } = await get(socket, path);
  if (status === 200) return body;
  const said = (JSON.parse(body.toString()) as { error?: string }).error ?? body.toString();
  throw new Error(`the running process refused ${path}: ${said}`);
}

function get(socketPath: string, path: string): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    call.on("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "ENOENT" || cause.code === "ECONNREFUSED" ? "nothing listens there" : cause.message;
      reject(
        new Error(`cannot reach a running Sluice at ${socketPath}: ${why}. \`--socket\` names another one`, { cause }),
      );
    });
    call.end();
  });
}
