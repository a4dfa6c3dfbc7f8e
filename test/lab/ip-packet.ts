/** The outer addresses of captured IP packets, read without the project's own parsers. */
import type { CapturedFrame } from "./pcap.ts";

export interface IpPacket {
  readonly sourceMac: string;
  readonly destinationMac: string;
  readonly source: string;
  readonly destination: string;
  /** Bytes of the IP packet. */
  readonly lengthBytes: number;
}

/** The packet in an Ethernet frame; `null` for what is none. Addresses as Linux prints them. */
export function ipPacket({ bytes }: CapturedFrame): IpPacket | null {
  const etherType = bytes.readUInt16BE(12);
  if (etherType !== 0x0800 && etherType !== 0x86dd) return null;
  const isIpv4 = etherType === 0x0800;
  return {
    sourceMac: mac(bytes, 6),
    destinationMac: mac(bytes, 0),
    source: isIpv4 ? ipv4(bytes, 26) : ipv6(bytes, 22),
    destination: isIpv4 ? ipv4(bytes, 30) : ipv6(bytes, 38),
    lengthBytes: isIpv4 ? bytes.readUInt16BE(16) : 40 + bytes.readUInt16BE(18),
  };
}

export function mac(bytes: Buffer, at: number): string {
  return bytes.toString("hex", at, at + 6).replace(/..(?!$)/g, "$&:");
}

export function ipv4(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 4).join(".");
}

export function ipv6(bytes: Buffer, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + 2 * i).toString(16));
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}
