/**
 * Settings of interfaces by which frames would arrive that can't be forwarded, and how to put them right. Pure.
 *
 * - A checksum that the sender leaves to its network card is not there yet when the frame comes by a veth: at the far
 *   end of one, and at a virtual machine's host, nothing finishes it. What a socket sends on then is dropped at its goal.
 * - A VLAN tag that the sender or the card keeps beside the frame is not in it: on a port in a VLAN no frame would match.
 * - Frames that a card has merged (LRO) are longer than the MTU, and can't be sent on.
 *
 * Generic receive offload does no harm: the kernel merges nothing at an interface with an XDP program in generic mode,
 * and a program in native mode sees frames before they are merged.
 */
import type { XdpMode } from "./attach.ts";
import type { Offload } from "./ethtool.ts";
import type { FarEnd } from "./far-end.ts";

export interface PortFacts {
  readonly interface: string;
  readonly driver: string;
  readonly mode: XdpMode;
  readonly lro: boolean;
  /** Whether the port's traffic is in a VLAN. */
  readonly tagged: boolean;
  readonly rxVlan: boolean;
  /** A veth's other end; `hidden` when it is in a namespace that can't be seen from here. */
  readonly farEnd: (FarEnd & { readonly txChecksum: boolean; readonly txVlan: boolean }) | "hidden" | null;
}

export interface OffloadProblem {
  readonly interface: string;
  /** What is wrong, what comes of it, and what to do. */
  readonly message: string;
  /** `note`: nobody can tell from here whether it is wrong. */
  readonly severity: "error" | "note";
  /** What to switch off; `null` where no switch helps. */
  readonly repair: { readonly interface: string; readonly namespace: string | null; readonly offload: Offload } | null;
}

const UNFINISHED = "what it sends arrives with unfinished checksums, which nobody accepts from a VIP";

export function judgeOffloads(facts: PortFacts): OffloadProblem[] {
  const { interface: name, farEnd } = facts;
  const problems: OffloadProblem[] = [];
  if (facts.lro) {
    problems.push({
      interface: name,
      severity: "error",
      message: `${name} merges received frames (LRO) beyond the MTU, and those can't be sent on: \`ethtool -K ${name} lro off\``,
      repair: { interface: name, namespace: null, offload: "lro" },
    });
  }
  if (facts.tagged && facts.rxVlan) {
    problems.push({
      interface: name,
      severity: "error",
      message: `${name} takes the VLAN tags off received frames, so none is seen to be in its VLAN: \`ethtool -K ${name} rxvlan off\``,
      repair: { interface: name, namespace: null, offload: "rxVlan" },
    });
  }
  if (farEnd === "hidden") {
    problems.push({
      interface: name,
      severity: "note",
      message: `the other end of ${name} is in a namespace that can't be seen from here: if TCP through a VIP hangs, switch transmit checksums off there (\`ethtool -K INTERFACE tx off\`)`,
      repair: null,
    });
  } else if (farEnd !== null) {
    problems.push(...judgeFarEnd(name, facts.tagged, farEnd));
  }
  if (facts.driver === "virtio_net" && facts.mode === "generic") {
    problems.push({
      interface: name,
      severity: "error",
      message: `${name} is a virtual machine's, and XDP runs on it in generic mode: from its host ${UNFINISHED}; use \`--xdp-mode native\``,
      repair: null,
    });
  }
  return problems;
}

function judgeFarEnd(
  name: string,
  tagged: boolean,
  far: Exclude<PortFacts["farEnd"], null | "hidden">,
): OffloadProblem[] {
  const where = far.namespace === null ? far.interface : `${far.interface} in the namespace ${far.namespace}`;
  const problem = (message: string, offload: Offload): OffloadProblem => ({
    interface: name,
    severity: "error",
    message: `the other end of ${name}, ${where}, ${message}`,
    repair: { interface: far.interface, namespace: far.namespace, offload },
  });
  const switchOff = (name: string) => `\`ethtool -K ${far.interface} ${name} off\` there`;
  const problems: OffloadProblem[] = [];
  if (far.txChecksum) {
    const message = `leaves checksums to hardware that is not there: ${UNFINISHED}; ${switchOff("tx")}`;
    problems.push(problem(message, "txChecksum"));
  }
  if (tagged && far.txVlan) {
    problems.push(problem(`leaves VLAN tags to hardware that is not there; ${switchOff("txvlan")}`, "txVlan"));
  }
  return problems;
}
