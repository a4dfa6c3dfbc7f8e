/** `Service` (v1), with the annotations by which users of either dialect ask for addresses and for sharing them. */
import { DEFAULT_AFFINITY_SECONDS } from "../intent/balancing-choice.ts";
import type {
  AddressSharing,
  ClientRanges,
  FamilyPolicy,
  Service,
  ServicePort,
  ServiceProtocol,
} from "../intent/service.ts";
import { compareIpAddress, type IpAddress, parseIpAddress, parseIpPrefix } from "../net/ip-address.ts";
import type { FieldPath, Report } from "./finding.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { KindAdapter } from "./kind.ts";
import {
  annotation,
  createdAtMilliseconds,
  type KubernetesObject,
  type ObjectMetadata,
  objectSchema,
  STRING_MAP_SCHEMA,
} from "./object-metadata.ts";
import { readForwarding } from "./service-forwarding.ts";

interface ServiceObject extends KubernetesObject {
  readonly spec: {
    readonly type: string;
    readonly ports?: readonly { name?: string; port: number; protocol: ServiceProtocol }[];
    readonly selector?: Readonly<Record<string, string>> | null;
    readonly externalTrafficPolicy: "Cluster" | "Local";
    readonly internalTrafficPolicy: "Cluster" | "Local";
    readonly healthCheckNodePort?: number;
    readonly clusterIP?: string;
    readonly clusterIPs?: readonly string[];
    readonly externalIPs?: readonly string[];
    readonly loadBalancerClass?: string | null;
    readonly loadBalancerIP?: string;
    readonly loadBalancerSourceRanges?: readonly string[];
    readonly sessionAffinity?: string;
    readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } } | null;
    readonly ipFamilies?: readonly ("IPv4" | "IPv6")[];
    readonly ipFamilyPolicy?: FamilyPolicy | null;
  };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] };
  };
}

const PORT_SCHEMA: JsonSchema = {
  type: "object",
  required: ["port"],
  properties: {
    name: { type: "string" },
    port: { type: "integer", minimum: 1, maximum: 65535 },
    protocol: { type: "string", enum: ["TCP", "UDP", "SCTP"], default: "TCP" },
  },
};

const SERVICE_SPEC_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    type: { type: "string", enum: ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"], default: "ClusterIP" },
    ports: { type: "array", items: PORT_SCHEMA },
    selector: { ...STRING_MAP_SCHEMA, nullable: true },
    externalTrafficPolicy: { type: "string", enum: ["Cluster", "Local"], default: "Cluster" },
    internalTrafficPolicy: { type: "string", enum: ["Cluster", "Local"], default: "Cluster" },
    healthCheckNodePort: { type: "integer", minimum: 0, maximum: 65535 },
    clusterIP: { type: "string" },
    clusterIPs: { type: "array", items: { type: "string" } },
    externalIPs: { type: "array", items: { type: "string" } },
    loadBalancerClass: { type: "string", nullable: true },
    loadBalancerIP: { type: "string" },
    loadBalancerSourceRanges: { type: "array", items: { type: "string" } },
    sessionAffinity: { type: "string", enum: ["None", "ClientIP"] },
    sessionAffinityConfig: {
      type: "object",
      nullable: true,
      properties: {
        clientIP: {
          type: "object",
          nullable: true,
          properties: { timeoutSeconds: { type: "integer", minimum: 1, maximum: 86_400, nullable: true } },
        },
      },
    },
    ipFamilies: { type: "array", items: { type: "string", enum: ["IPv4", "IPv6"] } },
    ipFamilyPolicy: {
      type: "string",
      nullable: true,
      enum: ["SingleStack", "PreferDualStack", "RequireDualStack"],
    },
  },
};

const SERVICE_STATUS_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    conditions: { type: "array", items: { type: "object" } },
    loadBalancer: {
      type: "object",
      properties: {
        ingress: {
          type: "array",
          items: { type: "object", properties: { ip: { type: "string" }, hostname: { type: "string" } } },
        },
      },
    },
  },
};

