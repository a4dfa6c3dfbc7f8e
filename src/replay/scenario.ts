/**
 * A replay scenario: the node, its services and the frames to feed, as JSON (one object per line). Field names are those
 * of the scenario files that people exchange; this file is their only reader. What this build can't do is refused with a
 * sentence, so that nobody takes a silent "pass" for an answer.
 */

import type { Route } from "../dataplane/fib.ts";
import type { BackendSpec, ForwardingSpec, TransportProtocol, VipSpec } from "../dataplane/forwarding-spec.ts";
import { type Ipv4, parseIpv4, parseIpv4Prefix } from "../net/ipv4.ts";
import { type Mac, parseMac } from "../net/mac.ts";

/** Says which field of which scenario can't be read, and why. */
export class ScenarioError extends Error {
  override name = "ScenarioError";
}

export interface ScenarioInterface {
  readonly name: string;
  readonly mac: Mac;
  readonly address: Ipv4 | null;
  readonly mtu: number;
}

export interface ScenarioNode {
  readonly interfaces: readonly ScenarioInterface[];
  readonly routes: readonly Route[];
  readonly neighbors: readonly { address: Ipv4; mac: Mac }[];
}

export type Step =
  | { readonly kind: "frame"; readonly port: number; readonly bytes: Uint8Array }
  | { readonly kind: "services"; readonly spec: ForwardingSpec }
  | { readonly kind: "advance"; readonly seconds: number };

export interface Scenario {
  readonly id: string;
  readonly node: ScenarioNode;
  readonly spec: ForwardingSpec;
  readonly steps: readonly Step[];
}

type Json = Record<string, unknown>;

export function parseScenario(value: unknown): Scenario {
  const scenario = object(value, "scenario");
  const id = String(scenario["id"] ?? "");
  const rawNode = object(scenario["node"], "node");
  const node = parseNode(rawNode);
  const specOf = (vips: unknown) => parseSpec(vips, rawNode, scenario);
  return {
    id,
    node,
    spec: specOf(scenario["vips"]),
    steps: list(scenario["frames"], "frames").map((step, index) =>
      parseStep(object(step, `frames[${index}]`), index, node, specOf),
    ),
  };
}

function parseStep(step: Json, index: number, node: ScenarioNode, specOf: (vips: unknown) => ForwardingSpec): Step {
  const where = `frames[${index}]`;
  if ("vips" in step) return { kind: "services", spec: specOf(step["vips"]) };
  if ("advanceSeconds" in step)
    return { kind: "advance", seconds: number(step["advanceSeconds"], `${where}.advanceSeconds`) };
  const port = node.interfaces.findIndex(({ name }) => name === step["iface"]);
  if (port < 0) throw new ScenarioError(`${where}.iface: the node has no interface ${JSON.stringify(step["iface"])}`);
  const hex = step["frame"];
  if (typeof hex !== "string" || hex.length % 2 !== 0 || /[^0-9a-fA-F]/.test(hex)) {
    throw new ScenarioError(`${where}.frame: must be an even number of hex digits`);
  }
  return { kind: "frame", port, bytes: Uint8Array.from(hex.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16)) };
}

function parseNode(node: Json): ScenarioNode {
  const interfaces = Object.entries(object(node["ifaces"], "node.ifaces")).map(([name, value]): ScenarioInterface => {
    const where = `node.ifaces.${name}`;
    const iface = object(value, where);
    if ("vlan" in iface) throw new ScenarioError(`${where}.vlan: VLAN ports are not supported`);
    const address = iface["ipv4"];
    return {
      name,
      mac: mac(iface["mac"], `${where}.mac`),
      address: address === undefined ? null : ipv4(String(address).split("/")[0], `${where}.ipv4`),
      mtu: number(iface["mtu"] ?? 1500, `${where}.mtu`),
    };
  });
  const routes = list(node["routes"] ?? [], "node.routes")
    .map((route, index) => ({ route: object(route, `node.routes[${index}]`), where: `node.routes[${index}]` }))
    .filter(({ route }) => !String(route["dst"]).includes(":"))
    .map(({ route, where }): Route => {
      const prefix = parseIpv4Prefix(String(route["dst"]));
      if (prefix === null) throw new ScenarioError(`${where}.dst: not an IPv4 prefix: ${JSON.stringify(route["dst"])}`);
      const port = interfaces.findIndex(({ name }) => name === route["iface"]);
      if (port < 0)
        throw new ScenarioError(`${where}.iface: the node has no interface ${JSON.stringify(route["iface"])}`);
      return { prefix, gateway: route["via"] === undefined ? null : ipv4(route["via"], `${where}.via`), port };
    });
  const neighbors = Object.entries(object(node["neighbors"] ?? {}, "node.neighbors"))
    .filter(([address]) => !address.includes(":"))
    .map(([address, value]) => ({
      address: ipv4(address, "node.neighbors"),
      mac: mac(value, `node.neighbors.${address}`),
    }));
  return { interfaces, routes, neighbors };
}

