/** The offloads of the ports: read, judged (offload-problem.ts), and put right where asked to. */
import type { XdpMode } from "./attach.ts";
import { driverName, type Offload, offload, setOffload } from "./ethtool.ts";
import { atFarEnd, type FarEnd, findFarEnd } from "./far-end.ts";
import { isNativeError } from "./native-error.ts";
import { findLink } from "./netlink.ts";
import { judgeOffloads, type OffloadProblem, type PortFacts } from "./offload-problem.ts";

export interface OffloadReport {
  /** What is in the way now. */
  readonly problems: readonly OffloadProblem[];
  /** What was, and is put right. */
  readonly repaired: readonly OffloadProblem[];
}

export interface CheckedPort {
  readonly name: string;
  /** In which the program is, or will be, attached. */
  readonly mode: XdpMode;
  /** Whether its traffic is in a VLAN. */
  readonly tagged: boolean;
}

/** Looks at the ports, and puts right what can be where asked to. Repairs stay when Sluice ends. */
export function checkOffloads(ports: readonly CheckedPort[], repair: boolean): OffloadReport {
  const problems: OffloadProblem[] = [];
  const repaired: OffloadProblem[] = [];
  for (const problem of ports.flatMap((port) => judgeOffloads(readPortFacts(port)))) {
    if (!repair || problem.repair === null) {
      problems.push(problem);
      continue;
    }
    try {
      repairOffload(problem.repair);
      repaired.push(problem);
    } catch (error) {
      problems.push({
        ...problem,
        message: `${problem.message} (it could not be repaired: ${(error as Error).message})`,
      });
    }
  }
  return { problems, repaired };
}

function readPortFacts({ name, mode, tagged }: CheckedPort): PortFacts {
  const link = findLink(name);
  if (link === null) throw new Error(`there is no interface ${name} on this node: \`ip link\` lists those there are`);
  const driver = driverName(name);
  const farEnd = findFarEnd(link);
  return {
    interface: name,
    driver,
    mode,
    lro: readOffload(name, "lro"),
    tagged,
    rxVlan: readOffload(name, "rxVlan"),
    farEnd: farEnd === null ? (driver === "veth" ? "hidden" : null) : readFarEnd(farEnd),
  };
}

function readFarEnd(farEnd: FarEnd): PortFacts["farEnd"] {
  return atFarEnd(farEnd, () => ({
    ...farEnd,
    txChecksum: readOffload(farEnd.interface, "txChecksum"),
    txVlan: readOffload(farEnd.interface, "txVlan"),
  }));
}

/** Throws when the setting can't be changed, or does not stay changed. */
function repairOffload(repair: NonNullable<OffloadProblem["repair"]>): void {
  atFarEnd(repair, () => {
    setOffload(repair.interface, repair.offload, false);
    if (offload(repair.interface, repair.offload)) {
      throw new Error(`${repair.interface} keeps its ${repair.offload} offload on, though the kernel took the change`);
    }
  });
}

/** An interface without the switch has the offload off. */
function readOffload(name: string, which: Offload): boolean {
  try {
    return offload(name, which);
  } catch (error) {
    if (isNativeError(error) && error.code === "EOPNOTSUPP") return false;
    throw error;
  }
}
