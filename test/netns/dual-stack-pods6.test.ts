/** IPv4 and IPv6 to pods in the node's own stack. */
import { expect, test } from "vitest";
import { PLACES, podsInStack } from "../lab/dual-stack.ts";
import { behavesOnRealNetworks } from "./dual-stack-behavior.ts";

const network = behavesOnRealNetworks(podsInStack);

test("the stack's end of the pair has a link-local address of IPv6, and the workers' end is mute", () => {
  const addresses = (device: string) => network().node.run(["ip", "-6", "addr", "show", "dev", device]).trim();
  expect(addresses("sl0")).toMatch(/inet6 fe80::\S+ scope link/);
  expect(addresses("sl1")).toBe("");
});

test("pods reach the outside by themselves, past the gateway", () => {
  for (const { client } of PLACES) {
    const ping = ["ping", "-n", "-q", "-c", "2", "-i", "0.1", client];
    expect(network().web[0]!.namespace.try(ping).stdout).toContain("2 received");
  }
});
