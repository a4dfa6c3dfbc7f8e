/**
 * Cilium's first generation of BGP, and pools as they were written then, to the second: each policy becomes a
 * `CiliumBGPClusterConfig`, each of its neighbours a `CiliumBGPPeerConfig` and, where something is announced to it, a
 * `CiliumBGPAdvertisement`. Sluice announces by the result what it announced before.
 */
import { isEmptySelector } from "../intent/selector.ts";
import type {
  BgpPeeringPolicySpec,
  NeighborFields,
  PathAttributesFields,
  VirtualRouterFields,
} from "./bgp-peering-policy-schema.ts";
import { knownKind } from "./known-kinds.ts";
import { readSelector } from "./label-selector.ts";
import { defined, type Migration, nameOf, type PlainObject } from "./migration.ts";

const ADVERTISE_LABEL = "sluice.dev/advertise-to";
const ROUTER_ANNOTATION = "cilium.io/bgp-virtual-router.";

export function migrateCiliumV1(given: readonly PlainObject[]): Migration {
  const objects: object[] = [];
  const notes: string[] = [];
  for (const object of given) {
    if (["CiliumBGPPeeringPolicy", "BGPPeeringPolicy"].includes(object.kind)) objects.push(...policy(object, notes));
    else if (object.kind === "CiliumLoadBalancerIPPool") objects.push(pool(object, notes));
    else if (object.kind === "Node") objects.push(...overrides(object, given, notes));
  }
  return { objects, notes };
}

function policy(object: PlainObject, notes: string[]): object[] {
  const known = knownKind(object.apiVersion, object.kind);
  const checked = known?.check(object);
  if (checked === undefined || checked.findings.length > 0) {
    const why = checked?.findings[0];
    notes.push(`${label(object)}: is left out: ${why === undefined ? "its version is unknown" : why.message}`);
    return [];
  }
  const { metadata } = object;
  const spec = (checked.value as { spec: BgpPeeringPolicySpec }).spec;
  const made: object[] = [];
  const bgpInstances = spec.virtualRouters.map((router) => ({
    name: instanceName(router.localASN),
    localASN: router.localASN,
    peers: router.neighbors.map((neighbor) => {
      const address = neighbor.peerAddress.split("/")[0]!;
      const name = nameOf(
        metadata.name,
        router.localASN,
        address,
        ...(neighbor.peerPort === 179 ? [] : [neighbor.peerPort]),
      );
      const advertised = advertisement(name, router, neighbor, (text) => notes.push(`${label(object)}: ${text}`));
      made.push(peerConfig(name, neighbor, advertised !== null), ...(advertised === null ? [] : [advertised]));
      return {
        name: nameOf("peer", neighbor.peerASN, address),
        peerAddress: address,
        peerASN: neighbor.peerASN,
        peerConfigRef: { name },
      };
    }),
  }));
  const config = {
    apiVersion: "cilium.io/v2",
    kind: "CiliumBGPClusterConfig",
    metadata: { name: metadata.name },
    spec: defined({ nodeSelector: spec.nodeSelector, bgpInstances }),
  };
  return [config, ...made];
}

function peerConfig(name: string, neighbor: NeighborFields, isAdvertised: boolean): object {
  const { connectRetryTimeSeconds, holdTimeSeconds, keepAliveTimeSeconds } = neighbor;
  const advertisements = isAdvertised ? { matchLabels: { [ADVERTISE_LABEL]: name.slice(0, 63) } } : undefined;
  return {
    apiVersion: "cilium.io/v2",
    kind: "CiliumBGPPeerConfig",
    metadata: { name },
    spec: defined({
      transport: { peerPort: neighbor.peerPort },
      timers: { connectRetryTimeSeconds, holdTimeSeconds, keepAliveTimeSeconds },
      authSecretRef: neighbor.authSecretRef,
      gracefulRestart: neighbor.gracefulRestart,
      ebgpMultihop: neighbor.eBGPMultihopTTL,
      families: neighbor.families.map(({ afi, safi }) => defined({ afi, safi, advertisements })),
    }),
  };
}

