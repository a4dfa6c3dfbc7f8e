/** The ports of a gateway: which interfaces it serves, in the order of their ids, and what makes one unfit. */
import type { AnnouncerSetup } from "../announcer/announcer-message.ts";
import type { BpfObject } from "../xdp/bpf.ts";
import { driverName } from "../xdp/ethtool.ts";
import { findLink } from "../xdp/netlink.ts";
import type { NetworkLink } from "../xdp/rtnetlink.ts";
import type { Port } from "./network-tables.ts";
import type { StackInside } from "./stack-inside.ts";
import type { VlanOption } from "./vlan-option.ts";

/** Uplinks first, then the inside, then the veth into the node's stack. */
export function portList(
  uplinks: readonly NetworkLink[],
  inside: readonly NetworkLink[],
  stack: StackInside | null,
  vlans: readonly VlanOption[],
): Port[] {
  const names = new Set([...uplinks, ...inside].map(({ name }) => name));
  const stray = vlans.find((vlan) => !names.has(vlan.interface));
  if (stray !== undefined)
    throw new Error(`--vlan ${stray.interface}: it is neither an uplink nor an inside interface`);
  const vlanOf = (name: string) => {
    const vlan = vlans.find((option) => option.interface === name);
    const device = vlan?.device ?? null;
    return { tags: vlan?.tags ?? [], vlanInterfaceIndex: device === null ? null : requireLink(device).index };
  };
  const others = inside.filter(({ name }) => !uplinks.some((uplink) => uplink.name === name));
  const ports: Port[] = uplinks.map(({ name, index }, id) => ({
    name,
    interfaceIndex: index,
    ...vlanOf(name),
    kind: "uplink",
    pair: stack === null ? null : uplinks.length + id,
  }));
  for (const { name, index } of others) {
    ports.push({ name, interfaceIndex: index, ...vlanOf(name), kind: "inside", pair: null });
  }
  if (stack !== null) {
    const { name, index } = stack.inner;
    ports.push({ name, interfaceIndex: index, tags: [], vlanInterfaceIndex: null, kind: "stack", pair: 0 });
  }
  return ports;
}

export type AnnouncerDoor = Pick<AnnouncerSetup, "ports" | "arpMapFd" | "ndpMapFd" | "handoffs">;

/** Where addresses can be announced (not towards our own stack), and the maps that say what is answered for. */
export function announcerDoor(ports: readonly Port[], object: BpfObject, handoffs: Int32Array): AnnouncerDoor {
  return {
    ports: ports
      .filter(({ kind }) => kind !== "stack")
      .map(({ name, interfaceIndex, tags }) => ({ name, interfaceIndex, vlan: tags })),
    arpMapFd: object.map("arp4").fd,
    ndpMapFd: object.map("ndp6").fd,
    handoffs,
  };
}

/** Throws when there is no such interface, or none that can be served. */
export function requireLink(name: string): NetworkLink {
  const link = findLink(name);
  if (link === null) throw new Error(`there is no interface ${name} on this node: \`ip link\` lists those there are`);
  if (link.mac === null) throw new Error(`the interface ${name} is no Ethernet interface, so Sluice can't serve on it`);
  if (!link.up) throw new Error(`the interface ${name} is down: \`ip link set ${name} up\` before Sluice starts`);
  if (driverName(name) === "bridge") throw new Error(`${name} is a bridge: give its physical port to Sluice instead`);
  return link;
}
