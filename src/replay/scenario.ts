/**
 * A replay scenario: the node, its services and the frames to feed, as JSON (one object per line). Field names are those
 * of the scenario files that people exchange; this file is their only reader. What this build can't do is refused with a
 * sentence, so that nobody takes a silent "pass" for an answer.
 */

import type { Route } from "../dataplane/fib.ts";
import {
  type BackendSpec,
  DEFAULT_AFFINITY_SECONDS,
  DEFAULT_SOURCE_PORTS,
  type DsrSpec,
  type ForwardingMode,
  type ForwardingSpec,
  NO_DSR,
  type PortRange,
  type SourceRanges,
  type TransportProtocol,
  type VipSpec,
} from "../dataplane/forwarding-spec.ts";
import { addressBits, type IpAddress, type IpPrefix, parseIpAddress, parseIpPrefix } from "../net/ip-address.ts";
import { type Mac, parseMac } from "../net/mac.ts";
import { CUSTOMER_TAG, SERVICE_TAG, vlanTag } from "../wire/vlan.ts";
import { packetStep } from "./packet-step.ts";

/** Says which field of which scenario can't be read, and why. */
export class ScenarioError extends Error {
  override name = "ScenarioError";
}

export interface ScenarioInterface {
  readonly name: string;
  readonly mac: Mac;
  readonly ipv4: IpAddress | null;
  readonly ipv6: IpAddress | null;
  readonly mtu: number;
  /** VLAN tags of its frames, raw (wire/vlan.ts), the outer one first. */
  readonly tags: readonly number[];
}

export interface ScenarioNode {
  readonly interfaces: readonly ScenarioInterface[];
  readonly routes: readonly Route[];
  readonly neighbors: readonly { address: IpAddress; mac: Mac }[];
}

export type Step =
  | {
      readonly kind: "frame";
      readonly port: number;
      readonly bytes: Uint8Array;
      /** It was given in words, so its result is said in words too. */
      readonly inWords?: true;
    }
  | { readonly kind: "services"; readonly spec: ForwardingSpec }
  | { readonly kind: "neighbors"; readonly neighbors: ScenarioNode["neighbors"] }
  | { readonly kind: "advance"; readonly seconds: number };

/** A policy module that is asked about new flows. */
export interface ScenarioPolicy {
  readonly name: string;
  /** As in a SluicePolicy: `builtin:NAME`, or a path. */
  readonly module: string;
  readonly onError: "allow" | "deny";
  readonly options: Readonly<Record<string, unknown>>;
}

export interface Scenario {
  readonly id: string;
  readonly node: ScenarioNode;
  readonly spec: ForwardingSpec;
  readonly steps: readonly Step[];
  /** In the order in which they are asked, about the flows of every VIP that doesn't name its own. */
  readonly policies: readonly ScenarioPolicy[];
}

type Json = Record<string, unknown>;

export function parseScenario(value: unknown): Scenario {
  const scenario = object(value, "scenario");
  const id = String(scenario["id"] ?? "");
  const rawNode = object(scenario["node"], "node");
  const node = parseNode(rawNode);
  const policies = list(scenario["policies"] ?? [], "policies").map((policy, index) =>
    parsePolicy(object(policy, `policies[${index}]`), `policies[${index}]`),
  );
  const names = policies.map(({ name }) => name);
  const specOf = (vips: unknown) => parseSpec(vips, rawNode, scenario, names);
  return {
    id,
    node,
    spec: specOf(scenario["vips"]),
    steps: list(scenario["frames"], "frames").map((step, index) =>
      parseStep(object(step, `frames[${index}]`), index, node, specOf),
    ),
    policies,
  };
}

function parsePolicy(policy: Json, where: string): ScenarioPolicy {
  const module = policy["module"];
  if (typeof module !== "string") throw new ScenarioError(`${where}.module: must be builtin:NAME or a path`);
  const onError = policy["onError"] ?? "allow";
  if (onError !== "allow" && onError !== "deny") throw new ScenarioError(`${where}.onError: must be allow or deny`);
  return {
    name: String(policy["name"] ?? module),
    module,
    onError,
    options: object(policy["options"] ?? {}, `${where}.options`),
  };
}

