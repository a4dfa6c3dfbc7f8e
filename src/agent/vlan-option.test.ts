import { describe, expect, it } from "vitest";
import { parseVlanOption } from "./vlan-option.ts";

describe("--vlan", () => {
  it("names one VLAN, or a provider's around a customer's", () => {
    expect(parseVlanOption("eth0=100")).toEqual({
      interface: "eth0",
      tags: [{ protocol: 0x8100, id: 100 }],
      device: null,
    });
    expect(parseVlanOption("eth0=10.100:eth0.10.100")).toEqual({
      interface: "eth0",
      tags: [
        { protocol: 0x88a8, id: 10 },
        { protocol: 0x8100, id: 100 },
      ],
      device: "eth0.10.100",
    });
  });

  it.each(["eth0", "eth0=", "eth0=x", "=100", "eth0=0", "eth0=4095", "eth0=1.2.3"])(
    "refuses %s with a sentence",
    (text) => {
      expect(() => parseVlanOption(text)).toThrow(/--vlan/);
    },
  );
});
