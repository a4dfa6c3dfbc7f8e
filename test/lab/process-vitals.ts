/** What a running gateway takes of the machine, looked at from outside and told by itself, for tests of its endurance. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { BpfMap } from "../../src/xdp/bpf-map.ts";
import type { Gateway } from "./gateway.ts";
import type { Namespace } from "./namespace.ts";
import type { LabProcess } from "./process.ts";

export interface Vitals {
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
}

/** Everything that must be the same again when the configuration is. */
export interface Holdings {
  readonly threads: number;
  /** Open descriptors by what they are: `socket`, `anon_inode:bpf-map`, a path. */
  readonly descriptors: Readonly<Record<string, number>>;
  /** Timers and the like of the main thread, by type. */
  readonly resources: Readonly<Record<string, number>>;
  /** Entries of each pinned hash map. */
  readonly mapEntries: Readonly<Record<string, number>>;
}

export async function vitals(gateway: Gateway): Promise<Vitals> {
  const metrics = await metricsOf(gateway);
  return {
    residentBytes: metrics.get("process_resident_memory_bytes")!,
    heapBytes: metrics.get("nodejs_heap_size_used_bytes")!,
    externalBytes: metrics.get("nodejs_external_memory_bytes")!,
  };
}

/**
 * What its cgroup is charged with. The resident memory that the kernel tells of a process counts a BPF map once for each
 * thread that has mapped it, and one that nobody has mapped not at all.
 */
export function chargedBytes({ pid }: LabProcess): number {
  let kilobytes = 0;
  // A mapping is a line of addresses, rights, offset, device, inode and what it is of; lines about it follow.
  for (const mapping of readFileSync(`/proc/${pid}/smaps`, "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
    const isBpfMap = mapping.slice(0, mapping.indexOf("\n")).endsWith("anon_inode:bpf-map");
    if (!isBpfMap) kilobytes += Number(/^Rss: +(\d+) kB$/m.exec(mapping)?.[1] ?? 0);
  }
  const maps = new Map<string, number>();
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    const text = readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8");
    const id = /^map_id:\s+(\d+)$/m.exec(text)?.[1];
    if (id !== undefined) maps.set(id, Number(/^memlock:\s+(\d+)$/m.exec(text)![1]));
  }
  return kilobytes * 1024 + [...maps.values()].reduce((total, bytes) => total + bytes, 0);
}

/** @param maps names of the hash maps to count. */
export async function holdings(gateway: Gateway, node: Namespace, maps: readonly string[]): Promise<Holdings> {
  const { pid } = gateway.process;
  const resources: Record<string, number> = {};
  for (const [series, value] of await metricsOf(gateway)) {
    const type = /^nodejs_active_resources\{type="(\w+)"\}$/.exec(series)?.[1];
    // Connections of those who ask come and go.
    if (type !== undefined && !/Pipe|TCP|FSReq/.test(type)) resources[type] = value;
  }
  const descriptors: Record<string, number> = {};
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const what = kindOf(pid, fd);
    if (what !== null) descriptors[what] = (descriptors[what] ?? 0) + 1;
  }
  const mapEntries: Record<string, number> = {};
  const pins = pinsOf(node);
  for (const name of maps) {
    const map = BpfMap.fromPin(`${pins}/${name}`);
    if (map === null) throw new Error(`${pins} has no map ${name}`);
    mapEntries[name] = map.entries().length;
    map.close();
  }
  return { threads: readdirSync(`/proc/${pid}/task`).length, descriptors, resources, mapEntries };
}

function kindOf(pid: number, fd: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/:?\[\d+\]$/, "");
  } catch {
    // It was closed meanwhile.
    return null;
  }
}

function pinsOf(node: Namespace): string {
  const number = node.run(["readlink", "/proc/self/ns/net"]).replaceAll(/\D/g, "");
  const name = readdirSync("/sys/fs/bpf").find((one) => one.startsWith("sluice-") && one.endsWith(`-ns${number}`));
  if (name === undefined) throw new Error(`nothing is pinned for ${node.name}`);
  return `/sys/fs/bpf/${name}`;
}

/** Series with their labels to values. */
async function metricsOf(gateway: Gateway): Promise<Map<string, number>> {
  const text = await gateway.readText("/metrics");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}
