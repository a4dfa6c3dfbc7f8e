/** Joins MetalLB's objects, which name and select each other: pools with namespaces, sessions with advertisements. */
import type { AddressPool } from "../intent/address-pool.ts";
import type { Advertisement, BfdSettings, BgpPolicy } from "../intent/bgp-policy.ts";
import type { L2Policy } from "../intent/l2-policy.ts";
import type { Problem } from "../intent/problem.ts";
import { type Labels, matches, matchesAny, type Selector } from "../intent/selector.ts";
import type { Manifest } from "./kind.ts";
import type { MetalLbAdvertisement } from "./metallb-bgp-advertisement.ts";
import type { MetalLbPeer } from "./metallb-bgp-peer.ts";
import type { MetalLbL2Advertisement } from "./metallb-l2-advertisement.ts";
import type { MetalLbPool } from "./metallb-pool.ts";

interface MetalLbIntent {
  readonly pools: readonly AddressPool[];
  readonly policies: readonly BgpPolicy[];
  readonly l2Policies: readonly L2Policy[];
  readonly passwords: Readonly<Record<string, string>>;
  readonly problems: readonly Problem[];
}

export function metalLbIntent(manifests: readonly Manifest[]): MetalLbIntent {
  const pools: MetalLbPool[] = [];
  const peers: MetalLbPeer[] = [];
  const advertisements: MetalLbAdvertisement[] = [];
  const l2Advertisements: MetalLbL2Advertisement[] = [];
  const communityNames = new Map<string, string>();
  const namespaces = new Map<string, Labels>();
  const profiles = new Map<string, BfdSettings>();
  for (const manifest of manifests) {
    if (manifest.type === "metallb-pool") pools.push(manifest.pool);
    else if (manifest.type === "metallb-peer") peers.push(manifest.peer);
    else if (manifest.type === "metallb-advertisement") advertisements.push(manifest.advertisement);
    else if (manifest.type === "metallb-l2-advertisement") l2Advertisements.push(manifest.advertisement);
    else if (manifest.type === "bfd-profile") profiles.set(manifest.name, manifest.settings);
    else if (manifest.type === "namespace") namespaces.set(manifest.name, manifest.labels);
    else if (manifest.type === "community-names") {
      for (const [name, value] of Object.entries(manifest.values)) communityNames.set(name, value);
    }
  }
  const problems: Problem[] = [];
  const ready = advertisements.map((one) => ({
    peers: one.peers,
    advertisement: advertisementOf(one, pools, communityNames, problems),
  }));
  problems.push(...preferenceConflicts(advertisements, pools));
  return {
    pools: pools.map((one) => withNamespaces(one, namespaces)),
    policies: peers.map((peer) =>
      policyOf(
        peer,
        bfdOf(peer, profiles, problems),
        ready.filter((one) => one.peers.length === 0 || one.peers.includes(peer.name)).map((one) => one.advertisement),
      ),
    ),
    l2Policies: l2Advertisements.map((one) => l2PolicyOf(one, pools)),
    passwords: Object.fromEntries(
      peers.flatMap(({ passwordName, inlinePassword }) =>
        passwordName === null || inlinePassword === null ? [] : [[passwordName, inlinePassword]],
      ),
    ),
    problems,
  };
}

function withNamespaces(
  { pool, namespaceSelectors }: MetalLbPool,
  namespaces: ReadonlyMap<string, Labels>,
): AddressPool {
  if (pool.reservedFor === null || pool.reservedFor.namespaces === null) return pool;
  const selected = [...namespaces]
    .filter(([, labels]) => namespaceSelectors.some((selector) => matches(selector, labels)))
    .map(([name]) => name);
  const names = [...new Set([...pool.reservedFor.namespaces, ...selected])].sort();
  return { ...pool, reservedFor: { ...pool.reservedFor, namespaces: names } };
}

function advertisementOf(
  one: MetalLbAdvertisement,
  pools: readonly MetalLbPool[],
  communityNames: ReadonlyMap<string, string>,
  problems: Problem[],
): Advertisement {
  const { aggregationLength, nodeSelectors, serviceSelectors } = one;
  const communities: string[] = [];
  const largeCommunities: string[] = [];
  for (const [index, text] of one.communities.entries()) {
    const value = communityNames.get(text) ?? text;
    if (/^\d{1,5}:\d{1,5}$/.test(value)) communities.push(value);
    else if (/^large:\d+:\d+:\d+$/.test(value)) largeCommunities.push(value.slice("large:".length));
    else {
      const message = `${JSON.stringify(text)} is neither a community nor the name of one in a Community object`;
      problems.push({
        severity: "warning",
        object: one.object,
        field: `spec.communities[${index}]`,
        message,
        where: null,
      });
    }
  }
  return {
    dialect: "metallb",
    families: [4, 6],
    services: {
      addresses: ["LoadBalancerIP"],
      selectors: serviceSelectors.length === 0 ? null : serviceSelectors,
      pools: chosenPools(one, pools) ?? pools.map(({ pool }) => pool.name),
      aggregationLength: aggregationLength[4] === 32 && aggregationLength[6] === 128 ? null : aggregationLength,
    },
    nodeSelectors: nodeSelectors.length === 0 ? null : nodeSelectors,
    communities,
    largeCommunities,
    localPreference: one.localPreference,
  };
}

