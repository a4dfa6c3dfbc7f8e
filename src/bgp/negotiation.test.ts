import { describe, expect, test } from "vitest";
import { CONFIG } from "../../test/fixtures/bgp-peers.ts";
import { type Ipv4, ipv4FromNumber } from "../net/ipv4.ts";
import { Fault } from "./fault.ts";
import type { Open } from "./message.ts";
import { collisionLoser, type Negotiated, negotiate, openFor, type SessionConfig } from "./negotiation.ts";

const ROUTER: SessionConfig = { ...CONFIG, localAsn: 65001, peerAsn: 65000, routerId: 0xc0a80101 as Ipv4 };
const open: Open = openFor(ROUTER);

const refusal = (config: SessionConfig, theirs: Open) => {
  const outcome = negotiate(config, theirs);
  return outcome instanceof Fault ? `${outcome.code}/${outcome.subcode}` : "accepted";
};

describe("the OPEN that we propose", () => {
  test("has AS_TRANS in the short field when our AS number needs four octets", () => {
    const { asn, capabilities } = openFor({ ...CONFIG, localAsn: 4200000000 });
    expect(asn).toBe(23456);
    expect(capabilities).toContainEqual({ name: "four-octet-as", asn: 4200000000 });
  });

  test("has graceful restart only when it is configured, and the R bit only after a restart", () => {
    const restart = (more: Partial<SessionConfig>) =>
      openFor({ ...CONFIG, ...more }).capabilities.find((one) => one.name === "graceful-restart");
    expect(restart({})).toBeUndefined();
    expect(restart({ gracefulRestartSeconds: 120 })).toMatchObject({ timeSeconds: 120, restarting: false });
    expect(restart({ gracefulRestartSeconds: 120, restarting: true })).toMatchObject({ restarting: true });
  });
});

describe("the peer's OPEN", () => {
  test("is refused when it is of another AS, unless any is accepted", () => {
    expect(refusal({ ...CONFIG, peerAsn: 65002 }, open)).toBe("2/2");
    expect(refusal({ ...CONFIG, peerAsn: 0 }, open)).toBe("accepted");
  });

  test("is refused when it has our own identifier inside our AS; outside it may", () => {
    const twin = openFor({ ...CONFIG });
    expect(refusal({ ...CONFIG, peerAsn: 65000 }, twin)).toBe("2/3");
    expect(refusal(CONFIG, openFor({ ...ROUTER, routerId: CONFIG.routerId }))).toBe("accepted");
  });

  test("is refused when no family is common", () => {
    const ipv6 = openFor({ ...ROUTER, families: [{ afi: "ipv6", safi: "unicast" }] });
    expect(refusal(CONFIG, ipv6)).toBe("2/7");
  });

  test("without any capability is of an old speaker: IPv4, two-octet AS numbers", () => {
    const { families, wire } = negotiate(CONFIG, { ...open, capabilities: [] }) as Negotiated;
    expect(families).toEqual([{ afi: "ipv4", safi: "unicast" }]);
    expect(wire).toMatchObject({ fourOctetAs: false, extendedMessages: false, external: true });
  });
});

test("of two connections the one made by the higher identifier survives, and both sides agree on it", () => {
  const ours = collisionLoser(CONFIG, ROUTER.routerId, ROUTER.localAsn);
  const theirs = collisionLoser(ROUTER, CONFIG.routerId, CONFIG.localAsn);
  expect([ours, theirs]).toEqual(["outgoing", "incoming"]);
  expect(collisionLoser(CONFIG, CONFIG.routerId, 65001)).toBe("outgoing");
  expect(collisionLoser(CONFIG, ipv4FromNumber(1), 65001)).toBe("incoming");
});