export const SERVICE: KindAdapter = {
  kind: "Service",
  apiVersions: ["v1"],
  namespaced: true,
  closed: false,
  schema: objectSchema({ spec: SERVICE_SPEC_SCHEMA, status: SERVICE_STATUS_SCHEMA }, ["spec"]),
  read: (object, report) => {
    const { metadata, spec, status } = object as ServiceObject;
    const wantsLoadBalancer = spec.type === "LoadBalancer";
    const ports = (spec.ports ?? []).map(
      (port): ServicePort => ({ name: port.name ?? "", port: port.port, protocol: port.protocol, backends: [] }),
    );
    if (wantsLoadBalancer) {
      checkPorts(ports, report);
    }
    return {
      type: "service",
      service: {
        namespace: metadata.namespace!,
        name: metadata.name,
        labels: metadata.labels ?? {},
        createdAtMilliseconds: createdAtMilliseconds(metadata),
        wantsLoadBalancer,
        loadBalancerClass: spec.loadBalancerClass ?? null,
        externalTrafficPolicy: spec.externalTrafficPolicy === "Local" ? "local" : "cluster",
        internalTrafficPolicy: spec.internalTrafficPolicy === "Local" ? "local" : "cluster",
        ...(spec.healthCheckNodePort ? { healthCheckNodePort: spec.healthCheckNodePort } : {}),
        clusterAddresses: readClusterAddresses(object as ServiceObject),
        externalAddresses: (spec.externalIPs ?? []).flatMap((text, index) =>
          readAddress(text, ["spec", "externalIPs", index], report),
        ),
        families: (spec.ipFamilies ?? []).map((family) => (family === "IPv4" ? 4 : 6)),
        familyPolicy: spec.ipFamilyPolicy ?? null,
        requestedAddresses: readRequests(object as ServiceObject, report),
        heldAddresses: (status?.loadBalancer?.ingress ?? []).flatMap((ingress, index) =>
          readAddress(ingress.ip, ["status", "loadBalancer", "ingress", index, "ip"], report),
        ),
        ...readMetalLbRequest(object as ServiceObject),
        sharing: readSharing(metadata),
        affinitySeconds: readAffinity(object as ServiceObject),
        ...readForwarding(metadata, report),
        clients: readClients(object as ServiceObject, report),
        podSelector: spec.selector ?? {},
        ports,
      },
    };
  },
};

function checkPorts(ports: readonly ServicePort[], report: Report): void {
  if (ports.length === 0) report("error", ["spec", "ports"], "must have at least one entry");
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const path = ["spec", "ports", index];
    if (ports.length > 1 && port.name === "") report("error", [...path, "name"], "is required with several ports");
    else if (names.has(port.name)) report("error", [...path, "name"], `"${port.name}" is used twice`);
    names.add(port.name);
  }
}

function readAffinity({ spec }: ServiceObject): number | null {
  if (spec.sessionAffinity !== "ClientIP") return null;
  return spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS;
}

const SOURCE_RANGES_POLICY_ANNOTATIONS = ["service.cilium.io/src-ranges-policy"];

/**
 * Kubernetes lets any text in here. A bad range is left out; a list of which nothing is left lets nobody in, because
 * somebody wanted to restrict access.
 */
function readClients({ metadata, spec }: ServiceObject, report: Report): ClientRanges | null {
  const texts = spec.loadBalancerSourceRanges ?? [];
  if (texts.length === 0) return null;
  const policy = annotation(metadata, SOURCE_RANGES_POLICY_ANNOTATIONS)?.value ?? "allow";
  if (policy !== "allow" && policy !== "deny") {
    const path = ["metadata", "annotations", SOURCE_RANGES_POLICY_ANNOTATIONS[0]!];
    report("warning", path, `must be "allow" or "deny"; ${JSON.stringify(policy)} counts as "allow"`);
  }
  const ranges = texts.flatMap((text, index) => {
    const range = parseIpPrefix(text.trim());
    if (range !== null) return [range];
    const message = `must be a prefix such as 192.0.2.0/24; ${JSON.stringify(text)} is left out`;
    report("warning", ["spec", "loadBalancerSourceRanges", index], message);
    return [];
  });
  return { action: policy === "deny" ? "deny" : "allow", ranges };
}

/** The cluster's own addresses; "None" of a headless Service is none. */
function readClusterAddresses({ spec }: ServiceObject): IpAddress[] {
  const texts = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return texts.flatMap((text) => parseIpAddress(text) ?? []);
}

