/**
 * What people say by the keys of objects that have no schema of ours: the switches of ConfigMap `kube-system/cilium-config`,
 * annotations, labels. Values and defaults are the program's own; a unit test finds keys that it reads and this has not.
 */
import { BALANCING_CHOICES } from "../src/intent/balancing-choice.ts";
import { DSR_DISPATCHES, FORWARDING_CHOICES, SOURCE_NAT_CHOICES } from "../src/intent/forwarding-choice.ts";
import { DEFAULT_SERVICE_IPAMS, DEFAULT_SETTINGS, MAGLEV_TABLE_SIZES } from "../src/intent/settings.ts";

/** Key, default, meaning. */
type Row = readonly [key: string, value: string, meaning: string];

const code = (value: unknown) => `\`${String(value)}\``;
const oneOf = (values: readonly unknown[]) => values.map(code).join(", ");
const seconds = (milliseconds: number) => code(`${milliseconds / 1000}s`);
const { l2Lease } = DEFAULT_SETTINGS;

const FORWARDING_MEANING =
  "`snat` by the gateway; `dsr` from the pod's node straight to the client; `hybrid` as `dsr` for TCP and `snat` for the " +
  "rest; `annotation` as `snat` but for Services whose annotation says `dsr`";
const SOURCE_NAT_MEANING =
  "`none` the client's; `node` the gateway's; `hairpin` the gateway's for a pod that asks itself; `remote` the gateway's " +
  "for that and wherever replies would not come back this way";

export const SWITCHES: readonly Row[] = [
  [
    "enable-bgp-control-plane",
    code(false),
    "whether Cilium's BGP policies count; where there is no such ConfigMap they do",
  ],
  [
    "enable-l2-announcements",
    code(false),
    "whether Cilium's L2 policies count; where there is no such ConfigMap they do",
  ],
  ["enable-ipv4", code(DEFAULT_SETTINGS.ipv4Enabled), "whether Services get IPv4 addresses"],
  ["enable-ipv6", code(DEFAULT_SETTINGS.ipv6Enabled), "whether Services get IPv6 addresses"],
  [
    "enable-no-service-endpoints-routable",
    code(DEFAULT_SETTINGS.announceWithoutBackends),
    "whether a Service of `externalTrafficPolicy: Cluster` is announced while it has no backend",
  ],
  ["bpf-lb-mode", code(DEFAULT_SETTINGS.forwarding), `how replies come back: ${FORWARDING_MEANING}`],
  [
    "bpf-lb-dsr-dispatch",
    code(DEFAULT_SETTINGS.dsrDispatch),
    `what tells the pod's node of direct server return whom to answer as: ${oneOf(DSR_DISPATCHES)}`,
  ],
  ["bpf-lb-algorithm", code(DEFAULT_SETTINGS.balancing), `which backend a new flow gets: ${oneOf(BALANCING_CHOICES)}`],
  [
    "bpf-lb-maglev-table-size",
    code(DEFAULT_SETTINGS.maglevTableSize),
    `places of a VIP's Maglev table, 2 bytes each: ${oneOf(MAGLEV_TABLE_SIZES)}`,
  ],
  ["sluice-source-nat", code(DEFAULT_SETTINGS.sourceNat), `whose address pods see: ${SOURCE_NAT_MEANING}`],
  [
    "default-lb-service-ipam",
    code(DEFAULT_SETTINGS.defaultServiceIpam),
    `who gives addresses to Services without a class: ${oneOf(DEFAULT_SERVICE_IPAMS)}`,
  ],
  ["bgp-secrets-namespace", code(DEFAULT_SETTINGS.bgpSecretsNamespace), "where Secrets of Cilium's peers are"],
  [
    "l2-announcements-lease-duration",
    seconds(l2Lease.durationMilliseconds),
    "what the Leases say that record owners; `--l2-heartbeat` and `--l2-misses` say when an owner is taken for dead",
  ],
  [
    "l2-announcements-renew-deadline",
    seconds(l2Lease.renewDeadlineMilliseconds),
    "must be shorter than that; without effect otherwise",
  ],
  ["l2-announcements-retry-period", seconds(l2Lease.retryPeriodMilliseconds), "without effect"],
];

