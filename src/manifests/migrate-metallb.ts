/**
 * MetalLB's configuration as it was before: the ConfigMap `config` (up to 0.12), `AddressPool`, `BGPPeer` in v1beta1 and the
 * annotations under metallb.universe.tf, to the kinds and names of today.
 */
import { defined, type Migration, nameOf, type PlainObject } from "./migration.ts";

interface OldPeer {
  readonly "my-asn"?: number;
  readonly "peer-asn"?: number;
  readonly "peer-address"?: string;
  readonly "peer-port"?: number;
  readonly "source-address"?: string;
  readonly "hold-time"?: string;
  readonly "keepalive-time"?: string;
  readonly "router-id"?: string;
  readonly "node-selectors"?: readonly OldSelector[];
  readonly password?: string;
  readonly "bfd-profile"?: string;
  readonly "ebgp-multihop"?: boolean;
}

interface OldSelector {
  readonly "match-labels"?: Readonly<Record<string, string>>;
  readonly "match-expressions"?: readonly object[];
}

interface OldAdvertisement {
  readonly "aggregation-length"?: number;
  readonly "aggregation-length-v6"?: number;
  readonly localpref?: number;
  readonly communities?: readonly string[];
}

interface OldPool {
  readonly name?: string;
  readonly protocol?: string;
  readonly addresses?: readonly string[];
  readonly "auto-assign"?: boolean;
  readonly "avoid-buggy-ips"?: boolean;
  readonly "bgp-advertisements"?: readonly OldAdvertisement[];
}

/** The text under `data.config`, read as YAML. */
interface OldConfig {
  readonly peers?: readonly OldPeer[];
  readonly "address-pools"?: readonly OldPool[];
  readonly "bgp-communities"?: Readonly<Record<string, string>>;
  readonly "bfd-profiles"?: readonly Readonly<Record<string, unknown>>[];
}

const NAMESPACE = "metallb-system";
const OLD_PREFIX = "metallb.universe.tf/";

/** @param parseYaml of the text in the ConfigMap. */
export function migrateMetalLb(given: readonly PlainObject[], parseYaml: (text: string) => unknown): Migration {
  const objects: object[] = [];
  const notes: string[] = [];
  for (const object of given) {
    const { kind, apiVersion, metadata } = object;
    const text = (object.data as { readonly config?: string } | undefined)?.config;
    if (kind === "ConfigMap" && text !== undefined) objects.push(...fromConfig(object, parseYaml(text) as OldConfig));
    else if (kind === "AddressPool") objects.push(...fromAddressPool(object));
    else if (kind === "BGPPeer" && apiVersion === "metallb.io/v1beta1") objects.push(fromPeer(object));
    else if (kind === "Service") objects.push(...withNewAnnotations(object));
    else if (apiVersion.startsWith("metallb.io/")) notes.push(`${kind}/${metadata.name}: is of today already`);
  }
  return { objects, notes };
}

function fromConfig({ metadata }: PlainObject, config: OldConfig): object[] {
  const namespace = metadata.namespace ?? NAMESPACE;
  const made: object[] = [];
  for (const [index, peer] of (config?.peers ?? []).entries()) {
    const selectors = (peer["node-selectors"] ?? []).map((selector) =>
      defined({ matchLabels: selector["match-labels"], matchExpressions: selector["match-expressions"] }),
    );
    const spec = defined({
      myASN: peer["my-asn"],
      peerASN: peer["peer-asn"],
      peerAddress: peer["peer-address"],
      peerPort: peer["peer-port"],
      sourceAddress: peer["source-address"],
      holdTime: peer["hold-time"],
      keepaliveTime: peer["keepalive-time"],
      routerID: peer["router-id"],
      nodeSelectors: selectors.length === 0 ? undefined : selectors,
      password: peer.password,
      bfdProfile: peer["bfd-profile"],
      ebgpMultiHop: peer["ebgp-multihop"],
    });
    made.push({
      apiVersion: "metallb.io/v1beta2",
      kind: "BGPPeer",
      metadata: { name: `peer${index + 1}`, namespace },
      spec,
    });
  }
  for (const profile of config?.["bfd-profiles"] ?? []) {
    const { name, ...rest } = profile as { readonly name: string };
    const spec = Object.fromEntries(Object.entries(rest).map(([key, value]) => [camelCase(key), value]));
    made.push({ apiVersion: "metallb.io/v1beta1", kind: "BFDProfile", metadata: { name, namespace }, spec });
  }
  const communities = Object.entries(config?.["bgp-communities"] ?? {}).map(([name, value]) => ({ name, value }));
  if (communities.length > 0) {
    const place = { name: "communities", namespace };
    made.push({ apiVersion: "metallb.io/v1beta1", kind: "Community", metadata: place, spec: { communities } });
  }
  for (const [index, pool] of (config?.["address-pools"] ?? []).entries()) {
    made.push(...poolObjects(nameOf(pool.name ?? `addresspool${index + 1}`), namespace, pool));
  }
  return made;
}

