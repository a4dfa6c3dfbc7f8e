/** The ports on which sessions are accepted, and the keys of signed ones: kept as the spec declares them. */
import type { DeclaredInstance, DeclaredSpec } from "../bgp/declared-spec.ts";
import type { Incoming, Listen, Listening } from "./transport.ts";

/** All addresses of the node; a node without IPv6 has only the first. */
const ANY = ["0.0.0.0", "::"] as const;

interface OpenPort {
  readonly listening: Listening;
  /** Passwords in force by peer address. */
  readonly passwords: Map<string, string>;
}

export class ListeningPorts {
  readonly #listen: Listen;
  readonly #accept: (incoming: Incoming, port: number) => void;
  readonly #open = new Map<string, OpenPort>();

  constructor(listen: Listen, accept: (incoming: Incoming, port: number) => void) {
    this.#listen = listen;
    this.#accept = accept;
  }

  /** Throws in words when a port is taken; the others are open all the same. */
  async apply(spec: DeclaredSpec): Promise<void> {
    const wanted = new Map(spec.instances.flatMap(endpointsOf).map((one) => [`${one.address} ${one.port}`, one]));
    for (const [key, { listening }] of this.#open) {
      if (wanted.has(key)) continue;
      this.#open.delete(key);
      listening.close();
    }
    const problems: Error[] = [];
    for (const [key, { address, port, optional }] of wanted) {
      if (this.#open.has(key)) continue;
      try {
        const listening = await this.#listen(address, port, (incoming) => this.#accept(incoming, port));
        this.#open.set(key, { listening, passwords: new Map() });
      } catch (error) {
        if (!optional) problems.push(error as Error);
      }
    }
    const passwords = passwordsOf(spec);
    for (const open of this.#open.values()) setPasswords(open, passwords);
    if (problems[0] !== undefined) throw problems[0];
  }
}

function endpointsOf({ listenPort, listenAddresses }: DeclaredInstance) {
  if (listenPort === null) return [];
  const addresses = listenAddresses ?? ANY;
  const optional = (address: string) => listenAddresses === undefined && address === "::";
  return addresses.map((address) => ({ address, port: listenPort, optional: optional(address) }));
}

/** A peer that is still to be found has no address yet: it is connected to, and its own connections are not signed. */
function passwordsOf(spec: DeclaredSpec): Map<string, string> {
  const peers = spec.instances.flatMap((instance) => instance.peers);
  return new Map(
    peers.flatMap(({ address, password }) =>
      password === null || address === "" ? [] : [[address, password] as const],
    ),
  );
}

/** Only what changed is touched: the key of one peer is nothing to the sessions of others. */
function setPasswords({ listening, passwords }: OpenPort, wanted: ReadonlyMap<string, string>): void {
  for (const peer of [...passwords.keys()]) {
    if (wanted.has(peer)) continue;
    passwords.delete(peer);
    listening.setPassword(peer, null);
  }
  for (const [peer, password] of wanted) {
    if (passwords.get(peer) === password) continue;
    passwords.set(peer, password);
    listening.setPassword(peer, password);
  }
}
