/**
 * What of a gateway outlives its process, in a folder of bpffs:
 *
 *   /sys/fs/bpf/sluice-NAME/flows, settings, ...     its maps, by their names
 *   /sys/fs/bpf/sluice-NAME/drained                  only where it had been drained
 *   /sys/fs/bpf/sluice-NAME/link-xdp-3               the attachment to the XDP hook of interface 3
 *   /sys/fs/bpf/sluice-NAME/link-egress-3            the one to its tc egress hook
 *
 * A gateway in a network namespace of its own has the namespace's number in its name, for bpffs may be shared.
 */
import { existsSync, mkdirSync, readdirSync, readlinkSync, rmdirSync, statfsSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { Link } from "./attach.ts";
import { BpfMap } from "./bpf-map.ts";
import { native } from "./native.ts";

const BPFFS = "/sys/fs/bpf";
const BPFFS_MAGIC = 0xcafe4a11;
const PREFIX = "sluice-";
/** A second name of one of the maps, for bpffs has nothing but pins. */
const DRAINED = "drained";

export interface PinnedLink {
  readonly interfaceIndex: number;
  readonly programId: number;
}

export class PinFolder {
  readonly name: string;
  readonly path: string;

  private constructor(name: string) {
    this.name = name;
    this.path = join(BPFFS, name);
  }

  /** Of the gateway of a node on these interfaces; `null` where nothing can be pinned. */
  static of(node: string, interfaces: readonly string[]): PinFolder | null {
    if (!isBpffs()) return null;
    // bpffs has no names with dots.
    const own = [node, ...interfaces].join("-").replace(/[^A-Za-z0-9_-]/g, "_");
    return new PinFolder(`${PREFIX}${own}${namespaceSuffix()}`);
  }

  /** All that gateways of this network namespace have left or use. */
  static all(): PinFolder[] {
    if (!isBpffs()) return [];
    const suffix = namespaceSuffix();
    return readdirSync(BPFFS)
      .filter((name) => name.startsWith(PREFIX))
      .filter((name) => (suffix === "" ? !/-ns\d+$/.test(name) : name.endsWith(suffix)))
      .map((name) => new PinFolder(name));
  }

  exists(): boolean {
    return existsSync(this.path);
  }

  create(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
  }

  mapPath(name: string): string {
    return join(this.path, name);
  }

  map(name: string): BpfMap | null {
    return BpfMap.fromPin(this.mapPath(name));
  }

  linkPath(hook: Link["hook"], interfaceIndex: number): string {
    return join(this.path, `link-${hook}-${interfaceIndex}`);
  }

  /** What an attachment is to now; `null` when there is none. */
  link(hook: Link["hook"], interfaceIndex: number): PinnedLink | null {
    return native.pinnedLink(this.linkPath(hook, interfaceIndex));
  }

  /** Notes for the next process that traffic had been moved away before this one ended. */
  noteDrained(): void {
    const settings = this.map("settings");
    settings?.pin(this.mapPath(DRAINED));
    settings?.close();
  }

  /** Whether that was noted; it is forgotten then. */
  takeDrained(): boolean {
    if (!existsSync(this.mapPath(DRAINED))) return false;
    unlinkSync(this.mapPath(DRAINED));
    return true;
  }

  /** Takes everything away: programs detach, and maps go when nobody has them open. */
  remove(): void {
    if (!this.exists()) return;
    // Attachments first, so that no program runs on maps that others can't see.
    for (const file of readdirSync(this.path).toSorted((a, b) => Number(isLink(b)) - Number(isLink(a)))) {
      unlinkSync(join(this.path, file));
    }
    rmdirSync(this.path);
  }
}

function isLink(file: string): boolean {
  return file.startsWith("link-");
}

function isBpffs(): boolean {
  return existsSync(BPFFS) && statfsSync(BPFFS).type === BPFFS_MAGIC;
}

/** Empty in the namespace that the machine started with. */
function namespaceSuffix(): string {
  const own = readlinkSync("/proc/self/ns/net");
  if (own === namespaceOfInit()) return "";
  return `-ns${own.replace(/\D/g, "")}`;
}

function namespaceOfInit(): string {
  try {
    return readlinkSync("/proc/1/ns/net");
  } catch {
    return "";
  }
}
