/** What the node of a scenario forwards: its services, the addresses that it owns, and how. */
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
import { ip, type Json, list, number, object, prefix, ScenarioError } from "./scenario-field.ts";

/** @param vips the services. @param policies names of those that are asked where a VIP names none. */
export function parseSpec(vips: unknown, node: Json, scenario: Json, policies: readonly string[]): ForwardingSpec {
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
