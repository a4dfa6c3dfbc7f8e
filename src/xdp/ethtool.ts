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

/** Offloads that share one word of flags (ETH_FLAG_*), read and written as a whole. */
const FLAG_OFFLOADS = {
  /** On, a tag to send lies beside the frame, and a program or socket at the other end of a veth does not see it. */
  txVlan: 1 << 7,
  /** The same for tags received. */
  rxVlan: 1 << 8,
  /** On, a NIC makes one frame of several, longer than the MTU. */
  lro: 1 << 15,
} as const;
const GET_FLAGS = 0x25;
const SET_FLAGS = 0x26;

export type Offload = keyof typeof OFFLOADS | keyof typeof FLAG_OFFLOADS;

/** `veth`, `virtio_net`, `mlx5_core`; empty for an interface without one. */
export function driverName(interfaceName: string): string {
  return native.ethtoolDriver(interfaceName);
}

/** Receive queues in use: a socket is needed on each. */
export function rxQueueCount(interfaceName: string): number {
  return native.ethtoolRxQueues(interfaceName);
}

export function offload(interfaceName: string, which: Offload): boolean {
  if (isFlag(which)) return (native.ethtoolGet(interfaceName, GET_FLAGS) & FLAG_OFFLOADS[which]) !== 0;
  return native.ethtoolGet(interfaceName, OFFLOADS[which][0]) !== 0;
}

/** Switching `txChecksum` off also switches TSO off, which needs it. */
export function setOffload(interfaceName: string, which: Offload, on: boolean): void {
  if (isFlag(which)) {
    const others = native.ethtoolGet(interfaceName, GET_FLAGS) & ~FLAG_OFFLOADS[which];
    native.ethtoolSet(interfaceName, SET_FLAGS, others | (on ? FLAG_OFFLOADS[which] : 0));
    return;
  }
  native.ethtoolSet(interfaceName, OFFLOADS[which][1], on ? 1 : 0);
}

function isFlag(which: Offload): which is keyof typeof FLAG_OFFLOADS {
  return which in FLAG_OFFLOADS;
}