/** Object, key, meaning. `metallb.io/` may also be `metallb.universe.tf/`. */
export const KEYS: readonly Row[] = [
  ["Service", "lbipam.cilium.io/ips", "the addresses that it wants, with commas; also `io.cilium/lb-ipam-ips`"],
  ["Service", "lbipam.cilium.io/sharing-key", "Services of one key may share an address; also `io.cilium/lb-ipam-...`"],
  ["Service", "lbipam.cilium.io/sharing-cross-namespace", "namespaces with which it shares, or `*`"],
  ["Service", "lbipam.cilium.io/sharing-permit-different-pods", "`true`: though their `Local` pods differ"],
  ["Service", "service.cilium.io/forwarding-mode", `in place of \`bpf-lb-mode\`: ${oneOf(FORWARDING_CHOICES)}`],
  ["Service", "service.cilium.io/lb-algorithm", `in place of \`bpf-lb-algorithm\`: ${oneOf(BALANCING_CHOICES)}`],
  [
    "Service",
    "service.cilium.io/src-ranges-policy",
    "`allow` (the default) or `deny` those of `loadBalancerSourceRanges`",
  ],
  ["Service", "sluice.dev/source-nat", `in place of \`sluice-source-nat\`: ${oneOf(SOURCE_NAT_CHOICES)}`],
  ["Service", "metallb.io/address-pool", "the pool that it wants"],
  ["Service", "metallb.io/loadBalancerIPs", "the addresses that it wants, with commas"],
  ["Service", "metallb.io/allow-shared-ip", "Services of one key may share an address"],
  ["Service", "metallb.io/ip-allocated-from-pool", "MetalLB gave the address: Sluice leaves it alone"],
  ["EndpointSlice", "service.cilium.io/weight", "weight of its endpoints, 0 to 65535; 0 takes no new flows"],
  ["EndpointSlice, label", "kubernetes.io/service-name", "the Service that it belongs to"],
  ["EndpointSlice, label", "sluice.dev/gateways", "it lists the gateways: `sluice-gateways` of `deploy/`"],
  ["Node", "sluice.dev/interfaces", "its interfaces, with commas, where `interfaces` of policies must be known"],
  ["Node", "cilium.io/bgp-virtual-router.ASN", "`router-id=192.0.2.1,local-port=1790` of that AS on it"],
  ["Node, label", "node.kubernetes.io/exclude-from-external-load-balancers", "it attracts no traffic"],
  ["Node, taint", "node.kubernetes.io/out-of-service", "the same; so does `ToBeDeletedByClusterAutoscaler`"],
  ["ConfigMap, label", "sluice.dev/policy", "`true`: it has [policy modules](policies.md) or lists that they read"],
];

/** Of a field of a kind: what holds without it, or what its schema does not say. */
export const FIELD_NOTES: Readonly<Record<string, { readonly value?: string; readonly note?: string }>> = {
  "BGPPeer holdTime": { value: code("90s"), note: "whole seconds" },
  "BGPPeer keepaliveTime": { value: "a third of `holdTime`", note: "whole seconds" },
  "BGPPeer connectTime": { value: code("120s"), note: "whole seconds" },
  "BGPPeer localASN": { note: "not supported: the session shows `myASN`" },
  "BGPPeer vrf": { note: "not supported: the session runs in the default VRF" },
  "BGPPeer disableMP": { note: "without effect: a session has its peer's family, or both by `dualStackAddressFamily`" },
  "BFDProfile echoMode": { note: "not supported: the session runs without echo packets" },
  "BFDProfile echoInterval": { note: "without effect" },
  ...ofBoth("virtualRouters[].podIPPoolSelector", "not supported: pools of pod addresses are not announced"),
  ...ofBoth("virtualRouters[].neighbors[].families[].afi", "only unicast of `ipv4` and `ipv6` is supported"),
  ...ofBoth(
    "virtualRouters[].neighbors[].advertisedPathAttributes[].selectorType",
    "`CiliumPodIPPool` is without effect",
  ),
  "CiliumBGPPeerConfig families[].afi": { note: "only unicast of `ipv4` and `ipv6` is supported" },
  "CiliumBGPAdvertisement advertisements[].advertisementType": {
    note: "`CiliumPodIPPool` and `Interface` are not announced",
  },
};

/** The policy of the first generation has two names. */
function ofBoth(field: string, note: string): Record<string, { readonly note: string }> {
  return { [`CiliumBGPPeeringPolicy ${field}`]: { note }, [`BGPPeeringPolicy ${field}`]: { note } };
}
