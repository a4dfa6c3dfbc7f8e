/** Network namespaces: where a thread's interfaces, sockets and netlink messages are. */
import { closeSync, openSync } from "node:fs";
import { native } from "./native.ts";

/**
 * Moves the calling thread into the namespace at `path` (`/run/netns/NAME`); threads and processes that it starts from
 * then on are born there. Others stay where they are.
 */
export function enterNetworkNamespace(path: string): void {
  native.enterNetworkNamespace(path);
}

/**
 * Runs `action` in the namespace at `path`, and comes back. Nothing else runs on this thread meanwhile, so `action` must
 * not be asynchronous.
 */
export function insideNetworkNamespace<T>(path: string, action: () => T): T {
  const home = openSync("/proc/thread-self/ns/net", "r");
  try {
    enterNetworkNamespace(path);
    try {
      return action();
    } finally {
      enterNetworkNamespace(`/proc/self/fd/${home}`);
    }
  } finally {
    closeSync(home);
  }
}
