/**
 * What the datapath stands on: its interfaces, the veth pair into the node's stack, the BPF maps, fresh or a dead
 * process's, and the programs on their hooks.
 */
import type { Server } from "node:net";
import type { Logger } from "pino";
import type { HashKey } from "../dataplane/flow-hash.ts";
import { adoptLink, attachEgress, attachXdp, type Link, requireFreeHook } from "../xdp/attach.ts";
import { BpfObject } from "../xdp/bpf.ts";
import {
  type DoorPort,
  SETTINGS_CHALLENGE,
  SETTINGS_FLAGS,
  SETTINGS_FORWARD,
  SETTINGS_LAYOUT,
  SETTINGS_LAYOUT_NOW,
  SETTINGS_NEW_FLOW_BUDGET,
  SETTINGS_OPEN,
  SETTINGS_OPEN_PRESSED,
} from "../xdp/door-maps.ts";
import { encodePort, setDoorPort } from "../xdp/door-ports.ts";
import { rxQueueCount } from "../xdp/ethtool.ts";
import { isNativeError } from "../xdp/native-error.ts";
import { findLink } from "../xdp/netlink.ts";
import { PinFolder } from "../xdp/pin-folder.ts";
import type { Port } from "./network-tables.ts";
import { portList, requireLink } from "./port-list.ts";
import { type DatapathMode, DEFAULT_NEW_FLOW_BUDGET, type RunOptions } from "./run-options.ts";
import { createStackInside, INNER, leftStackInside, type StackInside, stackProblems } from "./stack-inside.ts";
import { claimName, clear, inspect } from "./takeover.ts";

const FLAGS_OF_MODE: Readonly<Record<DatapathMode, number>> = {
  userspace: 0,
  hybrid: SETTINGS_FORWARD,
  auto: SETTINGS_FORWARD | SETTINGS_OPEN_PRESSED,
  kernel: SETTINGS_FORWARD | SETTINGS_OPEN,
};

export interface Foundation {
  readonly object: BpfObject;
  /** Of the flow hash: the one that is given, or that of the flows which are taken over. */
  readonly key: HashKey;
  readonly ports: readonly Port[];
  readonly stack: StackInside | null;
  /**
   * As many as the port with the fewest receive queues has of them. Each must be able to send by every port, a queue has
   * room for one socket, and frame memory is a worker's own; so where a port has more, a worker has several of its queues.
   */
  readonly workers: number;
  /** The largest of any port. */
  readonly mtu: number;
  readonly kernelForwards: boolean;
  /** `null` where nothing can be pinned. */
  readonly pins: PinFolder | null;
  /** Held as long as this gateway lives. */
  readonly claim: Server | null;
  /** Whether maps and attachments are those of a process that died. */
  readonly taken: boolean;
}