/** `null` for one that names and selects none, which is for all. */
function chosenPools(
  one: Pick<MetalLbAdvertisement, "pools" | "poolSelectors">,
  pools: readonly MetalLbPool[],
): readonly string[] | null {
  if (one.pools.length === 0 && one.poolSelectors.length === 0) return null;
  const selected = pools.filter(({ pool }) => matchesAny(one.poolSelectors, pool.labels));
  return [...new Set([...one.pools, ...selected.map(({ pool }) => pool.name)])];
}

/**
 * Two advertisements that give one prefix to one peer with different preferences: MetalLB refuses them; here the larger
 * one counts, which is said. Selectors that may meet on a node count as meeting.
 */
function preferenceConflicts(
  advertisements: readonly MetalLbAdvertisement[],
  pools: readonly MetalLbPool[],
): Problem[] {
  return advertisements.flatMap((one, index) =>
    advertisements.slice(0, index).flatMap((other): Problem[] => {
      const sameLengths =
        one.aggregationLength[4] === other.aggregationLength[4] &&
        one.aggregationLength[6] === other.aggregationLength[6];
      const poolsOf = (advertisement: MetalLbAdvertisement) =>
        chosenPools(advertisement, pools) ?? pools.map(({ pool }) => pool.name);
      const meet = (a: readonly string[], b: readonly string[]) => a.some((name) => b.includes(name));
      const samePeers = one.peers.length === 0 || other.peers.length === 0 || meet(one.peers, other.peers);
      if (one.localPreference === other.localPreference || !sameLengths || !samePeers) return [];
      if (!meet(poolsOf(one), poolsOf(other)) || !mayMeet(one.nodeSelectors, other.nodeSelectors)) return [];
      const message =
        `gives the same prefixes another local preference (${one.localPreference ?? "none"}) than ` +
        `${other.object} (${other.localPreference ?? "none"}); the larger one counts`;
      return [{ severity: "warning", object: one.object, field: "spec.localPref", message, where: null }];
    }),
  );
}

/** Only selectors that ask for different values of one label exclude each other for sure. */
function mayMeet(a: readonly Selector[], b: readonly Selector[]): boolean {
  if (a.length === 0 || b.length === 0) return true;
  return a.some((one) =>
    b.some((other) =>
      Object.entries(one.matchLabels).every(([key, value]) => (other.matchLabels[key] ?? value) === value),
    ),
  );
}

function l2PolicyOf(one: MetalLbL2Advertisement, pools: readonly MetalLbPool[]): L2Policy {
  const { object, nodeSelectors, serviceSelectors, interfaces, preferences } = one;
  return {
    object,
    dialect: "metallb",
    nodeSelectors: nodeSelectors.length === 0 ? null : nodeSelectors,
    serviceSelectors: serviceSelectors.length === 0 ? null : serviceSelectors,
    loadBalancerAddresses: true,
    externalAddresses: false,
    pools: chosenPools(one, pools),
    interfaces: interfaces.length === 0 ? null : interfaces,
    preferences,
    faults: {},
  };
}

/** A profile that does not exist leaves the session without BFD, which is said. */
function bfdOf(
  { object, bfdProfile, ebgpMultihopTtl }: MetalLbPeer,
  profiles: ReadonlyMap<string, BfdSettings>,
  problems: Problem[],
): BfdSettings | null {
  if (bfdProfile === null) return null;
  const settings = profiles.get(bfdProfile);
  if (settings === undefined) {
    const message = `there is no BFDProfile ${bfdProfile}; the hold time alone finds a dead peer`;
    problems.push({ severity: "warning", object, field: "spec.bfdProfile", message, where: null });
    return null;
  }
  return ebgpMultihopTtl > 1 ? settings : { ...settings, minimumTtl: null };
}

function policyOf(peer: MetalLbPeer, bfd: BfdSettings | null, advertisements: readonly Advertisement[]): BgpPolicy {
  const {
    object,
    createdAtMilliseconds,
    localAsn,
    routerId,
    nodeSelectors,
    inlinePassword: _inPasswords,
    bfdProfile: _named,
    ...rest
  } = peer;
  const neighbor = { ...rest, ...(bfd === null ? {} : { bfd }), advertisements, attributes: [] };
  return {
    object,
    generation: "session",
    createdAtMilliseconds,
    nodeSelectors,
    nodeName: null,
    virtualRouters: [{ name: null, localAsn, routerId, listenPort: null, neighbors: [neighbor] }],
    overrides: [],
    missing: [],
  };
}
