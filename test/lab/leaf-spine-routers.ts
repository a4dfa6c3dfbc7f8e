/**
 * What leaves and spines are told, in the languages of FRR and of BIRD. Both families side by side, each on sessions of
 * its own. A leaf takes sessions from any node of its rack and reflects between them; without more it uses one of several
 * equally good nodes, as the routers of the document did.
 */
import { toIpv6 } from "./both-families.ts";
import type { RouterConfig, RouterKind } from "./router.ts";

interface Neighbor {
  readonly name: string;
  readonly own: string;
  readonly address: string;
  readonly asn: number;
}

interface Speaker {
  readonly name: string;
  readonly asn: number;
  readonly routerId: string;
  /** The link with machines on it, whose prefix it announces. */
  readonly ownLink: { readonly device: string; readonly prefix: string } | null;
  /** The address at which nodes find it; their AS is its own. */
  readonly nodes: { readonly own: string; readonly range: string } | null;
  readonly neighbors: readonly Neighbor[];
}

/** The first or the second leaf. */
export function leafConfig(kind: RouterKind, number: 1 | 2): RouterConfig {
  const [rack, asn] = number === 1 ? [5, 65005] : [10, 65010];
  const link = (spine: 1 | 2) => 100 + number + (spine - 1) * 2;
  return configOf(kind, {
    name: `leaf0${number}`,
    asn,
    routerId: `10.0.${rack}.1`,
    ownLink: { device: "eth1", prefix: `10.0.${rack}.0/24` },
    nodes: { own: `10.0.${rack}.1`, range: `10.0.${rack}.0/24` },
    neighbors: [
      { name: "spine01", own: `10.0.${link(1)}.2`, address: `10.0.${link(1)}.1`, asn: 500 },
      { name: "spine02", own: `10.0.${link(2)}.2`, address: `10.0.${link(2)}.1`, asn: 800 },
    ],
  });
}

/** The first or the second spine; clients are behind the second. */
export function spineConfig(kind: RouterKind, number: 1 | 2): RouterConfig {
  const link = (leaf: 1 | 2) => 100 + leaf + (number - 1) * 2;
  return configOf(kind, {
    name: `spine0${number}`,
    asn: number === 1 ? 500 : 800,
    routerId: `10.0.${link(1)}.1`,
    ownLink: number === 1 ? null : { device: "eth1", prefix: "192.168.0.0/24" },
    nodes: null,
    neighbors: [
      { name: "leaf01", own: `10.0.${link(1)}.1`, address: `10.0.${link(1)}.2`, asn: 65005 },
      { name: "leaf02", own: `10.0.${link(2)}.1`, address: `10.0.${link(2)}.2`, asn: 65010 },
    ],
  });
}

function configOf(kind: RouterKind, speaker: Speaker): RouterConfig {
  return ({ nodePaths }) => (kind === "frr" ? frrConfig(speaker, nodePaths) : birdConfig(speaker, nodePaths));
}

/** How an address of the plan reads in each of the two families. */
const FAMILIES: readonly { readonly name: "ipv4" | "ipv6"; readonly in: (address: string) => string }[] = [
  { name: "ipv4", in: (address) => address },
  { name: "ipv6", in: toIpv6 },
];

function frrConfig({ name, asn, routerId, ownLink, nodes, neighbors }: Speaker, nodePaths: number): string {
  const lines = [`hostname ${name}`, `router bgp ${asn}`, ` bgp router-id ${routerId}`];
  lines.push(" no bgp ebgp-requires-policy", " no bgp default ipv4-unicast", " timers bgp 3 9");
  for (const family of FAMILIES) {
    if (nodes !== null) {
      lines.push(` neighbor nodes-${family.name} peer-group`, ` neighbor nodes-${family.name} remote-as ${asn}`);
      lines.push(` bgp listen range ${family.in(nodes.range)} peer-group nodes-${family.name}`);
    }
    for (const { address, asn: theirs } of neighbors) {
      lines.push(` neighbor ${family.in(address)} remote-as ${theirs}`);
      lines.push(` neighbor ${family.in(address)} timers connect 1`);
    }
  }
  for (const family of FAMILIES) {
    lines.push(` address-family ${family.name} unicast`);
    if (ownLink !== null) lines.push(`  network ${family.in(ownLink.prefix)}`);
    if (nodes !== null) {
      lines.push(`  neighbor nodes-${family.name} activate`, `  neighbor nodes-${family.name} route-reflector-client`);
    }
    for (const { address } of neighbors) lines.push(`  neighbor ${family.in(address)} activate`);
    lines.push("  maximum-paths 1", `  maximum-paths ibgp ${nodePaths}`, " exit-address-family");
  }
  return `${lines.join("\n")}\n`;
}

function birdConfig({ asn, routerId, ownLink, nodes, neighbors }: Speaker, nodePaths: number): string {
  const parts = [`router id ${routerId};`, "protocol device {}"];
  if (ownLink !== null) parts.push(`protocol direct { ipv4; ipv6; interface "${ownLink.device}"; }`);
  for (const family of FAMILIES) {
    const routes = `${family.name} { import all; export where source = RTS_BGP || source = RTS_DEVICE; };`;
    const paths = nodePaths > 1 ? `merge paths on limit ${nodePaths};` : "";
    parts.push(
      `protocol kernel kernel_${family.name} { metric 20; ${paths} ${family.name} { import none; export where source = RTS_BGP; }; }`,
    );
    if (nodes !== null) {
      const ends = `local ${family.in(nodes.own)} as ${asn}; neighbor range ${family.in(nodes.range)} as ${asn};`;
      parts.push(
        `protocol bgp nodes_${family.name} { ${ends} passive; direct; rr client; dynamic name "node_${family.name}_"; ${routes} }`,
      );
    }
    for (const { name, own, address, asn: theirs } of neighbors) {
      const ends = `local ${family.in(own)} as ${asn}; neighbor ${family.in(address)} as ${theirs};`;
      const times = "connect delay time 1; connect retry time 1; error wait time 1, 2; hold time 9;";
      parts.push(`protocol bgp ${name}_${family.name} { ${ends} ${times} ${routes} }`);
    }
  }
  return `${parts.join("\n")}\n`;
}
