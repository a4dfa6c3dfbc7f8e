/** A Service in the words of a policy's `intent`, and back: what it answers is checked as strictly as a manifest. */
import type { BackendState, Service, ServiceBackend, ServicePort } from "../intent/service.ts";
import { formatPath } from "../manifests/finding.ts";
import { compileSchema } from "../manifests/json-schema.ts";
import { formatIpAddress, parseIpAddress } from "../net/ip-address.ts";
import type { BackendIntent, PortIntent, ServiceIntent } from "../policy/define-policy.ts";

const PORT = { type: "integer", minimum: 1, maximum: 65535 } as const;
const HEAVIEST = 1000;

const checkAnswer = compileSchema(
  {
    type: "object",
    properties: {
      mode: { type: "string", enum: ["nat", "dsr"], nullable: true },
      balancing: { type: "string", enum: ["maglev", "random", "least-connections"], nullable: true },
      ports: {
        type: "array",
        items: {
          type: "object",
          required: ["port", "protocol", "backends"],
          properties: {
            port: PORT,
            protocol: { type: "string", enum: ["TCP", "UDP", "SCTP"] },
            backends: {
              type: "array",
              items: {
                type: "object",
                required: ["address", "port"],
                properties: {
                  address: { type: "string" },
                  port: PORT,
                  weight: { type: "integer", minimum: 0, maximum: HEAVIEST },
                  state: { type: "string", enum: ["ready", "serving", "draining"] },
                  node: { type: "string", nullable: true },
                },
              },
            },
          },
        },
      },
    },
  },
  false,
);

export function serviceIntent(service: Service): ServiceIntent {
  return {
    namespace: service.namespace,
    name: service.name,
    labels: service.labels,
    mode: service.forwarding === null ? null : service.forwarding === "dsr" ? "dsr" : "nat",
    balancing: service.balancing,
    ports: service.ports.map(({ name, port, protocol, backends }): PortIntent => {
      return { name, port, protocol, backends: backends.map(backendIntent) };
    }),
  };
}

/**
 * What a hook's answer makes of a Service; what it does not speak of stays.
 * @throws Error that names each wrong field.
 */
export function answeredIntent(before: ServiceIntent, answer: unknown): ServiceIntent {
  if (answer === undefined) return before;
  const { findings } = checkAnswer(answer);
  const faults = findings.map(({ path, message }) => `${formatPath(path)}: ${message}`);
  const { mode = before.mode, balancing = before.balancing, ports } = answer as Partial<ServiceIntent>;
  if (faults.length > 0 || ports === undefined) {
    if (faults.length > 0) throw new Error(faults.join("; "));
    return { ...before, mode, balancing };
  }
  for (const [index, port] of ports.entries()) faults.push(...portFaults(before, port, `ports[${index}]`));
  if (faults.length > 0) throw new Error(faults.join("; "));
  const answered = before.ports.map((port) => {
    const backends = ports.find((one) => isSamePort(one, port))?.backends;
    return backends === undefined ? port : { ...port, backends };
  });
  return { ...before, mode, balancing, ports: answered };
}

/** The Service as a policy wants it. What the policy left as it was is the very same object. */
export function intendedService(service: Service, { mode, balancing, ports }: ServiceIntent): Service {
  return {
    ...service,
    forwarding: mode === null ? null : mode === "dsr" ? "dsr" : "snat",
    balancing,
    ports: service.ports.map((port): ServicePort => {
      const backends = ports.find((one) => isSamePort(one, port))?.backends;
      return backends === undefined ? port : { ...port, backends: backends.map((one) => intendedBackend(port, one)) };
    }),
  };
}

function backendIntent({ address, port, weight, state, node }: ServiceBackend): BackendIntent {
  return { address: formatIpAddress(address), port, weight: weight ?? 1, state, node };
}

function intendedBackend({ backends }: ServicePort, wanted: BackendIntent): ServiceBackend {
  const address = parseIpAddress(wanted.address)!;
  const known = backends.find(
    (one) => one.port === wanted.port && one.address.family === address.family && one.address.value === address.value,
  );
  const state: BackendState = wanted.state ?? known?.state ?? "ready";
  const weight = wanted.weight ?? known?.weight ?? 1;
  const node = wanted.node === undefined ? (known?.node ?? null) : wanted.node;
  return { isServing: true, ...known, address, port: wanted.port, state, weight, node };
}

function portFaults(before: ServiceIntent, { port, protocol, backends }: PortIntent, where: string): string[] {
  const known = before.ports.some((one) => one.port === port && one.protocol === protocol);
  const seen = new Set<string>();
  const faults = backends.flatMap((backend, index) => {
    const field = `${where}.backends[${index}]`;
    const address = parseIpAddress(backend.address);
    if (address === null) return [`${field}.address: ${JSON.stringify(backend.address)} is no IP address`];
    const end = `${formatIpAddress(address)} ${backend.port}`;
    if (seen.has(end)) return [`${field}: is there twice`];
    seen.add(end);
    return [];
  });
  return known ? faults : [`${where}: the Service has no port ${port}/${protocol}; a policy can't add one`, ...faults];
}

function isSamePort(a: Pick<PortIntent, "port" | "protocol">, b: Pick<PortIntent, "port" | "protocol">): boolean {
  return a.port === b.port && a.protocol === b.protocol;
}