/** `null` when nothing is announced to the neighbour. */
function advertisement(
  name: string,
  router: VirtualRouterFields,
  neighbor: NeighborFields,
  note: (text: string) => void,
): object | null {
  const attributesFor = (type: string, what: string) => {
    const own = neighbor.advertisedPathAttributes.filter(({ selectorType }) => selectorType === type);
    for (const { selector } of own) {
      if (selector == null) continue;
      note(
        `attributes were for some ${what} to ${neighbor.peerAddress}; now they are for all: split the advertisement`,
      );
    }
    return mergedAttributes(own);
  };
  const advertisements: object[] = [];
  if (router.exportPodCIDR) {
    advertisements.push(
      defined({ advertisementType: "PodCIDR", attributes: attributesFor("PodCIDR", "nodes' pod CIDRs") }),
    );
  }
  if (router.podIPPoolSelector != null) {
    const attributes = attributesFor("CiliumPodIPPool", "pod pools");
    advertisements.push(
      defined({ advertisementType: "CiliumPodIPPool", selector: router.podIPPoolSelector, attributes }),
    );
  }
  // An empty selector chose nothing then, and would choose everything now.
  const services = readSelector(router.serviceSelector, [], () => {});
  if (services !== null && !isEmptySelector(services)) {
    const attributes = attributesFor("CiliumLoadBalancerIPPool", "pools' addresses");
    const service = { addresses: router.serviceAdvertisements };
    advertisements.push(
      defined({ advertisementType: "Service", service, selector: router.serviceSelector, attributes }),
    );
  }
  if (advertisements.length === 0) return null;
  const metadata = { name, labels: { [ADVERTISE_LABEL]: name.slice(0, 63) } };
  return { apiVersion: "cilium.io/v2", kind: "CiliumBGPAdvertisement", metadata, spec: { advertisements } };
}

function mergedAttributes(list: readonly PathAttributesFields[]): object | undefined {
  if (list.length === 0) return undefined;
  const communities: Record<string, string[]> = {};
  for (const one of list) {
    for (const [kind, values] of Object.entries((one.communities ?? {}) as Record<string, readonly string[]>)) {
      communities[kind] = [...new Set([...(communities[kind] ?? []), ...values])];
    }
  }
  const preferences = list.flatMap(({ localPreference }) => localPreference ?? []);
  return defined({
    communities: Object.keys(communities).length === 0 ? undefined : communities,
    localPreference: preferences.length === 0 ? undefined : Math.max(...preferences),
  });
}

function pool({ apiVersion: _old, kind, metadata, spec }: PlainObject, notes: string[]): object {
  const {
    cidrs = [],
    blocks = [],
    ...rest
  } = (spec ?? {}) as {
    readonly cidrs?: readonly object[];
    readonly blocks?: readonly object[];
    readonly allowFirstLastIPs?: string;
  };
  if (cidrs.length > 0 && rest.allowFirstLastIPs === undefined) {
    notes.push(
      `${kind}/${metadata.name}: Cilium up to 1.15 held back the first and last address of each CIDR; set ` +
        "allowFirstLastIPs: No to keep that",
    );
  }
  const { name, labels } = metadata;
  return {
    apiVersion: "cilium.io/v2",
    kind,
    metadata: defined({ name, labels }),
    spec: defined({ ...rest, blocks: [...cidrs, ...blocks] }),
  };
}

/** What the annotations of a Node said of its routers. */
function overrides({ metadata }: PlainObject, given: readonly PlainObject[], notes: string[]): object[] {
  const known = new Set(
    given
      .flatMap(({ spec }) => ((spec ?? {}) as Partial<BgpPeeringPolicySpec>).virtualRouters ?? [])
      .map(({ localASN }) => localASN),
  );
  const bgpInstances = Object.entries(metadata.annotations ?? {}).flatMap(([key, value]) => {
    if (!key.startsWith(ROUTER_ANNOTATION)) return [];
    const localASN = Number(key.slice(ROUTER_ANNOTATION.length));
    if (!known.has(localASN)) notes.push(`Node/${metadata.name}: no policy here has the AS number ${localASN}`);
    const settings = new Map(value.split(",").map((part) => part.trim().split("=") as [string, string]));
    const port = settings.get("local-port");
    return [
      defined({
        name: instanceName(localASN),
        routerID: settings.get("router-id"),
        localPort: port === undefined ? undefined : Number(port),
      }),
    ];
  });
  if (bgpInstances.length === 0) return [];
  const name = metadata.name;
  return [
    { apiVersion: "cilium.io/v2", kind: "CiliumBGPNodeConfigOverride", metadata: { name }, spec: { bgpInstances } },
  ];
}

function instanceName(localASN: number): string {
  return `instance-${localASN}`;
}

function label({ kind, metadata }: PlainObject): string {
  return `${kind}/${metadata.name}`;
}
