/** A pod of the lab: a namespace of its own with one address, and the HTTP server inside it. */
import { join } from "node:path";
import type { Namespace } from "./namespace.ts";
import type { PodRequest } from "./pod-server.ts";
import type { LabProcess } from "./process.ts";
import { waitFor } from "./wait-for.ts";

const SERVER = join(import.meta.dirname, "pod-server.ts");

export class Pod {
  readonly name: string;
  readonly address: string;
  readonly namespace: Namespace;
  readonly #server: LabProcess;

  private constructor(name: string, address: string, namespace: Namespace, server: LabProcess) {
    this.name = name;
    this.address = address;
    this.namespace = namespace;
    this.#server = server;
  }

  /** Resolves when the server listens. */
  static async start(name: string, address: string, port: number, namespace: Namespace): Promise<Pod> {
    const server = namespace.start(name, [process.execPath, SERVER, name, address, `${port}`]);
    await waitFor(`${name} to listen`, () => server.log().includes("ready"), { seen: () => server.log() });
    return new Pod(name, address, namespace, server);
  }

  /** Every request answered so far, oldest first. */
  requests(): PodRequest[] {
    const lines = this.#server.log().split("\n");
    return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as PodRequest);
  }
}
