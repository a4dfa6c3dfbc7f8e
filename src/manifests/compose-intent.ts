/** Joins the objects of all sources to one Intent. The order given decides: of one object's versions the last one wins. */
import type { AddressPool } from "../intent/address-pool.ts";
import type { Intent } from "../intent/intent.ts";
import type { Problem } from "../intent/problem.ts";
import {
  type BackendState,
  type Service,
  type ServiceBackend,
  type ServicePort,
  serviceKey,
} from "../intent/service.ts";
import { DEFAULT_SETTINGS, type Settings } from "../intent/settings.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import { ciliumBgpPolicies } from "./cilium-bgp-policies.ts";
import type { BackendSlice } from "./endpoint-slice.ts";
import type { Manifest } from "./kind.ts";
import { metalLbIntent } from "./metallb-policies.ts";

export interface SourcedManifest {
  readonly object: string;
  /** `file.yaml:12`. */
  readonly where: string;
  readonly manifest: Manifest;
}

export function composeIntent(sources: readonly SourcedManifest[]): {
  readonly intent: Intent;
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const latest = new Map<string, SourcedManifest>();
  for (const source of sources) {
    const earlier = latest.get(source.object);
    if (earlier !== undefined) {
      const message = `is defined twice; this one replaces the one in ${earlier.where}`;
      problems.push({ severity: "warning", object: source.object, field: "", message, where: source.where });
    }
    latest.set(source.object, source);
  }
  const manifests = [...latest.values()].map((source) => source.manifest);
  const settings = manifests.flatMap((manifest) => (manifest.type === "settings" ? [manifest.settings] : []));
  const slices = Map.groupBy(
    manifests.flatMap((manifest) => (manifest.type === "backend-slice" ? [manifest.slice] : [])),
    (slice) => slice.service,
  );
  const inForce = settings[0] ?? DEFAULT_SETTINGS;
  const metalLb = metalLbIntent(manifests);
  problems.push(...metalLb.problems);
  const intent: Intent = {
    settings: inForce,
    nodes: manifests.flatMap((manifest) => (manifest.type === "node" ? [manifest.node] : [])).sort(byName),
    pools: distinctPools([
      ...manifests.flatMap((manifest) => (manifest.type === "pool" ? [manifest.pool] : [])),
      ...metalLb.pools,
    ]).sort(byName),
    services: manifests
      .flatMap((manifest) => (manifest.type === "service" ? [manifest.service] : []))
      .map((service) => joinBackends(service, slices.get(serviceKey(service)) ?? []))
      .sort((a, b) => compareText(serviceKey(a), serviceKey(b))),
    bgpPolicies: [
      ...manifests.flatMap((manifest) => (manifest.type === "bgp-policy" ? [manifest.policy] : [])),
      ...ciliumBgpPolicies(manifests),
      ...metalLb.policies,
    ].sort((a, b) => compareText(a.object, b.object)),
    l2Policies: [
      ...manifests.flatMap((manifest) => (manifest.type === "l2-policy" ? [manifest.policy] : [])),
      ...metalLb.l2Policies,
    ].sort((a, b) => compareText(a.object, b.object)),
    flowPolicies: [...latest.values()]
      .flatMap(({ manifest, where }) => (manifest.type === "flow-policy" ? [{ ...manifest.policy, where }] : []))
      .sort((a, b) => a.order - b.order || byName(a, b)),
    bgpPasswords: { ...secretPasswords(manifests, inForce), ...metalLb.passwords },
  };
  return { intent, problems };
}

/** Cilium's policies name Secrets of one namespace, MetalLB's say which; so each is kept under both names. */
function secretPasswords(manifests: readonly Manifest[], { bgpSecretsNamespace }: Settings): Record<string, string> {
  const passwords: Record<string, string> = {};
  for (const manifest of manifests) {
    if (manifest.type !== "bgp-password") continue;
    passwords[`${manifest.namespace}/${manifest.name}`] = manifest.password;
    if (manifest.namespace === bgpSecretsNamespace) passwords[manifest.name] = manifest.password;
  }
  return passwords;
}

/** A pool of each dialect may have one name; the counts of each need a name of their own. */
function distinctPools(pools: readonly AddressPool[]): AddressPool[] {
  const ciliumNames = new Set(pools.filter(({ dialect }) => dialect === "cilium").map(({ name }) => name));
  return pools.map((pool) =>
    pool.dialect === "metallb" && ciliumNames.has(pool.name) ? { ...pool, name: `IPAddressPool/${pool.name}` } : pool,
  );
}

/** Ports are matched by name and protocol; a backend that several slices list counts once, at its best. */
function joinBackends(service: Service, slices: readonly BackendSlice[]): Service {
  return { ...service, ports: service.ports.map((port) => ({ ...port, backends: backendsOfPort(port, slices) })) };
}

const STATE_RANK: Readonly<Record<BackendState, number>> = { ready: 0, serving: 1, draining: 2 };

function backendsOfPort(port: ServicePort, slices: readonly BackendSlice[]): ServiceBackend[] {
  const best = new Map<string, ServiceBackend>();
  for (const slice of slices) {
    const slicePort = slice.ports.find(({ name, protocol }) => name === port.name && protocol === port.protocol);
    if (slicePort === undefined) continue;
    for (const { address, node, state, isServing } of slice.backends) {
      const backend = { address, port: slicePort.port ?? port.port, node, state, isServing };
      const key = `${formatIpAddress(address)} ${backend.port}`;
      const known = best.get(key);
      if (known === undefined || STATE_RANK[state] < STATE_RANK[known.state]) best.set(key, backend);
    }
  }
  return [...best.entries()].sort(([a], [b]) => compareText(a, b)).map(([, backend]) => backend);
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return compareText(a.name, b.name);
}

/** By code unit, so that no machine's locale changes the order. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
