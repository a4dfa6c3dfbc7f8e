import { expect, test } from "vitest";
import type { L2Status } from "../announcer/announcer-message.ts";
import { ownersTable, whoTable } from "./l2-commands.ts";

const STATUS: L2Status = {
  owners: [
    {
      ...{ address: "10.0.5.100", services: ["default/web"], owner: "n1", state: "owned", term: 3 },
      ...{ answersHere: ["net0"], notHere: null, unseenBy: "n2", candidates: ["n1", "n2"] },
    },
    {
      ...{ address: "10.0.5.101", services: ["default/api"], owner: null, state: "nobody", term: 0 },
      ...{ answersHere: [], notHere: "nobody owns it yet", unseenBy: null, candidates: ["n1", "n2"] },
    },
  ],
  members: [{ node: "n2", alive: false, addresses: 0, silentMilliseconds: 1234, held: true }],
  links: [{ interface: "net0", carrier: true, gateway: "not missed" }],
  ...{ announcementsSent: 0, heartbeatsSent: 0, heartbeatsReceived: 0, heartbeatsRefused: 0, heartbeatsUnsent: 0 },
};

test("owners are shown with who misses them, members with their last sign of life", () => {
  expect(ownersTable(STATUS).split("\n")).toEqual([
    "ADDRESS     OWNER  STATE   HERE  SEEN       SERVICES     WHY NOT HERE",
    "10.0.5.100  n1     owned   net0  not by n2  default/web",
    "10.0.5.101  -      nobody  -     -          default/api  nobody owns it yet",
    "",
    "NODE  ALIVE  ADDRESSES  LAST HEARD  HELD DOWN",
    "n2    NO     0          1.2 s ago   yes",
    "",
    "INTERFACE  CARRIER  GATEWAY",
    "net0       yes      not missed",
    "",
  ]);
});

test("who answers is told by MAC and node, or that nobody does", () => {
  expect(whoTable([{ interface: "net0", mac: "02:00:00:00:00:01", node: null }])).toBe(
    "INTERFACE  MAC                NODE\nnet0       02:00:00:00:00:01  a stranger\n",
  );
  expect(whoTable([])).toContain("nobody else answers");
});
