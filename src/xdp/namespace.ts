/** Network namespaces: where a thread's interfaces, sockets and netlink messages are. */
import { native } from "./native.ts";

/**
 * Moves the calling thread into the namespace at `path` (`/run/netns/NAME`); threads and processes that it starts from
 * then on are born there. Others stay where they are.
 */
export function enterNetworkNamespace(path: string): void {
  native.enterNetworkNamespace(path);
}
