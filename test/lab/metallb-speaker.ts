/**
 * What announces in MetalLB's place: the routing daemon that its speaker drives, configured as the speaker configures it.
 * MetalLB has two, one written in Go and FRR; here GoBGP stands for the first. Which Service has which address, and where
 * it may be announced, is decided by whoever calls.
 */
import { Gobgp } from "../interop/gobgp.ts";
import { Frr } from "./frr.ts";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";

export interface SpeakerSettings {
  readonly asn: number;
  readonly routerId: string;
  readonly router: string;
  readonly routerAsn: number;
}

export interface MetallbSpeaker {
  /** The daemon's name. */
  readonly daemon: string;
  start(): Promise<void>;
  announce(prefix: string): void;
  stop(): Promise<void>;
}

export function makeSpeaker(
  lab: Lab,
  namespace: Namespace,
  daemon: "gobgp" | "frr",
  settings: SpeakerSettings,
): MetallbSpeaker {
  return daemon === "frr" ? new FrrSpeaker(lab, namespace, settings) : new GobgpSpeaker(lab, namespace, settings);
}

function familyOf(prefix: string): "ipv4" | "ipv6" {
  return prefix.includes(":") ? "ipv6" : "ipv4";
}

class FrrSpeaker implements MetallbSpeaker {
  readonly daemon = "FRR";
  readonly #frr: Frr;
  readonly #asn: number;

  constructor(lab: Lab, namespace: Namespace, { asn, routerId, router, routerAsn }: SpeakerSettings) {
    this.#asn = asn;
    const lines = [
      `router bgp ${asn}`,
      " no bgp ebgp-requires-policy",
      " no bgp network import-check",
      " no bgp default ipv4-unicast",
      ` bgp router-id ${routerId}`,
      ` neighbor ${router} remote-as ${routerAsn}`,
      // The router speaks from its loopback.
      ` neighbor ${router} disable-connected-check`,
      ` neighbor ${router} timers connect 1`,
      ` address-family ${familyOf(router)} unicast`,
      `  neighbor ${router} activate`,
      " exit-address-family",
    ];
    this.#frr = new Frr(lab, namespace, `${lines.join("\n")}\n`);
  }

  start(): Promise<void> {
    return this.#frr.start();
  }

  announce(prefix: string): void {
    this.#frr.configure(
      `router bgp ${this.#asn}`,
      `address-family ${familyOf(prefix)} unicast`,
      `network ${prefix}`,
      "exit-address-family",
    );
  }

  stop(): Promise<void> {
    return this.#frr.stop();
  }
}

class GobgpSpeaker implements MetallbSpeaker {
  readonly daemon = "GoBGP";
  readonly #gobgp: Gobgp;
  readonly #config: string;

  constructor(lab: Lab, namespace: Namespace, { asn, routerId, router, routerAsn }: SpeakerSettings) {
    this.#gobgp = new Gobgp(lab, namespace);
    this.#config = `
global: { config: { as: ${asn}, router-id: ${routerId}, port: 179 } }
neighbors:
  - config: { neighbor-address: "${router}", peer-as: ${routerAsn} }
    timers: { config: { connect-retry: 1 } }
    afi-safis: [ { config: { afi-safi-name: ${familyOf(router)}-unicast } } ]
`;
  }

  start(): Promise<void> {
    return this.#gobgp.start(this.#config);
  }

  announce(prefix: string): void {
    this.#gobgp.ask("global", "rib", "-a", familyOf(prefix), "add", prefix);
  }

  stop(): Promise<void> {
    return this.#gobgp.stop();
  }
}
