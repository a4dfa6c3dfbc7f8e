/** `EndpointSlice` (discovery.k8s.io/v1): where a Service runs. */
import type { BackendState, ServiceProtocol, TopologyHints } from "../intent/service.ts";
import { type IpAddress, parseIpAddress } from "../net/ip-address.ts";
import type { Report } from "./finding.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { KindAdapter } from "./kind.ts";
import { type KubernetesObject, type ObjectMetadata, objectSchema } from "./object-metadata.ts";

/** One slice in our words; slices are joined to their Service by name when all objects are known. */
export interface BackendSlice {
  /** Its endpoints are the gateways of the nodes. */
  readonly isOfGateways: boolean;
  /** `namespace/name`. */
  readonly service: string;
  readonly ports: readonly SlicePort[];
  readonly backends: readonly SliceBackend[];
}

interface SlicePort {
  readonly name: string;
  readonly protocol: ServiceProtocol;
  /** `null` stands for the port of the Service itself. */
  readonly port: number | null;
}

interface SliceBackend {
  readonly address: IpAddress;
  readonly node: string | null;
  readonly state: BackendState;
  readonly isServing: boolean;
  readonly weight?: number;
  readonly hints?: TopologyHints;
}

interface EndpointSliceObject extends KubernetesObject {
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly endpoints?: readonly EndpointFields[] | null;
  readonly ports?: readonly { name?: string | null; port?: number | null; protocol: ServiceProtocol }[] | null;
}

interface EndpointFields {
  readonly addresses: readonly string[];
  readonly nodeName?: string | null;
  readonly conditions?: {
    readonly ready?: boolean | null;
    readonly serving?: boolean | null;
    readonly terminating?: boolean | null;
  };
  readonly hints?: {
    readonly forZones?: readonly { readonly name: string }[] | null;
    readonly forNodes?: readonly { readonly name: string }[] | null;
  } | null;
}

const CONDITION: JsonSchema = { type: "boolean", nullable: true };

const NAMES: JsonSchema = {
  type: "array",
  nullable: true,
  items: { type: "object", required: ["name"], properties: { name: { type: "string" } } },
};

const ENDPOINT_SCHEMA: JsonSchema = {
  type: "object",
  required: ["addresses"],
  properties: {
    addresses: { type: "array", minItems: 1, items: { type: "string" } },
    nodeName: { type: "string", nullable: true },
    conditions: {
      type: "object",
      properties: { ready: CONDITION, serving: CONDITION, terminating: CONDITION },
    },
    hints: { type: "object", nullable: true, properties: { forZones: NAMES, forNodes: NAMES } },
  },
};

const SLICE_PORT_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    name: { type: "string", nullable: true },
    port: { type: "integer", nullable: true, minimum: 1, maximum: 65535 },
    protocol: { type: "string", enum: ["TCP", "UDP", "SCTP"], default: "TCP" },
  },
};

/** A Service with it selects the gateways' own pods; its slices have it too. */
const GATEWAYS_LABEL = "sluice.dev/gateways";
const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

export const ENDPOINT_SLICE: KindAdapter = {
  kind: "EndpointSlice",
  apiVersions: ["discovery.k8s.io/v1"],
  namespaced: true,
  closed: false,
  schema: objectSchema(
    {
      addressType: { type: "string", enum: ["IPv4", "IPv6", "FQDN"] },
      endpoints: { type: "array", nullable: true, items: ENDPOINT_SCHEMA },
      ports: { type: "array", nullable: true, items: SLICE_PORT_SCHEMA },
    },
    ["addressType"],
  ),
  read: (object, report) => {
    const { metadata, addressType, endpoints, ports } = object as EndpointSliceObject;
    const service = metadata.labels?.[SERVICE_NAME_LABEL];
    if (service === undefined) {
      report("warning", ["metadata", "labels"], `has no ${SERVICE_NAME_LABEL}, so it belongs to no Service`);
      return { type: "nothing" };
    }
    if (addressType === "FQDN") return { type: "nothing" };
    const weight = readWeight(metadata, report);
    return {
      type: "backend-slice",
      slice: {
        isOfGateways: metadata.labels?.[GATEWAYS_LABEL] !== undefined,
        service: `${metadata.namespace}/${service}`,
        ports: (ports ?? []).map(({ name, port, protocol }) => ({ name: name ?? "", port: port ?? null, protocol })),
        backends: (endpoints ?? []).flatMap((endpoint, index) =>
          readEndpoint(endpoint, addressType === "IPv4" ? 4 : 6, index, report).map((backend) => ({
            ...backend,
            ...weight,
          })),
        ),
      },
    };
  },
};

const WEIGHT = "service.cilium.io/weight";
const MOST_WEIGHT = 65_535;

/** The weight of all endpoints of a slice; 0 takes them out of service for new flows. */
function readWeight(metadata: ObjectMetadata, report: Report): Pick<SliceBackend, "weight"> {
  const text = metadata.annotations?.[WEIGHT];
  if (text === undefined) return {};
  const weight = Number(text);
  if (/^\d+$/.test(text) && weight <= MOST_WEIGHT) return { weight };
  const message = `must be a number from 0 to ${MOST_WEIGHT}; ${JSON.stringify(text)} counts as not given`;
  report("warning", ["metadata", "annotations", WEIGHT], message);
  return {};
}

function readEndpoint(endpoint: EndpointFields, family: 4 | 6, index: number, report: Report): SliceBackend[] {
  // All addresses of an endpoint are the same backend; as in kube-proxy only the first one counts.
  const text = endpoint.addresses[0]!;
  const address = parseIpAddress(text);
  if (address === null || address.family !== family) {
    const path = ["endpoints", index, "addresses", 0];
    report("error", path, `must be an IPv${family} address; is ${JSON.stringify(text)}`);
    return [];
  }
  const node = endpoint.nodeName || null;
  return [{ address, node, ...backendState(endpoint.conditions ?? {}), ...readHints(endpoint) }];
}

/** What is not said counts as ready, as serving as it is ready, and as not terminating. */
function backendState(
  conditions: NonNullable<EndpointFields["conditions"]>,
): Pick<SliceBackend, "state" | "isServing"> {
  const ready = conditions.ready ?? true;
  const serving = conditions.serving ?? ready;
  if (ready) return { state: "ready", isServing: true };
  return { state: serving && conditions.terminating === true ? "serving" : "draining", isServing: serving };
}

function readHints({ hints }: EndpointFields): Pick<SliceBackend, "hints"> {
  const namesOf = (list: readonly { readonly name: string }[] | null | undefined) =>
    (list ?? []).map(({ name }) => name);
  const read = { zones: namesOf(hints?.forZones), nodes: namesOf(hints?.forNodes) };
  return read.zones.length + read.nodes.length === 0 ? {} : { hints: read };
}