function parseStep(step: Json, index: number, node: ScenarioNode, specOf: (vips: unknown) => ForwardingSpec): Step {
  const where = `frames[${index}]`;
  if ("vips" in step) return { kind: "services", spec: specOf(step["vips"]) };
  if ("neighbors" in step) {
    return { kind: "neighbors", neighbors: parseNeighbors(step["neighbors"], `${where}.neighbors`) };
  }
  if ("advanceSeconds" in step)
    return { kind: "advance", seconds: number(step["advanceSeconds"], `${where}.advanceSeconds`) };
  const port = node.interfaces.findIndex(({ name }) => name === step["iface"]);
  if (port < 0) throw new ScenarioError(`${where}.iface: the node has no interface ${JSON.stringify(step["iface"])}`);
  if ("packet" in step) {
    const bytes = packetStep(object(step["packet"], `${where}.packet`), node.interfaces[port]!.mac);
    if (typeof bytes === "string") throw new ScenarioError(`${where}.packet.${bytes}`);
    return { kind: "frame", port, bytes, inWords: true };
  }
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
    const own = (field: string) =>
      iface[field] === undefined ? null : ip(String(iface[field]).split("/")[0], `${where}.${field}`);
    return {
      name,
      mac: mac(iface["mac"], `${where}.mac`),
      ipv4: own("ipv4"),
      ipv6: own("ipv6"),
      mtu: number(iface["mtu"] ?? 1500, `${where}.mtu`),
      tags: parseTags(iface["vlan"], `${where}.vlan`),
    };
  });
  const nextHops: { address: IpAddress; mac: Mac }[] = [];
  const routes = list(node["routes"] ?? [], "node.routes").flatMap((value, index): Route[] => {
    const where = `node.routes[${index}]`;
    const route = object(value, where);
    const port = interfaces.findIndex(({ name }) => name === route["iface"]);
    if (port < 0)
      throw new ScenarioError(`${where}.iface: the node has no interface ${JSON.stringify(route["iface"])}`);
    const { address: destination, prefixLength } = prefix(route["dst"], `${where}.dst`);
    const via = route["via"] === undefined ? null : ip(route["via"], `${where}.via`);
    if (route["mac"] === undefined) return [{ destination, prefixLength, gateway: via, port }];
    const gateway = via ?? namelessHop(destination, index);
    nextHops.push({ address: gateway, mac: mac(route["mac"], `${where}.mac`) });
    return [
      { destination, prefixLength, gateway, port },
      { destination: gateway, prefixLength: addressBits(gateway.family), gateway: null, port },
    ];
  });
  const neighbors = parseNeighbors(node["neighbors"] ?? {}, "node.neighbors");
  return { interfaces, routes, neighbors: [...neighbors, ...nextHops] };
}

/** A next hop of which only the MAC is given has to have some address: one of its link, by the number of its route. */
function namelessHop({ family }: IpAddress, route: number): IpAddress {
  const [link, hosts] = family === 4 ? [0xa9fe_0100n, 254] : [0xfe80n << 112n, 65_535];
  return { family, value: link + BigInt(1 + (route % hosts)) };
}

/** MACs by address: `{"10.2.0.2": "02:00:00:00:0b:01"}`. */
function parseNeighbors(value: unknown, where: string): ScenarioNode["neighbors"] {
  return Object.entries(object(value, where)).map(([address, of]) => ({
    address: ip(address, where),
    mac: mac(of, `${where}.${address}`),
  }));
}

/** One VLAN by its number, or one or two tags as `[EtherType, number]`, the outer one first. */
function parseTags(value: unknown, where: string): readonly number[] {
  if (value === undefined) return [];
  const tags = typeof value === "number" ? [[CUSTOMER_TAG, value]] : list(value, where);
  if (tags.length < 1 || tags.length > 2) throw new ScenarioError(`${where}: must be one or two tags`);
  return tags.map((tag, index) => {
    const [type, vid] = list(tag, `${where}[${index}]`);
    if (type !== CUSTOMER_TAG && type !== SERVICE_TAG) {
      throw new ScenarioError(
        `${where}[${index}]: the type must be ${CUSTOMER_TAG} (802.1Q) or ${SERVICE_TAG} (802.1ad)`,
      );
    }
    if (typeof vid !== "number" || !Number.isInteger(vid) || vid < 1 || vid > 4094) {
      throw new ScenarioError(`${where}[${index}]: the VLAN must be 1..4094, not ${JSON.stringify(vid)}`);
    }
    return vlanTag(type, vid);
  });
}