/** @param cleanup gets what undoes each step; a takeover that fails leaves what it found. */
export async function layFoundation(
  options: RunOptions,
  ownKey: HashKey,
  log: Logger,
  cleanup: (() => void | Promise<void>)[],
): Promise<Foundation> {
  const uplinks = options.uplinks.map(requireLink);
  const inside = options.inside === "stack" ? [] : options.inside.map(requireLink);
  const names = [...uplinks, ...inside].map(({ name }) => name);
  const pins = PinFolder.of(options.node, options.uplinks);
  if (pins === null) {
    log.warn("there is no bpffs at /sys/fs/bpf, so flows end with this process: `mount -t bpf bpf /sys/fs/bpf`");
  }
  let claim: Server | null = null;
  if (pins !== null) {
    claim = await claimName(pins.name, options.uplinks.join(", "));
    cleanup.push(() => void claim?.close());
  }
  const workers = countWorkers(names, log);
  const mtu = Math.max(...[...uplinks, ...inside].map((link) => link.mtu));

  let stack: StackInside | null = null;
  if (options.inside === "stack") {
    if (uplinks.length > 1)
      throw new Error("with `--inside stack` there is one uplink; give the others to a gateway of their own");
    for (const problem of stackProblems(uplinks[0]!.name)) log.warn(problem);
    stack = pins?.exists() ? leftStackInside(mtu, workers) : null;
  }
  const flow6Rows = options.flowRows / 2;
  const kernelForwards = options.datapath !== "userspace";
  const doorOf = (port: Port, id: number): DoorPort => ({
    id,
    dropOthers: port.kind === "stack",
    pairInterfaceIndex: port.kind === "uplink" ? (stack?.outer.index ?? 0) : 0,
    vlan: port.tags,
  });
  const encode = (port: Port, id: number) => encodePort(port.interfaceIndex, doorOf(port, id));
  let ports = portList(uplinks, inside, stack, options.vlans);
  const load = () =>
    BpfObject.load(undefined, {
      maxEntries: { flows: options.flowRows, flows6: flow6Rows },
      pinFolder: pins?.path ?? null,
    });
  let object: BpfObject | null = null;
  let key = ownKey;
  if (pins?.exists()) {
    let found =
      options.inside === "stack" && stack === null
        ? "its veth pair is gone"
        : inspect(pins, {
            flowRows: options.flowRows,
            key: options.clusterSecret === null ? null : ownKey,
            ports,
            encoded: ports.map(encode),
            egress: stack === null ? [] : ports.filter(({ kind }) => kind === "uplink"),
          });
    if (typeof found !== "string") {
      const [loaded, reason] = takeMaps(load);
      if (loaded !== null) key = found;
      else found = reason;
      object = loaded;
    }
    if (typeof found === "string") {
      log.warn(`what the last process left can't be taken over, so its flows end: ${found}`);
      await clear(pins, findLink(INNER) === null ? names : [...names, INNER]);
      stack = null;
    }
  }
  const taken = object !== null;
  if (!taken) {
    for (const name of names) requireFreeHook(name);
    if (options.inside === "stack") stack = createStackInside(mtu, workers);
    cleanup.push(() => stack?.remove());
    ports = portList(uplinks, inside, stack, options.vlans);
    cleanup.push(() => pins?.remove());
    pins?.create();
  }
  const maps = object ?? load();
  cleanup.push(() => maps.close());
  const settings = maps.map("settings").mmap();
  settings.set([key.k0, key.k1, options.flowRows - 1, flow6Rows - 1]);
  settings[SETTINGS_LAYOUT] = SETTINGS_LAYOUT_NOW;
  settings[SETTINGS_NEW_FLOW_BUDGET] = options.newFlowBudget ?? DEFAULT_NEW_FLOW_BUDGET;
  // What policies have asked of a dead process's door holds until ours are heard (door-requests.ts).
  settings[SETTINGS_FLAGS] = FLAGS_OF_MODE[options.datapath] | (settings[SETTINGS_FLAGS]! & SETTINGS_CHALLENGE);
  ports.forEach((port, id) => {
    setDoorPort(maps.map("ports"), port.interfaceIndex, doorOf(port, id));
    maps.map("devices").update(word(id), word(port.interfaceIndex));
  });
  if (taken) {
    // Whether this node answers for an address on a link is agreed anew.
    for (const name of ["arp4", "ndp6"]) {
      const map = maps.map(name);
      for (const { key: answered } of map.entries()) map.delete(answered);
    }
  }
  return { object: maps, key, ports, stack, workers, mtu, kernelForwards, pins, claim, taken };
}

/** One for each receive queue of the port with the fewest. */
function countWorkers(names: readonly string[], log: Logger): number {
  const ports = names.map((name) => ({ name, queues: rxQueueCount(name) })).toSorted((a, b) => a.queues - b.queues);
  const [fewest, most] = [ports[0]!, ports.at(-1)!];
  if (most.queues > fewest.queues) {
    log.warn(
      `${most.name} has ${most.queues} receive queues, but ${fewest.name} has ${fewest.queues}, and so there are as many ` +
        `workers; for more: \`ethtool -L ${fewest.name} combined ${most.queues}\` before the start`,
    );
  }
  return fewest.queues;
}

/**
 * The pinned maps with the programs of this build, or the reason why they don't go together: another build's maps may be of
 * other sizes although it says that its layout is ours. What else fails would fail with fresh maps as well.
 */
function takeMaps(load: () => BpfObject): [BpfObject, null] | [null, string] {
  try {
    return [load(), null];
  } catch (error) {
    if (!isNativeError(error) || error.code !== "EINVAL") throw error;
    return [null, `its maps are not those of this build (${error.hint || error.message})`];
  }
}

/** Puts the programs on their hooks, each link into `links` as soon as there is one. Pinned links get ours instead of theirs. */
export function attachPrograms(foundation: Foundation, options: RunOptions, log: Logger, links: Link[]): void {
  const { object, ports, stack, pins, taken } = foundation;
  const attached = (hook: Link["hook"], port: Port, attach: () => Link) => {
    const path = pins?.linkPath(hook, port.interfaceIndex);
    if (taken && path !== undefined) {
      links.push(adoptLink(object.program(`sluice_${hook}`), port.name, hook, path));
      return;
    }
    const link = attach();
    links.push(link);
    if (path !== undefined && !link.pin(path)) {
      log.warn(`the program on ${port.name} ends with this process: it shares the hook with others`);
    }
  };
  for (const port of ports) {
    const mode = port.kind === "stack" ? "native" : options.xdpMode;
    const program = object.program("sluice_xdp");
    attached("xdp", port, () => attachXdp({ program, interface: port.name, mode }));
  }
  if (stack !== null) {
    const program = object.program("sluice_egress");
    for (const port of ports.filter(({ kind }) => kind === "uplink"))
      attached("egress", port, () => attachEgress({ program, interface: port.name }));
  }
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
