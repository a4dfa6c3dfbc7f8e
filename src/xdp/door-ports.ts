/**
 * The map `ports` of native/bpf/maps.h: which port of ours an interface is, found from its index in one or two loads. Open
 * addressing from the index modulo the size on, without deletion: ports stay what they are as long as the programs do.
 */
import type { BpfMap } from "./bpf-map.ts";
import type { DoorPort } from "./door-maps.ts";

/** Interface indexes so far apart have the same place. */
export const PORT_PLACES = 256;
/** As many as there may be ports (`MAX_PORTS`). */
const PROBE_LIMIT = 16;
const VALUE_BYTES = 32;
const PORT_DROP_OTHERS = 1 << 0;

type PortMap = Pick<BpfMap, "lookup" | "update">;

/** struct port. */
export function encodePort(interfaceIndex: number, port: DoorPort): Uint8Array {
  const { id, dropOthers = false, vlan = [], pairInterfaceIndex = 0 } = port;
  if (vlan.length > 2) throw new TypeError("a port has at most two VLAN tags");
  const value = new Uint8Array(VALUE_BYTES);
  const view = new DataView(value.buffer);
  view.setUint32(0, interfaceIndex, true);
  view.setUint32(4, id, true);
  view.setUint32(8, dropOthers ? PORT_DROP_OTHERS : 0, true);
  vlan.forEach((tag, i) => {
    view.setUint16(12 + 4 * i, tag.protocol);
    view.setUint16(14 + 4 * i, tag.id);
  });
  view.setUint32(20, pairInterfaceIndex, true);
  return value;
}

export function setDoorPort(map: PortMap, interfaceIndex: number, port: DoorPort): void {
  const slot = findSlot(map, interfaceIndex);
  if (slot === null) throw new RangeError(`a gateway has at most ${PROBE_LIMIT} ports`);
  map.update(word(slot), encodePort(interfaceIndex, port));
}

/** The value of an interface that is a port; `null` of every other. */
export function doorPort(map: PortMap, interfaceIndex: number): Uint8Array | null {
  const slot = findSlot(map, interfaceIndex);
  if (slot === null) return null;
  const value = valueAt(map, slot);
  return interfaceOf(value) === interfaceIndex ? value : null;
}

export function countDoorPorts(map: PortMap): number {
  return Array.from({ length: PORT_PLACES }, (_, slot) => valueAt(map, slot)).filter(interfaceOf).length;
}

/** Where an interface is, or would be; `null` when all its places are others'. */
function findSlot(map: PortMap, interfaceIndex: number): number | null {
  for (let probe = 0; probe < PROBE_LIMIT; probe++) {
    const slot = (interfaceIndex + probe) % PORT_PLACES;
    const there = interfaceOf(valueAt(map, slot));
    if (there === 0 || there === interfaceIndex) return slot;
  }
  return null;
}

function valueAt(map: PortMap, slot: number): Uint8Array {
  const value = new Uint8Array(VALUE_BYTES);
  map.lookup(word(slot), value);
  return value;
}

/** 0 of a free place. */
function interfaceOf(value: Uint8Array): number {
  return new DataView(value.buffer).getUint32(0, true);
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
