/**
 * What on a node stands in the way of a gateway, and what to do about it. Facts come in as data (node-facts.ts), so each
 * judgement can be tried without a node that is wrong.
 */

export interface NodeFacts {
  /** As `uname -r` says it. */
  readonly kernel: string;
  readonly hasBtf: boolean;
  /** The switch net.core.bpf_jit_enable; `null` where it can't be read. */
  readonly jit: string | null;
  readonly hasBpffs: boolean;
  /** Names of capabilities that a gateway needs and this process does not have. */
  readonly missingCapabilities: readonly string[];
  readonly forwards4: boolean;
  /** `null` without IPv6. */
  readonly forwards6: boolean | null;
  readonly uplinks: readonly UplinkFacts[];
  /** Ports that a gateway listens on, and which somebody has already. */
  readonly takenPorts: readonly TakenPort[];
  /** Whether the clock is kept by anybody; `null` when that can't be told. */
  readonly clockIsKept: boolean | null;
  /** Whether a gateway runs here: then the hooks and ports are its own. */
  readonly isRunning: boolean;
}

export interface TakenPort {
  readonly what: string;
  readonly port: string;
  /** Names another one. */
  readonly option: string;
  /** Whether every gateway listens there, or only one that is given the option. */
  readonly always: boolean;
}

export interface UplinkFacts {
  readonly name: string;
  readonly exists: boolean;
  readonly up: boolean;
  readonly mtu: number;
  /** The larger of its own reverse-path filter and that of all interfaces: 0 none, 1 strict, 2 loose. */
  readonly reversePathFilter: number;
  /** Name of an XDP program on it; `null` for none. */
  readonly xdpProgram: string | null;
  /** The bond or bridge that it is a port of; `null` for none. */
  readonly master: string | null;
}

export interface Finding {
  /** `error`: a gateway does not start or does not forward; `warning`: something works less well. */
  readonly severity: "error" | "warning";
  readonly what: string;
  readonly fix: string;
}

/** What it is made and tested on. */
const OLDEST_KERNEL = [6, 18] as const;
/** RFC 8200 §5. */
const SMALLEST_MTU = 1280;

export function judgeNode(facts: NodeFacts): Finding[] {
  const found: Finding[] = [];
  const tell = (severity: Finding["severity"], what: string, fix: string) => void found.push({ severity, what, fix });
  if (isOlder(facts.kernel)) {
    tell(
      "warning",
      `the kernel is ${facts.kernel}, and nothing below ${OLDEST_KERNEL.join(".")} was tried`,
      "use a newer kernel",
    );
  }
  if (!facts.hasBtf)
    tell("error", "the kernel has no BTF (/sys/kernel/btf/vmlinux)", "use a kernel with CONFIG_DEBUG_INFO_BTF");
  if (facts.jit === "0") tell("warning", "BPF programs are interpreted", "sysctl -w net.core.bpf_jit_enable=1");
  if (!facts.hasBpffs) {
    tell("warning", "there is no bpffs at /sys/fs/bpf, so flows end with the process", "mount -t bpf bpf /sys/fs/bpf");
  }
  if (facts.missingCapabilities.length > 0) {
    const names = facts.missingCapabilities.join(", ");
    tell("error", `this process does not have ${names}`, "run as root, or add the capabilities to the container");
  }
  if (!facts.forwards4)
    tell("error", "the node does not forward IPv4, so pods stay out of reach", "sysctl -w net.ipv4.ip_forward=1");
  if (facts.forwards6 === false) {
    tell(
      "warning",
      "the node does not forward IPv6, so pods stay out of its reach",
      "sysctl -w net.ipv6.conf.all.forwarding=1",
    );
  }
  for (const uplink of facts.uplinks) found.push(...judgeUplink(uplink, facts.isRunning));
  for (const { what, port, option, always } of facts.isRunning ? [] : facts.takenPorts) {
    const wanted = always ? what : `${what} where \`${option}\` asks for it`;
    const fix = `\`ss -lnp\` tells by whom; \`${option}\` names another one`;
    tell(always ? "error" : "warning", `${port}, for ${wanted}, is taken`, fix);
  }
  if (facts.clockIsKept === false) {
    tell(
      "warning",
      "nobody keeps the clock, so ages of objects and logs of nodes don't agree",
      "apt-get install systemd-timesyncd",
    );
  }
  return found;
}

function judgeUplink(
  { name, exists, up, mtu, reversePathFilter, xdpProgram, master }: UplinkFacts,
  isRunning: boolean,
): Finding[] {
  if (!exists)
    return [{ severity: "error", what: `there is no interface ${name}`, fix: "`ip link` lists those there are" }];
  const found: Finding[] = [];
  if (!up) found.push({ severity: "error", what: `${name} is down`, fix: `ip link set ${name} up` });
  if (master !== null) {
    found.push({
      severity: "error",
      what: `${name} is a port of ${master}, which would not see what is redirected there, and routes lead to ${master}`,
      fix: `give Sluice ${master} where that is a bond, or take ${name} out: \`ip link set ${name} nomaster\``,
    });
  }
  if (mtu < SMALLEST_MTU) {
    found.push({
      severity: "warning",
      what: `${name} has an MTU of ${mtu}, too small for IPv6`,
      fix: `ip link set ${name} mtu 1500`,
    });
  }
  if (reversePathFilter === 1) {
    found.push({
      severity: "warning",
      what: `${name} drops packets whose way back leads elsewhere (strict rp_filter): clients that come by two routers are lost`,
      fix: `sysctl -w net.ipv4.conf.${name.replaceAll(".", "/")}.rp_filter=2`,
    });
  }
  if (xdpProgram !== null && !isRunning) {
    found.push({
      severity: "error",
      what: `the XDP hook of ${name} is taken by the program ${xdpProgram}`,
      fix: `stop whoever put it there, or \`ip link set dev ${name} xdp off\`; what a dead gateway left, \`sluice cleanup\` takes away`,
    });
  }
  return found;
}

function isOlder(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split(".").map((part) => Number.parseInt(part, 10));
  return major < OLDEST_KERNEL[0] || (major === OLDEST_KERNEL[0] && minor < OLDEST_KERNEL[1]);
}
