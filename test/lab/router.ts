/**
 * A router of a lab, whichever daemon it runs: what the labs ask of it. Its routes are asked of the kernel it installs
 * them in, the same way for both.
 */
import { Bird } from "../interop/bird.ts";
import { Frr } from "./frr.ts";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";

export type RouterKind = "frr" | "bird";

export interface Router {
  readonly kind: RouterKind;
  readonly namespace: Namespace;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The addresses with which a session is up, in order. */
  established(): string[];
  /** A command line that shows its sessions, for people who want to look around. */
  sessionsCommand(): string[];
  /** How many of several equally good paths from nodes it may use at once. */
  useNodePaths(count: number): Promise<void>;
}

/** What a configuration leaves open; it is a text of the router's own language. */
export type RouterConfig = (settings: { readonly nodePaths: number }) => string;

export function makeRouter(lab: Lab, kind: RouterKind, namespace: Namespace, config: RouterConfig): Router {
  return kind === "frr" ? new FrrRouter(lab, namespace, config) : new BirdRouter(lab, namespace, config);
}

class FrrRouter implements Router {
  readonly kind = "frr";
  readonly namespace: Namespace;
  readonly #frr: Frr;

  constructor(lab: Lab, namespace: Namespace, config: RouterConfig) {
    this.namespace = namespace;
    this.#frr = new Frr(lab, namespace, config({ nodePaths: 1 }));
  }

  start(): Promise<void> {
    return this.#frr.start();
  }

  stop(): Promise<void> {
    return this.#frr.stop();
  }

  established(): string[] {
    type Family = { readonly peers?: Record<string, { readonly state: string }> };
    const summary = this.#frr.vtyshJson<Record<string, Family>>("show bgp summary json");
    const peers = Object.values(summary).flatMap(({ peers = {} }) => Object.entries(peers));
    return unique(peers.filter(([, { state }]) => state === "Established").map(([address]) => address));
  }

  sessionsCommand(): string[] {
    return this.#frr.vtyshCommand("show bgp summary");
  }

  async useNodePaths(count: number): Promise<void> {
    const asn = /router bgp (\d+)/.exec(this.#frr.vtysh("show running-config"))![1]!;
    const families = ["ipv4", "ipv6"].flatMap((family) => [
      `address-family ${family} unicast`,
      `maximum-paths ibgp ${count}`,
      "exit-address-family",
    ]);
    this.#frr.configure(`router bgp ${asn}`, ...families);
  }
}

class BirdRouter implements Router {
  readonly kind = "bird";
  readonly namespace: Namespace;
  readonly #bird: Bird;
  readonly #config: RouterConfig;

  constructor(lab: Lab, namespace: Namespace, config: RouterConfig) {
    this.namespace = namespace;
    this.#config = config;
    this.#bird = new Bird(lab, namespace, "");
  }

  start(): Promise<void> {
    return this.useNodePaths(1);
  }

  /** Gracefully, so that it takes its routes out of the kernel. */
  stop(): Promise<void> {
    return this.#bird.stop("SIGTERM");
  }

  established(): string[] {
    const protocols = this.#bird.askWords("show", "protocols", "all").split(/\n(?=\S)/);
    const up = protocols.filter((text) => /BGP state: +Established/.test(text));
    return unique(up.flatMap((text) => /Neighbor address: +([^\s%]+)/.exec(text)?.[1] ?? []));
  }

  sessionsCommand(): string[] {
    return this.#bird.command("show protocols");
  }

  useNodePaths(count: number): Promise<void> {
    return this.#bird.configure(this.#config({ nodePaths: count }));
  }
}

function unique(addresses: readonly string[]): string[] {
  return [...new Set(addresses)].sort();
}