function parseSpec(vips: unknown, node: Json, scenario: Json, policies: readonly string[]): ForwardingSpec {
  const policy = object(scenario["policy"] ?? {}, "policy");
  const announce = scenario["announce"] === undefined ? null : object(scenario["announce"], "announce");
  const answerOn = announce === null ? "all" : list(announce["interfaces"], "announce.interfaces").map(String);
  return {
    vips: list(vips ?? [], "vips").map((vip, index) =>
      parseVip(object(vip, `vips[${index}]`), `vips[${index}]`, policies),
    ),
    owned: list(node["owned_addrs"] ?? [], "node.owned_addrs").map((address) => ({
      address: ip(address, "node.owned_addrs"),
      answerOn,
    })),
    maglevTableSize: 16381,
    strictSyn: policy["conntrack"] === "strict-syn",
    rejectWithoutBackend: policy["no_backend"] !== "drop",
    trackFragments: policy["fragments"] !== "drop",
    sourcePorts: parseSourcePorts(scenario["snat"]),
    dsr: parseDsr(scenario, policy),
  };
}

/** What each mode does with the TTL of the client's packet. */
const TTL_BY_MODE: Readonly<Record<ForwardingMode, string>> = {
  nat: "decrement",
  "dsr-opt": "decrement",
  "dsr-geneve": "decrement-inner",
  "dsr-ipip": "keep-inner",
  "dsr-gue": "keep-inner",
  "dsr-l2": "keep",
};

function parseDsr(scenario: Json, policy: Json): DsrSpec {
  const only = (json: Json, field: string, where: string, supported: unknown) => {
    if (json[field] === undefined || json[field] === supported) return;
    throw new ScenarioError(
      `${where}.${field}: ${JSON.stringify(json[field])} is not supported; only ${JSON.stringify(supported)} is`,
    );
  };
  const ttl = object(policy["ttl"] ?? {}, "policy.ttl");
  for (const [mode, supported] of Object.entries(TTL_BY_MODE)) only(ttl, mode, "policy.ttl", supported);
  only(policy, "outer_ttl", "policy", 64);
  only(policy, "outer_tos", "policy", "copy-inner");
  const tunnel = object(scenario["tunnel"] ?? {}, "tunnel");
  if (tunnel["ipip_src"] !== "any") only(tunnel, "ipip_src", "tunnel", "tunnel.src");
  only(tunnel, "inner_dmac", "tunnel", "00:00:00:00:00:00");
  const option = object(scenario["dsr_opt"] ?? {}, "dsr_opt");
  const order = option["v4_byte_order"] ?? "little";
  if (order !== "little" && order !== "network") {
    throw new ScenarioError(`dsr_opt.v4_byte_order: must be little or network, not ${JSON.stringify(order)}`);
  }
  only(option, "icmp_errors", "dsr_opt", true);
  const end = (field: string) => (tunnel[field] === undefined ? null : ip(tunnel[field], `tunnel.${field}`));
  return {
    tunnel4: end("src4"),
    tunnel6: end("src6"),
    peers: list(tunnel["peers"] ?? [], "tunnel.peers").map((peer, index) => prefix(peer, `tunnel.peers[${index}]`)),
    guePort: number(tunnel["gue_port"] ?? NO_DSR.guePort, "tunnel.gue_port"),
    genevePort: number(tunnel["geneve_port"] ?? NO_DSR.genevePort, "tunnel.geneve_port"),
    vni: number(tunnel["vni"] ?? NO_DSR.vni, "tunnel.vni"),
    optionByteOrder: order,
  };
}

