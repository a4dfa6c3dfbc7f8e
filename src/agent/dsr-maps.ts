/**
 * What the XDP program knows of direct server return, receiving: our ends of tunnels and who may send to them, and the
 * local pods to which requests come with an option.
 */
import { isOnNode } from "../control/direct-server-return.ts";
import type { ForwardingSpec } from "../dataplane/forwarding-spec.ts";
import { formatIpAddress } from "../net/ip-address.ts";
import type { BpfObject } from "../xdp/bpf.ts";
import { encodeAddress, encodePrefix, encodeUdpPort } from "../xdp/door-maps.ts";
import { type MapEntry, MapMirror, PRESENT } from "./map-mirror.ts";

/** Words of `struct settings` in native/bpf/maps.h. */
const GUE_PORT = 4;
const GENEVE_PORT = 5;
/** The value of a tunnel's end that is ours alone. */
const NOT_SHARED = Uint8Array.of(0);

export class DsrMaps {
  readonly #settings: Int32Array;
  readonly #ends: MapMirror;
  readonly #sources: MapMirror;
  readonly #backends: MapMirror;

  constructor(object: BpfObject) {
    this.#settings = object.map("settings").mmap();
    this.#ends = new MapMirror(object.map("tunnels"));
    this.#sources = new MapMirror(object.map("tunnel_sources"));
    this.#backends = new MapMirror(object.map("dsr_backends"));
  }

  apply({ dsr, vips }: ForwardingSpec): void {
    const ends = [dsr.tunnel4, dsr.tunnel6].filter((end) => end !== null);
    // Before the end that they make a difference to.
    this.#settings[GUE_PORT] = ends.length === 0 ? 0 : encodeUdpPort(dsr.guePort);
    this.#settings[GENEVE_PORT] = ends.length === 0 ? 0 : encodeUdpPort(dsr.genevePort);
    this.#sources.apply(
      new Map(
        dsr.peers.map(({ address, prefixLength }): [string, MapEntry] => [
          `${formatIpAddress(address)}/${prefixLength}`,
          { key: encodePrefix(address, prefixLength), value: PRESENT },
        ]),
      ),
    );
    this.#ends.apply(
      new Map(ends.map((end) => [formatIpAddress(end), { key: encodeAddress(end), value: NOT_SHARED }])),
    );
    const pods = (ends.length === 0 ? [] : vips).flatMap(({ backends }) =>
      backends.filter((backend) => isOnNode(backend, dsr)),
    );
    this.#backends.apply(
      new Map(pods.map(({ address }) => [formatIpAddress(address), { key: encodeAddress(address), value: PRESENT }])),
    );
  }
}
