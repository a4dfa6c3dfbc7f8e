/**
 * ConfigMap `kube-system/cilium-config`: the switches, under the names that Cilium's users know; one that only Sluice has
 * begins with `sluice-`. Others are ignored.
 *
 * A ConfigMap with the label `sluice.dev/policy: "true"` has files of policies: modules, and lists that they read.
 */
import { BALANCING_CHOICES } from "../intent/balancing-choice.ts";
import { DSR_DISPATCHES, FORWARDING_DEFAULTS, SOURCE_NAT_CHOICES } from "../intent/forwarding-choice.ts";
import {
  DEFAULT_SERVICE_IPAMS,
  DEFAULT_SETTINGS,
  type L2LeaseTimes,
  MAGLEV_TABLE_SIZES,
  type Settings,
} from "../intent/settings.ts";
import type { Report } from "./finding.ts";
import { goDurationMilliseconds } from "./go-duration.ts";
import type { KindAdapter } from "./kind.ts";
import { type KubernetesObject, objectSchema, STRING_MAP_SCHEMA } from "./object-metadata.ts";

interface ConfigMapObject extends KubernetesObject {
  readonly data?: Readonly<Record<string, string>>;
}

export const POLICY_LABEL = "sluice.dev/policy";

export const CONFIG_MAP: KindAdapter = {
  kind: "ConfigMap",
  apiVersions: ["v1"],
  namespaced: true,
  closed: false,
  schema: objectSchema({ data: STRING_MAP_SCHEMA }, []),
  // A slip in the switches must not open sessions, as no ConfigMap at all would.
  insteadOfRefused: (object) =>
    object === "ConfigMap/kube-system/cilium-config"
      ? { type: "settings", settings: { ...DEFAULT_SETTINGS, bgpEnabled: false, l2Enabled: false } }
      : null,
  read: (object, report) => {
    const { metadata, data } = object as ConfigMapObject;
    const isOurs = metadata.namespace === "kube-system" && metadata.name === "cilium-config";
    if (isOurs) return { type: "settings", settings: readSettings(data ?? {}, report) };
    if (metadata.labels?.[POLICY_LABEL] !== "true") return { type: "nothing" };
    return { type: "policy-files", place: `${metadata.namespace}/${metadata.name}`, files: data ?? {} };
  },
};

/** Cilium reads its switches with Go's strconv.ParseBool. */
const TRUE_WORDS = ["true", "True", "TRUE", "t", "T", "1"];
const FALSE_WORDS = ["false", "False", "FALSE", "f", "F", "0"];

function readSettings(data: Readonly<Record<string, string>>, report: Report): Settings {
  const oneOf = <Value extends string>(key: string, values: readonly Value[], fallback: Value): Value => {
    const text = data[key];
    if (text === undefined || text === "") return fallback;
    const value = values.find((candidate) => candidate === text);
    if (value === undefined) {
      report("error", ["data", key], `must be one of ${values.join(", ")}; is ${JSON.stringify(text)}`);
    }
    return value ?? fallback;
  };
  const isOn = (key: string, fallback: boolean) => {
    if (TRUE_WORDS.includes(data[key] ?? "")) return true;
    if (FALSE_WORDS.includes(data[key] ?? "")) return false;
    return oneOf(key, ["true", "false"], fallback ? "true" : "false") === "true";
  };
  return {
    bgpEnabled: isOn("enable-bgp-control-plane", false),
    l2Enabled: isOn("enable-l2-announcements", false),
    l2Lease: readLeaseTimes(data, report),
    ipv4Enabled: isOn("enable-ipv4", DEFAULT_SETTINGS.ipv4Enabled),
    ipv6Enabled: isOn("enable-ipv6", DEFAULT_SETTINGS.ipv6Enabled),
    announceWithoutBackends: isOn("enable-no-service-endpoints-routable", DEFAULT_SETTINGS.announceWithoutBackends),
    maglevTableSize: Number(
      oneOf("bpf-lb-maglev-table-size", MAGLEV_TABLE_SIZES.map(String), String(DEFAULT_SETTINGS.maglevTableSize)),
    ),
    forwarding: oneOf("bpf-lb-mode", FORWARDING_DEFAULTS, DEFAULT_SETTINGS.forwarding),
    dsrDispatch: oneOf("bpf-lb-dsr-dispatch", DSR_DISPATCHES, DEFAULT_SETTINGS.dsrDispatch),
    sourceNat: oneOf("sluice-source-nat", SOURCE_NAT_CHOICES, DEFAULT_SETTINGS.sourceNat),
    // Cilium's own default is random; ours lets routers move flows between nodes.
    balancing: oneOf("bpf-lb-algorithm", BALANCING_CHOICES, DEFAULT_SETTINGS.balancing),
    bgpSecretsNamespace: data["bgp-secrets-namespace"] || DEFAULT_SETTINGS.bgpSecretsNamespace,
    defaultServiceIpam: oneOf("default-lb-service-ipam", DEFAULT_SERVICE_IPAMS, DEFAULT_SETTINGS.defaultServiceIpam),
  };
}

const LEASE_KEYS = {
  durationMilliseconds: "l2-announcements-lease-duration",
  renewDeadlineMilliseconds: "l2-announcements-renew-deadline",
  retryPeriodMilliseconds: "l2-announcements-retry-period",
} as const;

/** Times that can't hold together are left out all three: half of them would be a third meaning. */
function readLeaseTimes(data: Readonly<Record<string, string>>, report: Report): L2LeaseTimes {
  const fallback = DEFAULT_SETTINGS.l2Lease;
  const read = (name: keyof L2LeaseTimes) => {
    const text = data[LEASE_KEYS[name]];
    if (text === undefined || text === "") return fallback[name];
    const milliseconds = goDurationMilliseconds(text);
    if (milliseconds !== null && milliseconds > 0) return milliseconds;
    report(
      "warning",
      ["data", LEASE_KEYS[name]],
      `must be a duration such as 15s; ${JSON.stringify(text)} is left out`,
    );
    return fallback[name];
  };
  const times = {
    durationMilliseconds: read("durationMilliseconds"),
    renewDeadlineMilliseconds: read("renewDeadlineMilliseconds"),
    retryPeriodMilliseconds: read("retryPeriodMilliseconds"),
  };
  if (times.durationMilliseconds > 1000 && times.durationMilliseconds > times.renewDeadlineMilliseconds) return times;
  const message = `must be more than a second and more than ${LEASE_KEYS.renewDeadlineMilliseconds}; the defaults hold`;
  report("warning", ["data", LEASE_KEYS.durationMilliseconds], message);
  return fallback;
}
