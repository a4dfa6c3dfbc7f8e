/**
 * A door between namespaces: what connects to one end comes out at the other. Unix sockets are seen from every namespace,
 * so two doors join the loopbacks of two namespaces without a network between them.
 *
 *   door.ts FROM TO      each a port of 127.0.0.1, or the path of a unix socket
 */
import { connect, createServer, type NetConnectOpts } from "node:net";

const [from, to] = process.argv.slice(2) as [string, string];

function place(text: string): NetConnectOpts & { path?: string } {
  return text.startsWith("/") ? { path: text } : { host: "127.0.0.1", port: Number(text) };
}

const server = createServer({ noDelay: true }, (near) => {
  const far = connect({ ...place(to), noDelay: true } as NetConnectOpts);
  near.pipe(far);
  far.pipe(near);
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
});
server.listen(place(from), () => process.stdout.write("ready\n"));
