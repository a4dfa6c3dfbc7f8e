/** Reading Geneve (RFC 8926 §3.4, §3.5): where the packet inside is, and for whom it is, as Cilium's option says. */
import { ETHERNET_HEADER_BYTES } from "../wire/ethernet.ts";
import { ADDRESS_WORDS, storeMapped } from "../wire/raw.ts";
import {
  GENEVE_CRITICAL,
  GENEVE_DSR_OPTION,
  GENEVE_ETHERNET,
  GENEVE_HEADER_BYTES,
  GENEVE_OPTION4_BYTES,
  GENEVE_OPTION6_BYTES,
} from "../wire/tunnel.ts";
import { type FlowKey, KEY_DESTINATION, KEY_PORTS, KEY_PROTOCOL } from "./flow-key.ts";

/**
 * @param at offset behind the UDP header.
 * @param served gets the served address, its port (raw) in the high half of the ports, and a protocol that is not 0.
 * @returns offset of the Ethernet header inside; -1 when there is none, or an option is critical and not known.
 */
export function openGeneve(view: DataView, at: number, end: number, served: FlowKey): number {
  if (at + GENEVE_HEADER_BYTES > end) return -1;
  const first = view.getUint8(at);
  // Another version, or a control message, which is for the tunnel's end itself.
  if (first >>> 6 !== 0 || (view.getUint8(at + 1) & 0x80) !== 0) return -1;
  if (view.getUint16(at + 2) !== GENEVE_ETHERNET) return -1;
  const ethernet = at + GENEVE_HEADER_BYTES + (first & 0x3f) * 4;
  if (ethernet + ETHERNET_HEADER_BYTES > end) return -1;
  for (let option = at + GENEVE_HEADER_BYTES; option < ethernet; ) {
    const header = view.getUint32(option);
    const optionBytes = 4 + (header & 0x1f) * 4;
    if (option + optionBytes > ethernet) return -1;
    const type = header >>> 8;
    if ((type & ~GENEVE_CRITICAL) === GENEVE_DSR_OPTION) readOption(view, option, optionBytes, served);
    else if ((type & GENEVE_CRITICAL) !== 0) return -1;
    option += optionBytes;
  }
  return ethernet;
}

function readOption(view: DataView, option: number, optionBytes: number, served: FlowKey): void {
  if (optionBytes === GENEVE_OPTION4_BYTES) {
    storeMapped(served, KEY_DESTINATION, view.getInt32(option + 4, true));
  } else if (optionBytes === GENEVE_OPTION6_BYTES) {
    for (let word = 0; word < ADDRESS_WORDS; word++) {
      served[KEY_DESTINATION + word] = view.getInt32(option + 4 + 4 * word, true);
    }
  } else {
    return;
  }
  served[KEY_PORTS] = view.getUint16(option + optionBytes - 4, true) << 16;
  served[KEY_PROTOCOL] = 1;
}