function parseVip(vip: Json, where: string, policies: readonly string[]): VipSpec {
  const mode = String(vip["mode"] ?? "nat");
  if (!isMode(mode)) {
    throw new ScenarioError(`${where}.mode: must be one of ${Object.keys(TTL_BY_MODE).join(", ")}, not ${mode}`);
  }
  const sourceNat = vip["snat"] ?? "none";
  if (sourceNat !== "none" && sourceNat !== "node" && sourceNat !== "hairpin") {
    throw new ScenarioError(`${where}.snat: must be none, node or hairpin, not ${JSON.stringify(sourceNat)}`);
  }
  const protocol = String(vip["proto"]).toUpperCase();
  if (protocol !== "TCP" && protocol !== "UDP" && protocol !== "SCTP") {
    throw new ScenarioError(`${where}.proto: must be tcp, udp or sctp, not ${JSON.stringify(vip["proto"])}`);
  }
  const port = number(vip["port"], `${where}.port`);
  return {
    service: String(vip["service"] ?? `replay/${vip["addr"]}-${port}`),
    address: ip(vip["addr"], `${where}.addr`),
    port,
    protocol: protocol satisfies TransportProtocol,
    mode,
    backends: list(vip["backends"] ?? [], `${where}.backends`).map((backend, index) =>
      parseBackend(object(backend, `${where}.backends[${index}]`), `${where}.backends[${index}]`),
    ),
    ...parseBalancing(vip, where),
    sourceNat,
    policies: vip["policies"] === undefined ? policies : list(vip["policies"], `${where}.policies`).map(String),
    sources: parseSources(vip, where),
  };
}

/** `affinity` is `{"type": "ClientIP", "timeout_s": N}`. */
function parseBalancing(vip: Json, where: string): Pick<VipSpec, "balancing" | "affinity" | "affinitySeconds"> {
  const balancing = vip["balancing"] ?? "maglev";
  if (balancing !== "maglev" && balancing !== "random" && balancing !== "least-connections") {
    throw new ScenarioError(
      `${where}.balancing: must be maglev, random or least-connections, not ${JSON.stringify(balancing)}`,
    );
  }
  if (vip["affinity"] === undefined) return { balancing, affinity: false };
  const { timeout_s: seconds = DEFAULT_AFFINITY_SECONDS } = object(vip["affinity"], `${where}.affinity`);
  return { balancing, affinity: true, affinitySeconds: number(seconds, `${where}.affinity.timeout_s`) };
}

/** The address of a scenario's source NAT is that of the interface that the frame leaves by; the ports are given. */
function parseSourcePorts(value: unknown): readonly PortRange[] {
  const ports = value === undefined ? undefined : object(value, "snat")["ports"];
  if (ports === undefined) return DEFAULT_SOURCE_PORTS;
  const [first, last] = list(ports, "snat.ports");
  return [[number(first, "snat.ports[0]"), number(last, "snat.ports[1]")]];
}

function isMode(mode: string): mode is ForwardingMode {
  return Object.hasOwn(TTL_BY_MODE, mode);
}

/** Who may come in; with `source_ranges_policy: "deny"`, who may not. */
function parseSources(vip: Json, where: string): SourceRanges | null {
  if (vip["source_ranges"] === undefined) return null;
  const action = vip["source_ranges_policy"] ?? "allow";
  if (action !== "allow" && action !== "deny") {
    throw new ScenarioError(`${where}.source_ranges_policy: must be allow or deny, not ${JSON.stringify(action)}`);
  }
  const ranges = list(vip["source_ranges"], `${where}.source_ranges`);
  return { action, ranges: ranges.map((range, index) => prefix(range, `${where}.source_ranges[${index}]`)) };
}

function parseBackend(backend: Json, where: string): BackendSpec {
  return {
    address: ip(backend["addr"], `${where}.addr`),
    port: number(backend["port"], `${where}.port`),
    weight: number(backend["weight"] ?? 1, `${where}.weight`),
    draining: backend["state"] === "draining",
    node: backend["node"] === undefined ? null : ip(backend["node"], `${where}.node`),
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

function ip(value: unknown, where: string): IpAddress {
  const address = parseIpAddress(String(value));
  if (address === null) throw new ScenarioError(`${where}: not an IP address: ${JSON.stringify(value)}`);
  return address;
}

function prefix(value: unknown, where: string): IpPrefix {
  const parsed = parseIpPrefix(String(value));
  if (parsed === null) throw new ScenarioError(`${where}: not a prefix: ${JSON.stringify(value)}`);
  return parsed;
}

function mac(value: unknown, where: string): Mac {
  const address = parseMac(String(value));
  if (address === null) throw new ScenarioError(`${where}: not a MAC address: ${JSON.stringify(value)}`);
  return address;
}
