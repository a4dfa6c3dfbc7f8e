/** Frames for the native suite, built byte by byte; only what the BPF programs look at is right (no checksums). */

export const TCP = 6;
export const UDP = 17;

export interface Ipv4FrameFields {
  readonly source: string;
  readonly destination: string;
  readonly protocol?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** The 16-bit flags-and-offset field. */
  readonly fragment?: number;
  readonly firstByte?: number;
  readonly lengthBytes?: number;
}

export function octets(address: string): number[] {
  return address.split(".").map(Number);
}

function ethernet(lengthBytes: number, etherType: number): { frame: Uint8Array; view: DataView } {
  const frame = new Uint8Array(lengthBytes);
  const view = new DataView(frame.buffer);
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
  view.setUint16(12, etherType);
  return { frame, view };
}

export function ipv4Frame(fields: Ipv4FrameFields): Uint8Array {
  const { frame, view } = ethernet(Math.max(fields.lengthBytes ?? 60, 42), 0x0800);
  view.setUint8(14, fields.firstByte ?? 0x45);
  view.setUint16(16, frame.length - 14);
  view.setUint16(20, fields.fragment ?? 0x4000);
  view.setUint8(22, 64);
  view.setUint8(23, fields.protocol ?? UDP);
  frame.set(octets(fields.source), 26);
  frame.set(octets(fields.destination), 30);
  view.setUint16(34, fields.sourcePort ?? 1000);
  view.setUint16(36, fields.destinationPort ?? 80);
  return frame.slice(0, fields.lengthBytes ?? 60);
}

export function arpRequest(target: string): Uint8Array {
  const { frame, view } = ethernet(60, 0x0806);
  frame.set([0, 1, 8, 0, 6, 4], 14);
  view.setUint16(20, 1);
  frame.set(octets(target), 38);
  return frame;
}

/** The same frame behind an 802.1Q tag. */
export function tagged(frame: Uint8Array): Uint8Array {
  return Uint8Array.of(...frame.subarray(0, 12), 0x81, 0x00, 0x00, 0x07, ...frame.subarray(12));
}
