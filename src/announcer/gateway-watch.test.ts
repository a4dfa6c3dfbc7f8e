import { expect, test } from "vitest";
import { parseIpAddress } from "../net/ip-address.ts";
import { GatewayWatch } from "./gateway-watch.ts";

const router = { interfaceIndex: 2, address: parseIpAddress("10.0.5.1")! };

test("a gateway that has answered and then does not is silent after three questions, until it answers again", () => {
  const watch = new GatewayWatch();
  watch.set([router]);
  let asked = 0;
  for (let now = 0; now <= 10_000; now += 50) {
    asked += watch.due(now).length;
    if (now <= 5000) watch.heard(2, router.address, now);
    if (now === 8000) expect(watch.isSilent(2, 4, now)).toBe(false);
  }
  expect(asked).toBe(11);
  expect(watch.isSilent(2, 4, 10_000)).toBe(true);
  expect(watch.isSilent(2, 6, 10_000)).toBe(false);
  watch.heard(2, router.address, 10_100);
  expect(watch.isSilent(2, 4, 10_200)).toBe(false);
});

test("a gateway that never answered, and the time that this node was stopped, say nothing", () => {
  const watch = new GatewayWatch();
  watch.set([router]);
  expect(watch.isSilent(2, 4, 60_000)).toBe(false);
  watch.heard(2, router.address, 60_000);
  watch.forgive(90_000);
  expect(watch.isSilent(2, 4, 91_000)).toBe(false);
});
