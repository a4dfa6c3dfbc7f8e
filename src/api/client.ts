/** Asks the running process over its unix socket. */
import { request } from "node:http";

export async function ask<T>(socket: string, path: string): Promise<T> {
  const { status, body } = await get(socket, path);
  if (status === 200) return JSON.parse(body) as T;
  const said = (JSON.parse(body) as { error?: string }).error ?? body;
  throw new Error(`the running process refused ${path}: ${said}`);
}

function get(socketPath: string, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
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
