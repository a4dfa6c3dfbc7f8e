/**
 * Taking over what a gateway that died has left: its pinned maps and attachments, so that its flows never stop. What does
 * not fit this start (other interfaces, sizes, layout or secret) is taken away instead, and the gateway starts fresh.
 */
import { createServer, type Server } from "node:net";
import { sendsDsr } from "../dataplane/egress.ts";
import type { HashKey } from "../dataplane/flow-hash.ts";
import { KEY_PORTS, KEY_SOURCE, newFlowKey } from "../dataplane/flow-key.ts";
import type { FlowTable } from "../dataplane/flow-table.ts";
import { TAG_PROTOCOL } from "../dataplane/flow-table.ts";
import type { IdRegistry } from "../dataplane/id-registry.ts";
import { loadAddress, sourcePortFromRaw } from "../wire/raw.ts";
import { attachedXdp } from "../xdp/attach.ts";
import { SETTINGS_FLOW_MASK, SETTINGS_LAYOUT, SETTINGS_LAYOUT_NOW } from "../xdp/door-maps.ts";
import { countDoorPorts, doorPort } from "../xdp/door-ports.ts";
import type { PinFolder } from "../xdp/pin-folder.ts";
import type { Port } from "./network-tables.ts";

/** Programs that are no longer pinned are gone from their hooks after a moment. */
const DETACH_MILLISECONDS = 2000;

/**
 * Makes sure that no other gateway of this name lives: an abstract socket, which its owner can't leave behind.
 * @throws when one does.
 */
export async function claimName(name: string, serves: string): Promise<Server> {
  const server = createServer((connection) => connection.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", () =>
      reject(new Error(`another Sluice is running here and serves ${serves}: stop it, or name another interface`)),
    );
    server.listen(`\0${name}`, resolve);
  });
  return server.unref();
}

/** What a start must find to go on where another ended. */
interface TakeoverTerms {
  readonly flowRows: number;
  /** The key that the operator's secret makes; `null` when any will do. */
  readonly key: HashKey | null;
  readonly ports: readonly Port[];
  /** The value of `ports` for each of them. */
  readonly encoded: readonly Uint8Array[];
  /** Ports whose replies are caught when they leave. */
  readonly egress: readonly Port[];
}

/** The key of the flows that are taken over, or the reason why they can't be. */
export function inspect(pins: PinFolder, terms: TakeoverTerms): HashKey | string {
  const settings = pins.map("settings");
  const ports = pins.map("ports");
  try {
    if (settings === null || ports === null) return "parts of it are missing";
    const words = settings.mmap();
    if (words[SETTINGS_LAYOUT] !== SETTINGS_LAYOUT_NOW) return "its tables have another layout";
    if (words[SETTINGS_FLOW_MASK] !== terms.flowRows - 1) return "its flow table has another size";
    const key = { k0: words[0]!, k1: words[1]! };
    if (terms.key !== null && (terms.key.k0 !== key.k0 || terms.key.k1 !== key.k1)) return "its secret is another";
    if (countDoorPorts(ports) !== terms.ports.length) return "it served other interfaces";
    for (const [id, port] of terms.ports.entries()) {
      const known = doorPort(ports, port.interfaceIndex);
      if (known === null || Buffer.compare(known, terms.encoded[id]!) !== 0) return `it served ${port.name} otherwise`;
      const link = pins.link("xdp", port.interfaceIndex);
      if (link?.interfaceIndex !== port.interfaceIndex) return `its program on ${port.name} is gone`;
      if (attachedXdp(port.name)?.programId !== link.programId) return `its program on ${port.name} has been replaced`;
    }
    for (const { name, interfaceIndex } of terms.egress) {
      if (pins.link("egress", interfaceIndex)?.interfaceIndex !== interfaceIndex)
        return `its program for what leaves by ${name} is gone`;
    }
    return key;
  } finally {
    settings?.close();
    ports?.close();
  }
}

/** Takes everything away, and waits until the hooks of these interfaces are free of it. */
export async function clear(pins: PinFolder, interfaces: readonly string[]): Promise<void> {
  const before = new Map(interfaces.map((name) => [name, attachedXdp(name)?.programId]));
  pins.remove();
  const deadline = performance.now() + DETACH_MILLISECONDS;
  const isStuck = (name: string) => {
    const id = before.get(name);
    return id !== undefined && attachedXdp(name)?.programId === id;
  };
  while (interfaces.some(isStuck) && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 10));
}

/**
 * Gives the VIPs and backends of live flows the ids that their rows have, as their replies' rows tell them. A flow that is
 * sent on by direct server return has no such row and ends: its next frame opens it anew, with the same backend.
 * @returns how many flows there are.
 */
export function adoptIds(tables: readonly FlowTable[], ids: Pick<IdRegistry, "adopt">, now: number): number {
  const key = newFlowKey();
  const translated = newFlowKey();
  let flows = 0;
  for (const table of tables) {
    const { words, layout } = table;
    for (let row = 0; row < words.length; row += layout.words) {
      if (!table.isLive(row)) continue;
      if (!table.isReply(row)) {
        if (sendsDsr(words[row + layout.egress]!)) table.withdraw(row, now);
        else flows++;
        continue;
      }
      table.loadKey(row, key);
      table.loadTranslation(row, translated);
      const owner = words[row + layout.owner]!;
      ids.adopt({
        vip: { address: loadAddress(translated, KEY_SOURCE), port: sourcePortFromRaw(translated[KEY_PORTS]!) },
        protocol: words[row + layout.tag]! & TAG_PROTOCOL,
        vipId: owner >>> 16,
        backend: { address: loadAddress(key, KEY_SOURCE), port: sourcePortFromRaw(key[KEY_PORTS]!) },
        backendId: owner & 0xffff,
      });
    }
  }
  return flows;
}
