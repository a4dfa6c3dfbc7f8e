/** IPv4 and IPv6 to hosts on a second NIC, without the node's stack. */
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { FlowStatus } from "../../src/agent/flow-list.ts";
import { curl, type TransferOptions, uploadSha256 } from "../lab/curl.ts";
import { deterministicBody, sha256, TWENTY_MEGABYTES } from "../lab/deterministic-body.ts";
import { hostsOnLan, NARROW_MTU, PLACES, type Places } from "../lab/dual-stack.ts";
import type { Namespace } from "../lab/namespace.ts";
import { pathMtu } from "../lab/path-mtu.ts";
import { waitFor } from "../lab/wait-for.ts";
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

test.each(PLACES)("IPv$family connections begun over a narrow link need not be told its MTU", async (places) => {
  await withNarrowLan(async () => {
    expect(await upload(places, network().client)).toBe(true);
    expect(pathMtu(network().client, places.web)).toBe(0);
  });
});

test.each(PLACES)(
  "IPv$family packets that have become too long for the way on are told the MTU by the gateway",
  async (places) => {
    const { client, gateway } = network();
    const tooLong = () => gateway.status().datapath.reasons["MtuExceeded"] ?? 0;
    const before = tooLong();
    // Slow enough to go on for two seconds: the segments' size was agreed on while there was room.
    const uploaded = upload(places, client, { megabytesPerSecond: 10 });
    const uploading = ({ state, requestBytes }: FlowStatus) => state === "established" && requestBytes > 100_000;
    await waitFor("the upload to begin", async () => (await gateway.read<FlowStatus[]>("/v1/flows")).some(uploading));
    await withNarrowLan(async () => {
      expect(await uploaded).toBe(true);
      expect(pathMtu(client, places.web)).toBe(NARROW_MTU);
    });
    expect(tooLong()).toBeGreaterThan(before);
  },
);

async function upload({ family, web }: Places, client: Namespace, options: TransferOptions = {}): Promise<boolean> {
  const { gateway, web: backends } = network();
  // A host that has learned of a narrow way to the client tells it in its SYN, and then nothing is too long.
  for (const { namespace } of backends) namespace.run(["ip", `-${family}`, "route", "flush", "cache"]);
  const body = deterministicBody(TWENTY_MEGABYTES);
  const file = `${gateway.socket}.upload`;
  writeFileSync(file, body);
  const url = `http://${family === 4 ? web : `[${web}]`}/upload`;
  return (await uploadSha256(client, url, file, options)) === sha256(body);
}

async function withNarrowLan(act: () => Promise<void>): Promise<void> {
  const { node } = network();
  node.ip(`link set lan0 mtu ${NARROW_MTU}`);
  try {
    await act();
  } finally {
    node.ip("link set lan0 mtu 1500");
  }
}
