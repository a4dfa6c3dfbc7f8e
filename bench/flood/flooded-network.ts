/**
 * A client that downloads, a gateway and a server on one core, and on the other a generator of SYNs of random clients to
 * the same address. What the flood's frames cost where they go, up to the backend's own stack, is paid on the flood's core.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ACK } from "../../src/wire/transport.ts";
import { type FrameFields, ipv4Frame } from "../../test/fixtures/frames.ts";
import { BACKEND, VIP } from "../../test/fixtures/gateway.ts";
import { writeDeterministicBody } from "../../test/lab/deterministic-body.ts";
import type { Namespace } from "../../test/lab/namespace.ts";
import type { LabProcess } from "../../test/lab/process.ts";
import { waitFor } from "../../test/lab/wait-for.ts";
import type { Tools } from "../forward/tools.ts";
import { startSluice } from "../harness/sluice.ts";
import { NFT } from "../service/contenders.ts";
import { BACKEND_PORT, ServiceNetwork } from "../service/network.ts";
import type { Download } from "./download.ts";

export const MEGABYTES = 1000;
const [DOWNLOAD_CORE, FLOOD_CORE] = [0, 1];
const WARM_UP_SECONDS = 1;
const onItsCore = ["taskset", "-c", `${DOWNLOAD_CORE}`];
const CLIENT = join(import.meta.dirname, "download.ts");
const URL = `http://${VIP}:80/www/body`;
const WITNESS_URL = `http://${BACKEND}:${BACKEND_PORT}/`;

/** What is downloaded, written once for all networks. */
export class Body {
  readonly #folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  readonly file = join(this.#folder, "body");
  readonly sha256 = writeDeterministicBody(this.file, MEGABYTES * 1e6);

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

export interface Trial extends Download {
  /** SYNs that were sent, a second. */
  readonly floodPerSecond: number;
}

export class FloodedNetwork {
  readonly #network: ServiceNetwork;
  readonly #sha256: string;
  readonly #tools: Tools;
  #gateway: LabProcess | null = null;

  private constructor(network: ServiceNetwork, sha256: string, tools: Tools) {
    this.#network = network;
    this.#sha256 = sha256;
    this.#tools = tools;
  }

  static async start(by: "Sluice" | "nftables", tools: Tools, body: Body): Promise<FloodedNetwork> {
    const network = await ServiceNetwork.start(onItsCore);
    try {
      const folder = join(network.lab.folder, "www");
      mkdirSync(folder);
      symlinkSync(body.file, join(folder, "body"));
      const flooded = new FloodedNetwork(network, body.sha256, tools);
      if (by === "nftables") await NFT.start(network);
      else await flooded.startGateway();
      return flooded;
    } catch (error) {
      network.close();
      throw error;
    }
  }

  async startGateway(): Promise<void> {
    const { lab, node } = this.#network;
    const options = { datapath: "auto", xdpMode: "native", prefix: onItsCore, keepsFlows: true } as const;
    this.#gateway = await startSluice(lab, node, options);
  }

  async stopGateway(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    await this.#gateway!.stop(signal);
  }

  /** One file over one connection; with `meanwhile`, which begins with the first byte, files until that is over. */
  async download(withFlood: boolean, meanwhile?: () => Promise<void>): Promise<Trial> {
    const flood = withFlood ? await this.#startFlood() : null;
    if (flood !== null) await sleep(WARM_UP_SECONDS * 1000);
    const [before, since] = [this.#arrived(), performance.now()];
    const command = [...onItsCore, process.execPath, CLIENT, URL, WITNESS_URL, ...(meanwhile ? ["on"] : [])];
    const client = this.#network.client.start("download", command);
    await waitFor("the first byte", () => client.log().includes("begun") || client.exit() !== null);
    await meanwhile?.();
    client.signal("SIGTERM");
    await waitFor("the download", () => client.exit() !== null, { timeoutSeconds: 120, seen: () => client.log() });
    const floodPerSecond = ((this.#arrived() - before) / (performance.now() - since)) * 1000;
    await flood?.stop();
    const result = client
      .log()
      .split("\n")
      .find((line) => line.startsWith("{"));
    if (result === undefined) throw new Error(`the download has failed: ${client.log().slice(-500)}`);
    const trial = { ...(JSON.parse(result) as Download), floodPerSecond };
    if (trial.sha256.some((hash) => hash !== this.#sha256)) throw new Error("what came is not what was sent");
    if (trial.connections !== 1) throw new Error(`the downloads took ${trial.connections} connections`);
    return trial;
  }

  close(): void {
    this.#network.close();
  }

  /** SYNs to the VIP from the client's end of the uplink, until it is stopped. */
  async #startFlood(): Promise<LabProcess> {
    const { client, node } = this.#network;
    const macOf = (of: Namespace, device: string): string =>
      (JSON.parse(of.run(["ip", "-j", "link", "show", device])) as [{ address: string }])[0].address;
    const fields: FrameFields = {
      destinationMac: macOf(node, "net0"),
      sourceMac: macOf(client, "cli0"),
      source: "11.0.0.0",
      destination: VIP,
      sourcePort: 1024,
      destinationPort: 80,
      protocol: 6,
      flags: ACK,
      payload: new Uint8Array(10),
    };
    const frame = Buffer.from(ipv4Frame(fields)).toString("hex");
    const { generator, object } = this.#tools;
    const words = [generator, object, "cli0", "1", "300", `${FLOOD_CORE}`, frame, "random"];
    const flood = client.start("flood", words);
    await waitFor("the flood", () => flood.log().includes("sending") || flood.exit() !== null, {
      seen: () => flood.log(),
    });
    return flood;
  }

  /** Frames that have come to the gateway's uplink. */
  #arrived(): number {
    const text = this.#network.node.run(["ip", "-j", "-s", "link", "show", "net0"]);
    return (JSON.parse(text) as [{ stats64: { rx: { packets: number } } }])[0].stats64.rx.packets;
  }
}
