/** Joins the objects of all sources to one Intent. The order given decides: of one object's versions the last one wins. */
import type { AddressPool } from "../intent/address-pool.ts";
import type { Intent } from "../intent/intent.ts";
import type { Problem } from "../intent/problem.ts";
import { Recall, sameElements, settled } from "../intent/recall.ts";
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

interface Composed {
  readonly intent: Intent;
  readonly problems: readonly Problem[];
}

/** What the rest of an Intent follows from: everything but Services and where they run, which change most. */
type Frame = Omit<Intent, "services" | "gateways"> & { readonly problems: readonly Problem[] };

export function composeIntent(sources: readonly SourcedManifest[]): Composed {
  return new IntentComposer().compose(sources);
}

/** For those who do it again and again: what did not change is, in the next Intent, the very same object. */
export class IntentComposer {
  readonly #joined = new Recall<Service>();
  #framed: readonly SourcedManifest[] = [];
  #frame: Frame | null = null;
  #services: readonly Service[] = [];
  #gateways: readonly string[] = [];

  compose(sources: readonly SourcedManifest[]): Composed {
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
    const services: { readonly key: string; readonly service: Service }[] = [];
    const slices = new Map<string, BackendSlice[]>();
    const gatewaySlices: BackendSlice[] = [];
    const others: SourcedManifest[] = [];
    for (const source of latest.values()) {
      const { manifest } = source;
      if (manifest.type === "service") services.push({ key: serviceKey(manifest.service), service: manifest.service });
      else if (manifest.type !== "backend-slice") others.push(source);
      else {
        if (manifest.slice.isOfGateways) gatewaySlices.push(manifest.slice);
        const known = slices.get(manifest.slice.service);
        if (known === undefined) slices.set(manifest.slice.service, [manifest.slice]);
        else known.push(manifest.slice);
      }
    }
    if (this.#frame === null || !sameElements(others, this.#framed)) this.#frame = frameOf(others);
    this.#framed = others;
    const joined = services
      .sort((a, b) => compareText(a.key, b.key))
      .map(({ key, service }) => {
        const own = slices.get(key) ?? [];
        return this.#joined.of(key, [service, ...own], () => joinBackends(service, own));
      });
    this.#joined.endRound();
    this.#services = settled(this.#services, joined);
    this.#gateways = settled(this.#gateways, gatewayNodes(gatewaySlices));
    const gateways = this.#gateways.length === 0 ? null : this.#gateways;
    const { problems: found, ...frame } = this.#frame;
    return { intent: { ...frame, gateways, services: this.#services }, problems: [...problems, ...found] };
  }
}

/** Nodes whose gateway serves: neither still starting nor gone. One that is to end serves on while routes move away. */
function gatewayNodes(slices: readonly BackendSlice[]): string[] {
  const ready = slices.flatMap(({ backends }) => backends.filter(({ isServing }) => isServing));
  return [...new Set(ready.flatMap(({ node }) => node ?? []))].sort(compareText);
}

function frameOf(sources: readonly SourcedManifest[]): Frame {
  const manifests = sources.map(({ manifest }) => manifest);
  const settings = manifests.flatMap((manifest) => (manifest.type === "settings" ? [manifest.settings] : []));
  const inForce = settings[0] ?? DEFAULT_SETTINGS;
  const metalLb = metalLbIntent(manifests);
  return {
    problems: metalLb.problems,
    settings: inForce,
    nodes: manifests.flatMap((manifest) => (manifest.type === "node" ? [manifest.node] : [])).sort(byName),
    pools: distinctPools([
      ...manifests.flatMap((manifest) => (manifest.type === "pool" ? [manifest.pool] : [])),
      ...metalLb.pools,
    ]).sort(byName),
    bgpPolicies: [
      ...manifests.flatMap((manifest) => (manifest.type === "bgp-policy" ? [manifest.policy] : [])),
      ...ciliumBgpPolicies(manifests),
      ...metalLb.policies,
    ].sort((a, b) => compareText(a.object, b.object)),
    bgpPeerConfigs: manifests.flatMap((manifest) =>
      manifest.type === "bgp-peer-config"
        ? [{ object: `CiliumBGPPeerConfig/${manifest.name}`, passwordName: manifest.config.passwordName }]
        : [],
    ),
    l2Policies: [
      ...manifests.flatMap((manifest) => (manifest.type === "l2-policy" ? [manifest.policy] : [])),
      ...metalLb.l2Policies,
    ].sort((a, b) => compareText(a.object, b.object)),
    flowPolicies: sources
      .flatMap(({ manifest, where }) => (manifest.type === "flow-policy" ? [{ ...manifest.policy, where }] : []))
      .sort((a, b) => a.order - b.order || byName(a, b)),
    policyFiles: Object.fromEntries(
      manifests.flatMap((manifest) =>
        manifest.type === "policy-files"
          ? Object.entries(manifest.files).map(([key, text]) => [`${manifest.place}/${key}`, text])
          : [],
      ),
    ),
    bgpPasswords: { ...secretPasswords(manifests, inForce), ...metalLb.passwords },
  };
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
    for (const one of slice.backends) {
      const { address, state } = one;
      const backend = { ...one, port: slicePort.port ?? port.port };
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
