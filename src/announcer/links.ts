/** The interfaces on which this node announces: what the kernel says of them, who speaks there, whether routers answer. */
import type { IpAddress } from "../net/ip-address.ts";
import type { AddressClaim } from "../wire/resolution.ts";
import { NetworkMirror, type NetworkTable } from "../xdp/network-mirror.ts";
import type { AnnouncerEvent, AnnouncerPort } from "./announcer-message.ts";
import { GatewayWatch } from "./gateway-watch.ts";
import { LinkVoice } from "./link-voice.ts";

/** Who listens so much later than the last time was stopped, and has missed what was said. */
const STOPPED_MILLISECONDS = 2000;

export class Links {
  readonly voices: readonly LinkVoice[];
  readonly #mirror = new NetworkMirror();
  readonly #gateways = new GatewayWatch();
  readonly #changed: (event: AnnouncerEvent) => void;
  readonly #silent = new Set<string>();
  #lastListen = 0;

  constructor(ports: readonly AnnouncerPort[], changed: (event: AnnouncerEvent) => void) {
    this.#changed = changed;
    this.voices = ports.map((port) => new LinkVoice(port));
    this.#read(new Set(["links", "routes"]), false);
    this.#mirror.onChange((tables) => this.#read(tables, true));
  }

  /** Readable when there is something to take. */
  get descriptors(): readonly number[] {
    return this.voices.flatMap(({ descriptors }) => descriptors);
  }

  /** When to listen next though nobody has said anything. */
  next(now: number): number {
    return this.#gateways.next(now);
  }

  /** Asks the gateways and takes what was said on the links. */
  listen(now: number, take: (voice: LinkVoice, claim: AddressClaim) => void): void {
    if (now - this.#lastListen > STOPPED_MILLISECONDS) this.#gateways.forgive(now);
    this.#lastListen = now;
    for (const voice of this.voices) {
      voice.listen((claim) => {
        this.#gateways.heard(voice.port.interfaceIndex, claim.address, now);
        take(voice, claim);
      });
    }
    for (const { interfaceIndex, address } of this.#gateways.due(now)) {
      this.voices.find(({ port }) => port.interfaceIndex === interfaceIndex)?.ask(address, null);
    }
    this.#tellSilence(now);
  }

  isGatewaySilent({ port }: LinkVoice, family: 4 | 6, now: number): boolean {
    return this.#gateways.isSilent(port.interfaceIndex, family, now);
  }

  gatewaysOf({ port }: LinkVoice, family: 4 | 6): readonly IpAddress[] {
    return this.#gateways.of(port.interfaceIndex).filter((address) => address.family === family);
  }

  close(): void {
    this.#mirror.close();
    for (const voice of this.voices) voice.close();
  }

  #tellSilence(now: number): void {
    for (const voice of this.voices) {
      const { name } = voice.port;
      const isSilent = this.isGatewaySilent(voice, 4, now) || this.isGatewaySilent(voice, 6, now);
      if (isSilent === this.#silent.has(name)) continue;
      if (isSilent) this.#silent.add(name);
      else this.#silent.delete(name);
      this.#changed({ type: "link", interface: name, state: isSilent ? "gateway silent" : "up" });
    }
  }

  #read(tables: ReadonlySet<NetworkTable>, tells: boolean): void {
    const { links, addresses, routes } = this.#mirror.snapshot();
    for (const voice of this.voices) {
      const { interfaceIndex, name } = voice.port;
      const link = links.find(({ index }) => index === interfaceIndex);
      const carrier = (link?.up && link.carrier) ?? false;
      voice.mac = link?.mac ?? null;
      voice.addresses = addresses.filter((one) => one.interfaceIndex === interfaceIndex).map(({ address }) => address);
      if (carrier === voice.carrier) continue;
      voice.carrier = carrier;
      if (tells) this.#changed({ type: "link", interface: name, state: carrier ? "up" : "no carrier" });
    }
    if (!tables.has("routes")) return;
    const ofPorts = new Set(this.voices.map(({ port }) => port.interfaceIndex));
    this.#gateways.set(
      routes
        .filter(({ prefixLength, type }) => prefixLength === 0 && type === "unicast")
        .flatMap(({ nextHops }) => nextHops)
        .flatMap(({ interfaceIndex, gateway }) =>
          gateway === null || !ofPorts.has(interfaceIndex) ? [] : [{ interfaceIndex, address: gateway }],
        ),
    );
  }
}
