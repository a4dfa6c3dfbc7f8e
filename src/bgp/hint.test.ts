import { expect, test } from "vitest";
import { peer } from "../../test/fixtures/bgp-peers.ts";
import { hintFor } from "./hint.ts";

test.each([
  ["the peer closed the session: OPEN Message Error/Bad Peer AS", "expects another AS than 65000"],
  ["the peer says it is AS 65009, AS 65001 is configured (sent OPEN Message Error/Bad Peer AS)", "not in AS 65001"],
  ["the peer closed the session: Cease/Connection Rejected", "another BGP speaker of this node"],
  ["the peer closed the session: Cease/Maximum Number of Prefixes Reached", "maximum-prefix"],
  ["connection to 10.1.1.1:179 timed out (a router with another TCP MD5 password looks the same)", "TCP MD5"],
  ["connection to 10.1.1.1:179 refused: no BGP speaker listens there", "does not listen"],
  ["TCP port 179 is taken: another BGP speaker runs on this node", "connect only"],
  ["the peer closed the connection", "no neighbor with this node's source address"],
  ["nothing was heard from the peer for 9 seconds (hold timer expired)", "packets are lost"],
])("%s: the hint says something like %s", (error, words) => {
  expect(hintFor(error, peer(), 65000)).toContain(words);
});

test("an unknown error has no hint, and neither has none", () => {
  expect(hintFor("something else", peer(), 65000)).toBeNull();
  expect(hintFor(null, peer(), 65000)).toBeNull();
});
