/** What ethtool(8) shows and sets: the driver, the receive queues, and the offloads that matter to AF_XDP. */
import { native } from "./native.ts";

/** The [get, set] commands of each offload, from linux/ethtool.h. */
const OFFLOADS = {
  /** Transmit checksums: on, a frame may leave the stack unfinished, which a socket cannot see. */
  txChecksum: [0x16, 0x17],
  tso: [0x1e, 0x1f],
  gso: [0x23, 0x24],
  gro: [0x2b, 0x2c],
} as const;

export type Offload = keyof typeof OFFLOADS;

/** `veth`, `virtio_net`, `mlx5_core`; empty for an interface without one. */
export function driverName(interfaceName: string): string {
  return native.ethtoolDriver(interfaceName);
}

/** Receive queues in use: a socket is needed on each. */
export function rxQueueCount(interfaceName: string): number {
  return native.ethtoolRxQueues(interfaceName);
}

export function offload(interfaceName: string, which: Offload): boolean {
  return native.ethtoolGet(interfaceName, OFFLOADS[which][0]) !== 0;
}

/** Switching `txChecksum` off also switches TSO off, which needs it. */
export function setOffload(interfaceName: string, which: Offload, on: boolean): void {
  native.ethtoolSet(interfaceName, OFFLOADS[which][1], on ? 1 : 0);
}
