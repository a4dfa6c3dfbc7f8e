/**
 * Namespaces that somebody keeps alive: by a name, by a thread inside, or by an open descriptor. Nothing else tells of one
 * that has leaked, and its interfaces, sockets and rules stay with it.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

const NAMED = "/run/netns";
/** All namespaces, of whatever kind, are files of one file system. */
const DEVICE = statSync("/proc/self/ns/net").dev;

export interface HeldNamespaces {
  /** Names in /run/netns that begin with the prefix. */
  readonly names: readonly string[];
  /** How many different ones the processes are in, by kind (`net`, `mnt`, `user`), or have `open` without being in one. */
  readonly held: Readonly<Record<string, number>>;
}

/** @param pids processes that count, with all that they have started; those that have ended too, for what they left. */
export function heldNamespaces(prefix: string, pids: readonly number[]): HeldNamespaces {
  const all = [...withStarted(pids)];
  const kinds = new Map<number, string>();
  for (const link of all.flatMap((pid) => under(`/proc/${pid}/task`)).flatMap((thread) => under(`${thread}/ns`))) {
    const { kind, inode } = namespaceAt(link) ?? {};
    if (inode !== undefined) kinds.set(inode, kind!);
  }
  for (const link of all.flatMap((pid) => under(`/proc/${pid}/fd`))) {
    const { inode } = namespaceAt(link) ?? {};
    if (inode !== undefined && !kinds.has(inode)) kinds.set(inode, "open");
  }
  const held: Record<string, number> = {};
  for (const kind of [...kinds.values()].sort()) held[kind] = (held[kind] ?? 0) + 1;
  const names = entriesOf(NAMED).filter((name) => name.startsWith(prefix));
  return { names: names.sort(), held };
}

/** A descriptor that was opened by a name is shown by that name, so it is recognised by where it lies. */
function namespaceAt(link: string): { readonly kind: string; readonly inode: number } | null {
  try {
    const { dev, ino } = statSync(link);
    return dev === DEVICE ? { kind: readlinkSync(link).replace(/:\[\d+\]$/, ""), inode: ino } : null;
  } catch {
    // It was closed, or its thread has ended, meanwhile.
    return null;
  }
}

/** Their children; and who has lost its parent is still of its session, whose number nobody else gets meanwhile. */
function withStarted(pids: readonly number[]): ReadonlySet<number> {
  const members = new Set(pids);
  const others = entriesOf("/proc").filter((name) => /^\d+$/.test(name));
  for (let before = 0; before < members.size; ) {
    before = members.size;
    for (const pid of others) {
      const [, parent, , session] = statOf(pid);
      if (members.has(Number(parent)) || members.has(Number(session))) members.add(Number(pid));
    }
  }
  return members;
}

/** What follows the name in /proc/PID/stat: state, parent, group, session. */
function statOf(pid: string): readonly string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

function under(folder: string): readonly string[] {
  return entriesOf(folder).map((name) => `${folder}/${name}`);
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
