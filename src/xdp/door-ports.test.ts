import { describe, expect, test } from "vitest";
import { countDoorPorts, doorPort, encodePort, PORT_PLACES, setDoorPort } from "./door-ports.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** An array map of the same shape. */
function fakeMap() {
  const values = Array.from({ length: PORT_PLACES }, () => new Uint8Array(32));
  const at = (key: Uint8Array) => values[new DataView(key.buffer).getUint32(0, true)]!;
  return {
    lookup(key: Uint8Array, into: Uint8Array) {
      into.set(at(key));
      return true;
    },
    update: (key: Uint8Array, value: Uint8Array) => at(key).set(value),
  };
}

describe("the door's ports", () => {
  test("have VLAN tags as on the wire", () => {
    expect(hex(encodePort(9, { id: 3 }))).toBe(`0900000003${"00".repeat(27)}`);
    const vlan = [
      { protocol: 0x88a8, id: 100 },
      { protocol: 0x8100, id: 4094 },
    ];
    expect(hex(encodePort(258, { id: 1, dropOthers: true, vlan, pairInterfaceIndex: 7 }))).toBe(
      "02010000010000000100000088a8006481000ffe070000000000000000000000",
    );
    expect(() => encodePort(1, { id: 1, vlan: [...vlan, ...vlan] })).toThrow("at most two VLAN tags");
  });

  test("are found where another interface has their place", () => {
    const map = fakeMap();
    const indexes = [5, 5 + PORT_PLACES, 6, 255, 255 + PORT_PLACES];
    indexes.forEach((index, id) => {
      setDoorPort(map, index, { id });
    });
    indexes.forEach((index, id) => {
      expect(doorPort(map, index)).toEqual(encodePort(index, { id }));
    });
    expect(doorPort(map, 7 + PORT_PLACES)).toBeNull();
    expect(countDoorPorts(map)).toBe(indexes.length);
  });

  test("keep their place when they are set again", () => {
    const map = fakeMap();
    setDoorPort(map, 5, { id: 1 });
    setDoorPort(map, 5, { id: 2 });
    expect(doorPort(map, 5)).toEqual(encodePort(5, { id: 2 }));
    expect(countDoorPorts(map)).toBe(1);
  });

  test("are sixteen at most", () => {
    const map = fakeMap();
    for (let n = 0; n < 16; n++) setDoorPort(map, 1 + n * PORT_PLACES, { id: n });
    expect(() => setDoorPort(map, 1 + 16 * PORT_PLACES, { id: 16 })).toThrow("at most 16 ports");
    expect(doorPort(map, 1 + 16 * PORT_PLACES)).toBeNull();
  });
});
