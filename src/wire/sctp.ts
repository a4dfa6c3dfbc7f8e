/**
 * What an SCTP packet (RFC 9260 §3) says about its association, in the flags of TCP that mean the same:
 *
 *   INIT, INIT-ACK                                    SYN, SYN+ACK
 *   SHUTDOWN, SHUTDOWN-ACK, SHUTDOWN-COMPLETE         FIN+ACK
 *   ABORT                                             RST
 *   all others, COOKIE-ECHO and COOKIE-ACK first      ACK
 *
 *   0 source port   2 destination port   4 verification tag   8 CRC32c   12 type of the first chunk
 */
import { ACK, FIN, RST, SCTP_HEADER_BYTES, SYN } from "./transport.ts";

const CHUNK_INIT = 1;
const CHUNK_INIT_ACK = 2;
const CHUNK_ABORT = 6;
const CHUNK_SHUTDOWN = 7;
const CHUNK_SHUTDOWN_ACK = 8;
const CHUNK_SHUTDOWN_COMPLETE = 14;

/** An SCTP packet as TCP flags, by its first chunk: those that matter here come alone or first (RFC 9260 §6.10). */
export function sctpFlags(view: DataView, l4: number, end: number): number {
  if (end - l4 <= SCTP_HEADER_BYTES) return 0;
  switch (view.getUint8(l4 + SCTP_HEADER_BYTES)) {
    case CHUNK_INIT:
      return SYN;
    case CHUNK_INIT_ACK:
      return SYN | ACK;
    case CHUNK_ABORT:
      return RST;
    case CHUNK_SHUTDOWN:
    case CHUNK_SHUTDOWN_ACK:
    case CHUNK_SHUTDOWN_COMPLETE:
      return FIN | ACK;
    default:
      return ACK;
  }
}