function parseSpec(vips: unknown, node: Json, scenario: Json): ForwardingSpec {
  const policy = object(scenario["policy"] ?? {}, "policy");
  const announce = scenario["announce"] === undefined ? null : object(scenario["announce"], "announce");
  const arpInterfaces = announce === null ? "all" : list(announce["interfaces"], "announce.interfaces").map(String);
  return {
    // IPv6 services of a dual-stack scenario are somebody else's: their frames pass.
    vips: list(vips ?? [], "vips")
      .map((vip, index) => ({ vip: object(vip, `vips[${index}]`), where: `vips[${index}]` }))
      .filter(({ vip }) => !String(vip["addr"]).includes(":"))
      .map(({ vip, where }) => parseVip(vip, where)),
    owned: list(node["owned_addrs"] ?? [], "node.owned_addrs")
      .filter((address) => !String(address).includes(":"))
      .map((address) => ({ address: ipv4(address, "node.owned_addrs"), arpInterfaces })),
    maglevTableSize: 16381,
    strictSyn: policy["conntrack"] === "strict-syn",
  };
}

function parseVip(vip: Json, where: string): VipSpec {
  const mode = vip["mode"] ?? "nat";
  if (mode !== "nat") throw new ScenarioError(`${where}.mode: ${JSON.stringify(mode)} is not supported; only "nat" is`);
  const snat = vip["snat"] ?? "none";
  if (snat !== "none")
    throw new ScenarioError(`${where}.snat: ${JSON.stringify(snat)} is not supported; only "none" is`);
  for (const field of ["affinity", "source_ranges"]) {
    if (field in vip) throw new ScenarioError(`${where}.${field} is not supported`);
  }
  const protocol = String(vip["proto"]).toUpperCase();
  if (protocol !== "TCP" && protocol !== "UDP" && protocol !== "SCTP") {
    throw new ScenarioError(`${where}.proto: must be tcp, udp or sctp, not ${JSON.stringify(vip["proto"])}`);
  }
  const port = number(vip["port"], `${where}.port`);
  return {
    service: String(vip["service"] ?? `replay/${vip["addr"]}-${port}`),
    address: ipv4(vip["addr"], `${where}.addr`),
    port,
    protocol: protocol satisfies TransportProtocol,
    backends: list(vip["backends"] ?? [], `${where}.backends`).map((backend, index) =>
      parseBackend(object(backend, `${where}.backends[${index}]`), `${where}.backends[${index}]`),
    ),
  };
}

function parseBackend(backend: Json, where: string): BackendSpec {
  return {
    address: ipv4(backend["addr"], `${where}.addr`),
    port: number(backend["port"], `${where}.port`),
    weight: number(backend["weight"] ?? 1, `${where}.weight`),
    draining: backend["state"] === "draining",
  };
}

function object(value: unknown, where: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ScenarioError(`${where}: must be an object`);
  return value as Json;
}

function list(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new ScenarioError(`${where}: must be a list`);
  return value;
}

function number(value: unknown, where: string): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0)
    throw new ScenarioError(`${where}: must be a number, 0 or more`);
  return value;
}

function ipv4(value: unknown, where: string): Ipv4 {
  const address = parseIpv4(String(value));
  if (address === null) throw new ScenarioError(`${where}: not an IPv4 address: ${JSON.stringify(value)}`);
  return address;
}

function mac(value: unknown, where: string): Mac {
  const address = parseMac(String(value));
  if (address === null) throw new ScenarioError(`${where}: not a MAC address: ${JSON.stringify(value)}`);
  return address;
}
