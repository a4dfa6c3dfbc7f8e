/**
 * The network around a gateway, as far as a capture on its interfaces shows it. A capture has no routing table; what is
 * needed of one can be learned, and the rules are few:
 *
 * - The gateway's MAC on an interface is the one to which most frames for served addresses, or from backends, are sent.
 *   What has it as its source was sent by the gateway.
 * - An address that has sent something is reached the way it came from: by that interface, at that MAC.
 * - All others are behind the router: whoever has sent most frames for served addresses.
 */
import type { Route } from "../dataplane/fib.ts";
import { formatIpAddress, type IpAddress } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import type { CaptureFile } from "../wire/capture-file.ts";
import { type FrameEnds, frameEnds } from "./frame-ends.ts";
import type { ScenarioInterface, ScenarioNode } from "./scenario-node.ts";

interface KnownAddresses {
  /** Served by the gateway. */
  readonly served: readonly IpAddress[];
  readonly backends: readonly IpAddress[];
  /** The gateway's own. */
  readonly own: readonly IpAddress[];
}

/** Where nothing shows the gateway's MAC; locally administered. */
const MADE_UP_MAC = 0x020000000001 as Mac;
const USUAL_MTU = 1500;
const GROUP_BIT = 2 ** 40;
/** The router's addresses, under which nobody sends. */
const ROUTER: readonly IpAddress[] = [
  { family: 4, value: 0xa9fe0001n },
  { family: 6, value: (0xfe80n << 112n) | 1n },
];

export function learnNetwork(capture: CaptureFile, known: KnownAddresses): ScenarioNode {
  const served = new Set(known.served.map(formatIpAddress));
  const backends = new Set(known.backends.map(formatIpAddress));
  const isRequest = ({ destination }: FrameEnds) => destination !== null && served.has(formatIpAddress(destination));
  const isForUs = (ends: FrameEnds) =>
    isRequest(ends) || (ends.source !== null && backends.has(formatIpAddress(ends.source)));
  const seen = capture.frames.flatMap(({ bytes, interface: port }) => {
    const ends = frameEnds(bytes);
    return ends === null ? [] : [{ ...ends, port }];
  });
  const forUs = seen.filter((ends) => isForUs(ends) && !isGroup(ends.destinationMac));

  const interfaces = capture.interfaces.map(({ name }, port): ScenarioInterface => {
    const here = forUs.filter((ends) => ends.port === port);
    // Backends speak to others too; whoever asks for a served address speaks to the gateway.
    const asked = here.filter(isRequest);
    const mac =
      mostFrequent((asked.length > 0 ? asked : here).map(({ destinationMac }) => destinationMac)) ?? MADE_UP_MAC;
    const ownOf = (family: 4 | 6) => (port === 0 ? (known.own.find((own) => own.family === family) ?? null) : null);
    const lengths = seen.filter((ends) => ends.port === port).map(({ packetBytes }) => packetBytes);
    return {
      name: name ?? `port${port}`,
      mac,
      ipv4: ownOf(4),
      ipv6: ownOf(6),
      mtu: lengths.reduce((longest, length) => Math.max(longest, length), USUAL_MTU),
      tags: here.find(({ destinationMac }) => destinationMac === mac)?.tags ?? [],
      stack: null,
    };
  });

  const received = seen.filter(({ port, sourceMac }) => sourceMac !== interfaces[port]!.mac);
  const requests = received.filter(isRequest);
  const routerMac = mostFrequent(requests.map(({ sourceMac }) => sourceMac));
  const routerPort = requests.find(({ sourceMac }) => sourceMac === routerMac)?.port ?? 0;
  const routes: Route[] = [];
  const neighbors = new Map<string, { address: IpAddress; mac: Mac }>();
  if (routerMac !== null) {
    for (const gateway of ROUTER) {
      const { family } = gateway;
      routes.push({ destination: { family, value: 0n }, prefixLength: 0, gateway, port: routerPort });
      routes.push({ destination: gateway, prefixLength: bitsOf(gateway), gateway: null, port: routerPort });
      neighbors.set(formatIpAddress(gateway), { address: gateway, mac: routerMac });
    }
  }
  for (const { source, sourceMac, port } of received) {
    if (source === null || source.value === 0n || (sourceMac === routerMac && port === routerPort)) continue;
    const key = formatIpAddress(source);
    if (neighbors.has(key)) continue;
    neighbors.set(key, { address: source, mac: sourceMac });
    routes.push({ destination: source, prefixLength: bitsOf(source), gateway: null, port });
  }
  return { interfaces, routes, neighbors: [...neighbors.values()] };
}

/** Whether a frame of the capture is one that the gateway itself has sent. */
export function isSentByGateway(bytes: Uint8Array, port: ScenarioInterface): boolean {
  return frameEnds(bytes)?.sourceMac === port.mac;
}

function mostFrequent(values: readonly Mac[]): Mac | null {
  const counts = new Map<Mac, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let best: Mac | null = null;
  for (const [value, count] of counts) if (best === null || count > counts.get(best)!) best = value;
  return best;
}

function isGroup(mac: Mac): boolean {
  return Math.floor(mac / GROUP_BIT) % 2 === 1;
}

function bitsOf({ family }: IpAddress): number {
  return family === 4 ? 32 : 128;
}
