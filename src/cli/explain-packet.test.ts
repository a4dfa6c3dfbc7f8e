import { expect, test } from "vitest";
import { packetOf } from "../agent/packet-fate.ts";
import { packetText } from "./explain-packet.ts";

const QUESTION = {
  ...{ source: "203.0.113.10", sourcePort: "40000", destination: "192.168.10.100", destinationPort: "80" },
  protocol: "tcp",
};
const PORTS = [
  { id: 0, name: "net0" },
  { id: 1, name: "sl1" },
];

test("a packet that goes on is told to where; nothing that does not apply is said", () => {
  const text = packetText(QUESTION, {
    ...{ verdict: "forwarded", reason: null, meaning: null, flow: null, asksPolicies: true, from: "net0" },
    ...{ service: "default/web", becomes: { source: "203.0.113.10:40000", destination: "10.2.3.5:80" } },
    leavesBy: { interface: "sl1", mac: "02:00:00:00:00:01" },
  });
  expect(text.split("\n")).toEqual([
    "TCP from 203.0.113.10 port 40000 to 192.168.10.100 port 80, in by net0: forwarded.",
    "It is for the Service default/web.",
    "No live flow has it, so it is looked at as the first packet of a new one.",
    "It becomes 203.0.113.10:40000 > 10.2.3.5:80.",
    "It leaves by sl1 to 02:00:00:00:00:01.",
    "Policies are asked about each new flow of this Service, and may decide otherwise.",
    "",
  ]);
});

test("a packet that does not is told why, and what to do, in lines of at most 100 columns", () => {
  const text = packetText(QUESTION, {
    ...{ verdict: "answered by the gateway", reason: "NoBackend", flow: null, asksPolicies: false, from: "net0" },
    ...{ service: "default/web", becomes: null, leavesBy: null },
    meaning: "the Service has no endpoint that takes new connections: `sluice explain service NAMESPACE/NAME`",
  });
  expect(text).toContain("Reason: NoBackend: the Service has no endpoint");
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
});

test.each([
  [{ source: "203.0.113" }, "source 203.0.113: an IP address expected"],
  [{ destination: "2001:db8::1" }, "not of one family"],
  [{ destinationPort: "70000" }, "destinationPort 70000: a number from 0 to 65535"],
  [{ sourcePort: "" }, "sourcePort : a number"],
  [{ protocol: "sctp" }, "protocol sctp: tcp or udp expected"],
  [{ from: "eth9" }, "from eth9: not one of the ports net0, sl1"],
])("a question with %j says which word is wrong", (words, complaint) => {
  expect(() => packetOf(new URLSearchParams({ ...QUESTION, ...words }), PORTS)).toThrow(complaint);
});
