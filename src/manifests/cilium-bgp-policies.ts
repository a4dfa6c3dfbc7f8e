/** Joins Cilium's second generation of BGP objects, which name and select each other, to policies. */
import type { Advertisement, BgpNeighbor, BgpPolicy, RouterOverride } from "../intent/bgp-policy.ts";
import { type Labels, matches } from "../intent/selector.ts";
import type { CiliumPeer, CiliumRouters } from "./cilium-bgp-cluster-config.ts";
import { type CiliumPeerConfig, DEFAULT_PEER_CONFIG } from "./cilium-bgp-peer-config.ts";
import type { Manifest } from "./kind.ts";
import { selectorList } from "./label-selector.ts";

interface LabelledAdvertisements {
  readonly labels: Labels;
  readonly advertisements: readonly Advertisement[];
}

export function ciliumBgpPolicies(manifests: readonly Manifest[]): BgpPolicy[] {
  const configs = new Map<string, CiliumPeerConfig>();
  const advertisements: LabelledAdvertisements[] = [];
  const overrides: RouterOverride[] = [];
  const routers: CiliumRouters[] = [];
  for (const manifest of manifests) {
    if (manifest.type === "bgp-peer-config") configs.set(manifest.name, manifest.config);
    else if (manifest.type === "bgp-advertisement") advertisements.push(manifest);
    else if (manifest.type === "bgp-overrides") overrides.push(...manifest.overrides);
    else if (manifest.type === "bgp-routers") routers.push(manifest.routers);
  }
  return routers.map((one): BgpPolicy => {
    const missing = new Set<string>();
    return {
      object: one.object,
      generation: one.nodeName === null ? "cluster-config" : "node-config",
      createdAtMilliseconds: one.createdAtMilliseconds,
      nodeSelectors: selectorList(one.nodeSelector),
      nodeName: one.nodeName,
      virtualRouters: one.routers.map((router) => ({
        ...router,
        neighbors: router.peers.flatMap((peer) => {
          const config = peer.configName === null ? DEFAULT_PEER_CONFIG : configs.get(peer.configName);
          if (config !== undefined) return [neighborOf(peer, config, advertisements)];
          missing.add(peer.configName!);
          return [];
        }),
      })),
      overrides: overrides.filter(({ node }) => one.nodeName === null || one.nodeName === node),
      missing: [...missing].sort(),
    };
  });
}

function neighborOf(
  peer: CiliumPeer,
  config: CiliumPeerConfig,
  advertisements: readonly LabelledAdvertisements[],
): BgpNeighbor {
  const { families, ...common } = config;
  return {
    ...common,
    name: peer.name,
    address: peer.address,
    ...(peer.discovery === undefined ? {} : { discovery: peer.discovery }),
    asn: peer.asn,
    localAddress: peer.localAddress,
    families: families.map(({ afi, safi }) => ({ afi, safi })),
    advertisements: families.flatMap(({ afi, advertisements: selector }) =>
      selector === null
        ? []
        : advertisements
            .filter(({ labels }) => matches(selector, labels))
            .flatMap((selected) => selected.advertisements)
            .map((advertisement) => ({ ...advertisement, families: [afi === "ipv4" ? 4 : 6] as const })),
    ),
    attributes: [],
  };
}
