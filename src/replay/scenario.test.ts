/** What a scenario may say of its node's tables and stack; what frames then come to, docs/scenarios shows. */
import { describe, expect, it } from "vitest";
import { parseScenario } from "./scenario.ts";

const NET0 = { mac: "02:00:00:00:01:01", ipv4: "10.1.0.1/24" };
const SL1 = { mac: "02:00:00:00:51:01", ipv4: "169.254.77.2/30" };

const scenario = (sl1: object, rest: object = {}) => ({
  id: "a",
  node: { ifaces: { net0: NET0, sl1: { ...SL1, ...sl1 } } },
  frames: [],
  ...rest,
});

describe("the rows of the flow tables", () => {
  it("are as many as the scenario says, else 4096", () => {
    expect(parseScenario(scenario({}, { flow_rows: 64 })).flowRows).toBe(64);
    expect(parseScenario(scenario({})).flowRows).toBe(4096);
  });

  it.each([0, 32, 100, 64.5, 1 << 17])("can't be %d", (rows) => {
    expect(() => parseScenario(scenario({}, { flow_rows: rows }))).toThrow(
      `flow_rows: must be a power of two from 64 to 65536, not ${rows}`,
    );
  });
});

describe("our end of a pair into the node's own stack", () => {
  it("belongs to an uplink, and knows the MAC of the other end", () => {
    const { interfaces } = parseScenario(scenario({ stack: { uplink: "net0", mac: "02:00:00:00:51:00" } })).node;
    expect(interfaces.map(({ stack }) => stack)).toEqual([null, { uplink: 0, mac: 0x0200_0000_5100 }]);
  });

  it.each([
    [
      { uplink: "eth7", mac: "02:00:00:00:51:00" },
      'stack.uplink: the node has no other interface "eth7"; it has net0, sl1',
    ],
    [
      { uplink: "sl1", mac: "02:00:00:00:51:00" },
      'stack.uplink: the node has no other interface "sl1"; it has net0, sl1',
    ],
    [{ uplink: "net0", mac: "51:00" }, 'stack.mac: not a MAC address: "51:00"'],
    ["net0", "stack: must be an object"],
  ])("is refused as %j", (stack, message) => {
    expect(() => parseScenario(scenario({ stack }))).toThrow(`node.ifaces.sl1.${message}`);
  });
});
