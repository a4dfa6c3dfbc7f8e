/**
 * The other end of a veth, which is often in another network namespace: what leaves there arrives here, so its offloads
 * matter as much as our own.
 *
 * The kernel names that namespace by a number that is only ours. Which one it is shows by asking for the number of each
 * that can be seen: those with names, and those of running processes.
 */
import { closeSync, openSync, readdirSync, readlinkSync } from "node:fs";
import { insideNetworkNamespace } from "./namespace.ts";
import { isNativeError } from "./native-error.ts";
import { namespaceIdOf, networkLinks } from "./netlink.ts";
import type { NetworkLink } from "./rtnetlink.ts";

export interface FarEnd {
  readonly interface: string;
  /** The file by which its namespace is entered; `null` when that is our own. */
  readonly namespace: string | null;
}

/** `null` when the link has no other end, or one in a namespace that can't be seen from here. */
export function findFarEnd(link: NetworkLink): FarEnd | null {
  if (link.kind !== "veth" || link.linkedTo === null) return null;
  const { index, namespaceId } = link.linkedTo;
  const nameHere = () => networkLinks().find((each) => each.index === index)?.name ?? null;
  const namespace = namespaceId === null ? null : findNamespace(namespaceId);
  if (namespaceId !== null && namespace === null) return null;
  const name = namespace === null ? nameHere() : nameInside(namespace, nameHere);
  return name === null ? null : { interface: name, namespace };
}

/** Entering takes CAP_SYS_ADMIN, which a gateway in a pod does not have: what may not be entered can't be seen. */
function nameInside(namespace: string, name: () => string | null): string | null {
  try {
    return insideNetworkNamespace(namespace, name);
  } catch (error) {
    if (isNativeError(error) && error.code === "EPERM") return null;
    throw error;
  }
}

/** Does something where the far end is. */
export function atFarEnd<T>({ namespace }: FarEnd, action: () => T): T {
  return namespace === null ? action() : insideNetworkNamespace(namespace, action);
}

function findNamespace(id: number): string | null {
  return visibleNamespaces().find((path) => numberOf(path) === id) ?? null;
}

function visibleNamespaces(): string[] {
  const named = entries("/run/netns").map((name) => `/run/netns/${name}`);
  const seen = new Set<string>();
  const ofProcesses = entries("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => `/proc/${pid}/ns/net`)
    .filter((path) => {
      const identity = identityOf(path);
      if (identity === null || seen.has(identity)) return false;
      seen.add(identity);
      return true;
    });
  return [...named, ...ofProcesses];
}

/** A process may end, or not be ours to look at: then there is nothing to see. */
function identityOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function numberOf(path: string): number | null {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return null;
  }
  try {
    return namespaceIdOf(fd);
  } catch {
    // A name in /run/netns whose namespace is gone is an ordinary file.
    return null;
  } finally {
    closeSync(fd);
  }
}
