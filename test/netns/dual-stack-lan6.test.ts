/** IPv4 and IPv6 to hosts on a second NIC, without the node's stack. */
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { curl, uploadSha256 } from "../lab/curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "../lab/deterministic-body.ts";
import { hostsOnLan, NARROW_MTU, PLACES } from "../lab/dual-stack.ts";
import { pathMtu } from "../lab/path-mtu.ts";
import { behavesOnRealNetworks } from "./dual-stack-behavior.ts";

const network = behavesOnRealNetworks(hostsOnLan);

test("neighbours that the kernel has forgotten, backends and routers, are asked for again", () => {
  const { node, client } = network();
  for (const device of ["net0", "lan0"]) {
    for (const family of ["-4", "-6"]) node.run(["ip", family, "neigh", "flush", "dev", device]);
  }
  for (const { family, web, narrow } of PLACES) {
    for (const address of [web, web, narrow]) {
      const host = family === 4 ? address : `[${address}]`;
      expect(curl(client, `http://${host}/`, { timeoutSeconds: 5 }).error).toBe("");
    }
  }
});

test.each(PLACES)("IPv$family packets too long for the gateway's own way on are told the MTU by it", async (places) => {
  const { node, client, gateway, web: backends } = network();
  const { family, web } = places;
  // A host that has learned of a narrow way to the client tells it in its SYN, and then nothing is too long.
  for (const { namespace } of backends) namespace.run(["ip", `-${family}`, "route", "flush", "cache"]);
  node.ip(`link set lan0 mtu ${NARROW_MTU}`);
  const tooLong = () => gateway.status().datapath.reasons["MtuExceeded"] ?? 0;
  const before = tooLong();
  const body = deterministicBody(TWENTY_MEGABYTES);
  const file = `${gateway.socket}.upload`;
  writeFileSync(file, body);
  const url = `http://${family === 4 ? web : `[${web}]`}/upload`;
  expect(await uploadSha256(client, url, file)).toBe(sha256(body));
  expect(pathMtu(client, web)).toBe(NARROW_MTU);
  expect(tooLong()).toBeGreaterThan(before);
});
