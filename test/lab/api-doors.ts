/**
 * Doors to an API server on the host's loopback from the loopbacks of namespaces, where nothing else of the host is reached.
 *
 *   in a namespace: 127.0.0.1:PORT -- door -- unix socket -- door -- 127.0.0.1:PORT of the host
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";
import { waitFor } from "./wait-for.ts";

const DOOR = join(import.meta.dirname, "door.ts");

/** Resolves when all are open. */
export async function openDoors(lab: Lab, port: string, namespaces: readonly Namespace[]): Promise<void> {
  const socket = `${lab.folder}/api-server.sock`;
  // A thread: it passes on while this one waits for a command, and it ends with this process however that ends.
  const outer = new Worker(DOOR, { argv: [socket, port], stdout: true });
  outer.unref();
  lab.onClose(() => void outer.terminate());
  const inner = namespaces.map((one) => one.start("door", [process.execPath, DOOR, port, socket]));
  const ready = () => existsSync(socket) && inner.every((door) => door.log().includes("ready"));
  await waitFor("the doors to the API server", ready, { seen: () => inner.map((door) => door.log()) });
}
