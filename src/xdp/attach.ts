/**
 * Attaching a program to the XDP or tc egress hook of an interface.
 *
 * A `Link` holds the attachment: it ends with `detach()`, and with the process however that dies (but for a kernel older
 * than 6.6, where a killed process leaves its egress filter behind), unless it has been pinned.
 *
 * A hook that somebody else uses is never overwritten. XDP programs that were attached through libxdp's dispatcher
 * make room for ours in it where the kernel allows; otherwise the error names the owner.
 */
import type { BpfProgram } from "./bpf.ts";
import { driverName } from "./ethtool.ts";
import { type NativeLink, native } from "./native.ts";
import { isNativeError } from "./native-error.ts";

export type XdpMode = "native" | "generic";

export interface AttachedXdp {
  readonly programId: number;
  /** As the kernel keeps it: at most 15 characters; empty when we may not look. */
  readonly name: string;
  readonly mode: XdpMode | "offload";
}

/** XDP_FLAGS_* of linux/if_link.h. */
const XDP_FLAGS: Readonly<Record<XdpMode, number>> = { generic: 1 << 1, native: 1 << 2 };

/** enum xdp_attach_mode of xdp/libxdp.h. */
const LIBXDP_MODES: Readonly<Record<XdpMode, number>> = { native: 1, generic: 2 };

const DISPATCHER = "xdp_dispatcher";
/** The program of native/bpf/sluice_xdp.h. */
const OURS = "sluice_xdp";

export class Link {
  readonly interface: string;
  readonly hook: "xdp" | "egress";
  /** How it was attached, for people. */
  readonly mode: XdpMode | "tcx" | "clsact";
  readonly #native: NativeLink;

  constructor(interfaceName: string, hook: Link["hook"], mode: Link["mode"], link: NativeLink) {
    this.interface = interfaceName;
    this.hook = hook;
    this.mode = mode;
    this.#native = link;
  }

  /** Makes the attachment outlive the process, until the file is removed. @returns whether it can be. */
  pin(path: string): boolean {
    return this.#native.pin(path);
  }

  /** Idempotent. A pinned attachment stays. */
  detach(): void {
    this.#native.close();
  }
}

/** The hook is in use by a program that is not ours. */
export class HookTakenError extends Error {
  readonly code = "EBUSY";
  readonly hint: string;
  readonly owner: AttachedXdp;

  constructor(interfaceName: string, owner: AttachedXdp, cause?: unknown) {
    const name = owner.name === "" ? "an unnamed program" : owner.name;
    super(`the XDP hook of ${interfaceName} is taken by ${name} (program id ${owner.programId}, ${owner.mode} mode)`, {
      cause,
    });
    this.name = "HookTakenError";
    this.owner = owner;
    this.hint =
      owner.name === DISPATCHER
        ? `its dispatcher took no further program: stop its owner, or \`xdp-loader unload ${interfaceName} --all\``
        : `stop its owner (\`bpftool prog show id ${owner.programId}\` and \`bpftool link\` tell which process), or \`ip link set dev ${interfaceName} xdp off\``;
  }
}

/** What is on the XDP hook now. */
export function attachedXdp(interfaceName: string): AttachedXdp | null {
  return native.queryXdp(interfaceName);
}

/** Throws when the XDP hook of an interface is taken by a program beside which ours can't run. */
export function requireFreeHook(interfaceName: string): void {
  const owner = attachedXdp(interfaceName);
  if (owner === null || owner.name === DISPATCHER) return;
  if (owner.name === OURS) {
    throw new Error(
      `another Sluice is running here and serves ${interfaceName}: stop it, or name another interface; if it has died, \`sluice cleanup\``,
    );
  }
  throw new HookTakenError(interfaceName, owner);
}

/** Takes over a pinned attachment: its program is replaced by this one between two frames. */
export function adoptLink(program: BpfProgram, interfaceName: string, hook: Link["hook"], path: string): Link {
  const link = new native.Link("pinned", program.fd, interfaceName, path);
  const mode = hook === "egress" ? "tcx" : attachedXdp(interfaceName)?.mode === "native" ? "native" : "generic";
  return new Link(interfaceName, hook, mode, link);
}

export interface AttachXdpOptions {
  readonly program: BpfProgram;
  readonly interface: string;
  /** `auto`: native where it pays and works, else generic. */
  readonly mode: XdpMode | "auto";
}

/** The mode in which a program will be attached, unless the driver knows better. */
export function expectedMode(name: string, mode: XdpMode | "auto"): XdpMode {
  if (mode !== "auto") return mode;
  // On veth native mode makes AF_XDP transmit 3.5 to 6 times slower than generic (each frame is converted back by the
  // peer) and receive no faster.
  return driverName(name) === "veth" ? "generic" : "native";
}

export function attachXdp(options: AttachXdpOptions): Link {
  const { program, interface: name } = options;
  const owner = attachedXdp(name);
  if (owner !== null) return joinDispatcher(program, name, owner);
  const mode = expectedMode(name, options.mode);
  if (options.mode !== "auto" || mode === "generic") return attachXdpIn(mode, program, name);
  try {
    return attachXdpIn("native", program, name);
  } catch (error) {
    if (!isNativeError(error) || error.code === "EPERM" || error.code === "EBUSY") throw error;
    return attachXdpIn("generic", program, name);
  }
}

function attachXdpIn(mode: XdpMode, program: BpfProgram, name: string): Link {
  try {
    return new Link(name, "xdp", mode, new native.Link("xdp", program.fd, name, XDP_FLAGS[mode]));
  } catch (error) {
    // Somebody came between the question and the attachment.
    const owner =
      isNativeError(error) && (error.code === "EBUSY" || error.code === "EEXIST") ? attachedXdp(name) : null;
    throw owner === null ? error : new HookTakenError(name, owner, error);
  }
}

function joinDispatcher(program: BpfProgram, name: string, owner: AttachedXdp): Link {
  if (owner.name !== DISPATCHER || owner.mode === "offload") throw new HookTakenError(name, owner);
  try {
    const link = new native.Link(
      "dispatcher",
      program.object.path,
      name,
      LIBXDP_MODES[owner.mode],
      program.object.mapDescriptors(),
      program.name,
    );
    return new Link(name, "xdp", owner.mode, link);
  } catch (error) {
    throw new HookTakenError(name, owner, error);
  }
}

/** Attaches to tc egress: by TCX, which runs beside other programs, or by a cls_bpf filter before kernel 6.6. */
export function attachEgress(options: { readonly program: BpfProgram; readonly interface: string }): Link {
  const { program, interface: name } = options;
  try {
    return new Link(name, "egress", "tcx", new native.Link("tcx", program.fd, name));
  } catch (error) {
    if (!isNativeError(error) || error.code !== "EINVAL") throw error;
    return new Link(name, "egress", "clsact", new native.Link("clsact", program.fd, name));
  }
}