const METALLB_PREFIXES = ["metallb.io/", "metallb.universe.tf/"];
const METALLB_POOL_ANNOTATIONS = METALLB_PREFIXES.map((prefix) => `${prefix}address-pool`);
const METALLB_REQUEST_ANNOTATIONS = METALLB_PREFIXES.map((prefix) => `${prefix}loadBalancerIPs`);
const METALLB_ALLOCATED_ANNOTATIONS = METALLB_PREFIXES.map((prefix) => `${prefix}ip-allocated-from-pool`);
const METALLB_SHARING_ANNOTATIONS = METALLB_PREFIXES.map((prefix) => `${prefix}allow-shared-ip`);

function readMetalLbRequest({
  metadata,
  spec,
}: ServiceObject): Pick<Service, "requestedPool" | "requestFault" | "dialect" | "allocatedBy"> {
  const asked = annotation(metadata, METALLB_REQUEST_ANNOTATIONS);
  const speaks = (prefix: string) => Object.keys(metadata.annotations ?? {}).some((key) => key.startsWith(prefix));
  const isAllocated = annotation(metadata, METALLB_ALLOCATED_ANNOTATIONS) !== null;
  return {
    ...(isAllocated ? { allocatedBy: "MetalLB" as const } : {}),
    requestedPool: annotation(metadata, METALLB_POOL_ANNOTATIONS)?.value ?? null,
    requestFault:
      asked !== null && spec.loadBalancerIP
        ? `service can not have both ${asked.key} and svc.Spec.LoadBalancerIP`
        : null,
    dialect: METALLB_PREFIXES.some(speaks)
      ? "metallb"
      : speaks("lbipam.cilium.io/") || speaks("io.cilium/lb-ipam")
        ? "cilium"
        : null,
  };
}

const REQUEST_ANNOTATIONS = ["lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips", ...METALLB_REQUEST_ANNOTATIONS];
const SHARING_KEY_ANNOTATIONS = ["lbipam.cilium.io/sharing-key", "io.cilium/lb-ipam-sharing-key"];
const SHARING_NAMESPACES_ANNOTATIONS = [
  "lbipam.cilium.io/sharing-cross-namespace",
  "io.cilium/lb-ipam-sharing-cross-namespace",
];
const SHARING_PODS_ANNOTATIONS = [
  "lbipam.cilium.io/sharing-permit-different-pods",
  "io.cilium/lb-ipam-sharing-permit-different-pods",
];

/** `spec.loadBalancerIP` and the annotation add up; each address counts once. */
function readRequests({ metadata, spec }: ServiceObject, report: Report): IpAddress[] {
  const requests = readAddress(spec.loadBalancerIP, ["spec", "loadBalancerIP"], report);
  const asked = annotation(metadata, REQUEST_ANNOTATIONS);
  for (const text of asked?.value.split(",") ?? []) {
    requests.push(...readAddress(text.trim(), ["metadata", "annotations", asked!.key], report));
  }
  return requests.filter(
    (address, index) => requests.findIndex((other) => compareIpAddress(address, other) === 0) === index,
  );
}

/** Kubernetes lets any text in here, so a bad one is left out rather than the whole Service. */
function readAddress(text: string | undefined, path: FieldPath, report: Report): IpAddress[] {
  if (text === undefined || text === "") return [];
  const address = parseIpAddress(text);
  if (address !== null) return [address];
  report("warning", path, `must be an IP address; ${JSON.stringify(text)} is left out`);
  return [];
}

function readSharing(metadata: ObjectMetadata): AddressSharing | null {
  const key = annotation(metadata, SHARING_KEY_ANNOTATIONS);
  if (key === null) return readMetalLbSharing(metadata);
  const namespaces = annotation(metadata, SHARING_NAMESPACES_ANNOTATIONS);
  return {
    dialect: "cilium",
    key: key.value,
    namespaces: namespaces === null ? [] : namespaces.value.split(",").map((namespace) => namespace.trim()),
    permitDifferentPods: annotation(metadata, SHARING_PODS_ANNOTATIONS)?.value === "true",
  };
}

/** MetalLB shares across namespaces without being asked. */
function readMetalLbSharing(metadata: ObjectMetadata): AddressSharing | null {
  const key = annotation(metadata, METALLB_SHARING_ANNOTATIONS);
  return key === null ? null : { dialect: "metallb", key: key.value, namespaces: ["*"], permitDifferentPods: false };
}
