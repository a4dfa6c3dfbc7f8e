/**
 * Run inside the node's namespace by bench/control.ts, with lines of commands on standard input:
 *   create FROM TO        Services with ten endpoints each; answers "done"
 *   flip INDEX COUNT      takes one endpoint out of a Service's slice and puts it back, COUNT times in all, one second
 *                         apart; answers with the times of the writes, in milliseconds since the epoch
 */
import { createInterface } from "node:readline";
import { ApiConnection, ApiError } from "../../src/kubernetes/api-connection.ts";

const WRITERS = 16;
const ENDPOINTS = 10;
const ATTEMPTS = 5;
const api = new ApiConnection(process.argv[2]!);

const name = (index: number) => `s${String(index).padStart(5, "0")}`;

function endpoints(index: number, readyFrom: number) {
  return Array.from({ length: ENDPOINTS }, (_, at) => ({
    addresses: [`10.${100 + (index >> 8)}.${index & 255}.${at + 1}`],
    nodeName: "node1",
    conditions: { ready: at >= readyFrom, serving: at >= readyFrom, terminating: false },
  }));
}

/** A server under load may not answer in time although it does what was asked. */
async function ensure(path: string, object: object): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await api.create(path, object);
      return;
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) return;
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function create(index: number): Promise<void> {
  await ensure("/api/v1/namespaces/default/services", {
    metadata: { name: name(index), labels: { "bgp-advertise": "true" } },
    spec: { type: "LoadBalancer", allocateLoadBalancerNodePorts: false, ports: [{ port: 80 }] },
  });
  await ensure("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
    metadata: { name: `${name(index)}-x`, labels: { "kubernetes.io/service-name": name(index) } },
    addressType: "IPv4",
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
    endpoints: endpoints(index, 0),
  });
}

async function createAll(from: number, to: number): Promise<void> {
  let next = from;
  const worker = async () => {
    for (let index = next++; index < to; index = next++) await create(index);
  };
  await Promise.all(Array.from({ length: WRITERS }, worker));
}

async function flip(index: number, count: number): Promise<number[]> {
  const path = `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/${name(index)}-x`;
  const times: number[] = [];
  for (let round = 0; round < count; round++) {
    times.push(Date.now());
    await api.patch(path, { endpoints: endpoints(index, (round + 1) % 2) });
    await new Promise((resolve) => setTimeout(resolve, 3000));
  }
  return times;
}

for await (const line of createInterface(process.stdin)) {
  const [command, a, b] = line.split(" ");
  if (command === "create") {
    await createAll(Number(a), Number(b));
    console.log("done");
  } else console.log(JSON.stringify(await flip(Number(a), Number(b))));
}
