/**
 * What people say by the keys of objects that have no schema of ours: the switches of ConfigMap `kube-system/cilium-config`,
 * annotations, labels. Values and defaults are the program's own; a unit test finds keys that it reads and this has not.
 */
import { BALANCING_CHOICES } from "../src/intent/balancing-choice.ts";
import {
  DSR_DISPATCHES,
  FORWARDING_CHOICES,
  FORWARDING_DEFAULTS,
  SOURCE_NAT_CHOICES,
} from "../src/intent/forwarding-choice.ts";
import { DEFAULT_SERVICE_IPAMS, DEFAULT_SETTINGS, MAGLEV_TABLE_SIZES } from "../src/intent/settings.ts";

/** Key, default, meaning. */
type Row = readonly [key: string, value: string, meaning: string];

const code = (value: unknown) => `\`${String(value)}\``;
const oneOf = (values: readonly unknown[]) => values.map(code).join(", ");
const seconds = (milliseconds: number) => code(`${milliseconds / 1000}s`);
const { l2Lease } = DEFAULT_SETTINGS;

export const SWITCHES: readonly Row[] = [
  ["enable-bgp-control-plane", code(false), "Cilium's BGP policies count; without this ConfigMap they do"],
  ["enable-l2-announcements", code(false), "Cilium's L2 policies count; without this ConfigMap they do"],
  ["enable-ipv4", code(DEFAULT_SETTINGS.ipv4Enabled), "IPv4 addresses are given"],
  ["enable-ipv6", code(DEFAULT_SETTINGS.ipv6Enabled), "IPv6 addresses are given"],
  [
    "enable-no-service-endpoints-routable",
    code(DEFAULT_SETTINGS.announceWithoutBackends),
    "announce a Service of `externalTrafficPolicy: Cluster` that has no backend",
  ],
  ["bpf-lb-mode", code(DEFAULT_SETTINGS.forwarding), `how replies come back: ${oneOf(FORWARDING_DEFAULTS)}`],
  ["bpf-lb-dsr-dispatch", code(DEFAULT_SETTINGS.dsrDispatch), `what tells the pod's node: ${oneOf(DSR_DISPATCHES)}`],
  ["bpf-lb-algorithm", code(DEFAULT_SETTINGS.balancing), `${oneOf(BALANCING_CHOICES)}`],
  ["bpf-lb-maglev-table-size", code(DEFAULT_SETTINGS.maglevTableSize), oneOf(MAGLEV_TABLE_SIZES)],
  ["sluice-source-nat", code(DEFAULT_SETTINGS.sourceNat), `whose address pods see: ${oneOf(SOURCE_NAT_CHOICES)}`],
  [
    "default-lb-service-ipam",
    code(DEFAULT_SETTINGS.defaultServiceIpam),
    `who gives addresses to Services without a class: ${oneOf(DEFAULT_SERVICE_IPAMS)}`,
  ],
  ["bgp-secrets-namespace", code(DEFAULT_SETTINGS.bgpSecretsNamespace), "where Secrets of Cilium's peers are"],
  ["l2-announcements-lease-duration", seconds(l2Lease.durationMilliseconds), "of the Leases that record owners"],
  ["l2-announcements-renew-deadline", seconds(l2Lease.renewDeadlineMilliseconds), "the same"],
  ["l2-announcements-retry-period", seconds(l2Lease.retryPeriodMilliseconds), "the same"],
];

/** Object, key, meaning. `metallb.io/` may also be `metallb.universe.tf/`. */
export const KEYS: readonly Row[] = [
  ["Service", "lbipam.cilium.io/ips", "the addresses that it wants, with commas; also `io.cilium/lb-ipam-ips`"],
  ["Service", "lbipam.cilium.io/sharing-key", "Services of one key may share an address; also `io.cilium/lb-ipam-...`"],
  ["Service", "lbipam.cilium.io/sharing-cross-namespace", "namespaces with which it shares, or `*`"],
  ["Service", "lbipam.cilium.io/sharing-permit-different-pods", "`true`: though their `Local` pods differ"],
  ["Service", "service.cilium.io/forwarding-mode", oneOf(FORWARDING_CHOICES)],
  ["Service", "service.cilium.io/lb-algorithm", oneOf(BALANCING_CHOICES)],
  [
    "Service",
    "service.cilium.io/src-ranges-policy",
    "`allow` (the default) or `deny` those of `loadBalancerSourceRanges`",
  ],
  ["Service", "sluice.dev/source-nat", oneOf(SOURCE_NAT_CHOICES)],
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