function fromAddressPool({ metadata, spec }: PlainObject): object[] {
  const fields = (spec ?? {}) as {
    readonly protocol?: string;
    readonly addresses?: readonly string[];
    readonly autoAssign?: boolean;
    readonly avoidBuggyIPs?: boolean;
    readonly bgpAdvertisements?: readonly Readonly<Record<string, unknown>>[];
  };
  const advertisements = (fields.bgpAdvertisements ?? []).map((one) => ({
    "aggregation-length": one["aggregationLength"],
    "aggregation-length-v6": one["aggregationLengthV6"],
    localpref: one["localPref"],
    communities: one["communities"],
  })) as readonly OldAdvertisement[];
  return poolObjects(metadata.name, metadata.namespace ?? NAMESPACE, {
    ...defined({ protocol: fields.protocol, addresses: fields.addresses }),
    ...defined({ "auto-assign": fields.autoAssign, "avoid-buggy-ips": fields.avoidBuggyIPs }),
    "bgp-advertisements": advertisements,
  });
}

/** A pool said how it is announced; now an advertisement says for which pools it is. */
function poolObjects(name: string, namespace: string, pool: OldPool): object[] {
  const apiVersion = "metallb.io/v1beta1";
  const spec = defined({
    addresses: pool.addresses ?? [],
    autoAssign: pool["auto-assign"],
    avoidBuggyIPs: pool["avoid-buggy-ips"],
  });
  const metadata = { name, namespace };
  const isLink = pool.protocol === "layer2";
  const old = pool["bgp-advertisements"] ?? [];
  const advertisements = (isLink || old.length === 0 ? [{}] : old).map((one, index) => ({
    apiVersion,
    kind: isLink ? "L2Advertisement" : "BGPAdvertisement",
    metadata: { name: index === 0 ? name : `${name}-${index + 1}`, namespace },
    spec: defined({
      ipAddressPools: [name],
      aggregationLength: one["aggregation-length"],
      aggregationLengthV6: one["aggregation-length-v6"],
      localPref: one.localpref,
      communities: one.communities,
    }),
  }));
  return [{ apiVersion, kind: "IPAddressPool", metadata, spec }, ...advertisements];
}

function fromPeer({ metadata, spec }: PlainObject): object {
  const { nodeSelectors, ...rest } = (spec ?? {}) as { readonly nodeSelectors?: readonly OldExpressions[] };
  const selectors = nodeSelectors?.map(({ matchLabels, matchExpressions }) =>
    defined({ matchLabels, matchExpressions }),
  );
  const { name, namespace = NAMESPACE } = metadata;
  return {
    apiVersion: "metallb.io/v1beta2",
    kind: "BGPPeer",
    metadata: { name, namespace },
    spec: defined({ ...rest, nodeSelectors: selectors }),
  };
}

interface OldExpressions {
  readonly matchLabels?: object;
  readonly matchExpressions?: readonly object[];
}

/** Only what changes: to be merged into the Service, as `kubectl apply --server-side` does. */
function withNewAnnotations({ metadata }: PlainObject): object[] {
  const old = Object.entries(metadata.annotations ?? {}).filter(([key]) => key.startsWith(OLD_PREFIX));
  if (old.length === 0) return [];
  const annotations = Object.fromEntries(
    old.map(([key, value]) => [`metallb.io/${key.slice(OLD_PREFIX.length)}`, value]),
  );
  const { name, namespace = "default" } = metadata;
  return [{ apiVersion: "v1", kind: "Service", metadata: { name, namespace, annotations } }];
}

function camelCase(words: string): string {
  return words.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
