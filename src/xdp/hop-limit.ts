/**
 * TTLs (hop limits) of sockets that Node made, and ICMPv6 messages on one link. Node has no door to either.
 */
import type { Socket as UdpSocket } from "node:dgram";
import type { Socket as TcpSocket } from "node:net";
import { native } from "./native.ts";

type Family = 4 | 6;

/** The TTL of what a connected socket sends, and the least that it takes (RFC 5082). */
export function setTcpHopLimit(socket: TcpSocket, family: Family, ttl: number | null, least: number | null): void {
  native.setHopLimit(descriptor(socket), family, ttl ?? 0, least ?? 0);
}

/** A bound UDP socket drops what arrives with a lower TTL. */
export function requireUdpHopLimit(socket: UdpSocket, family: Family, least: number): void {
  native.requireHopLimit(descriptor(socket), family, least);
}

/** One ICMPv6 message with hop limit 255; its checksum is filled in by the kernel. */
export function sendIcmp6(interfaceName: string, destination: string, message: Uint8Array): void {
  native.sendIcmp6(interfaceName, destination, message);
}

/**
 * Node keeps the descriptor to itself: a TCP socket has it in `_handle`, a UDP socket behind a symbol, where asking for
 * `_handle` would print a warning.
 */
function descriptor(socket: object): number {
  const inner = socket as { [key: string | symbol]: unknown };
  const symbol = Object.getOwnPropertySymbols(socket).find((one) => one.description === "state symbol");
  const holder = (symbol === undefined ? inner["_handle"] : (inner[symbol] as { handle?: unknown }).handle) as
    | { fd?: number }
    | undefined;
  if (holder?.fd === undefined || holder.fd < 0) throw new Error("the socket is not open");
  return holder.fd;
}
