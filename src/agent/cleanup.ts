/** `sluice cleanup`: what gateways of this network namespace that died have left in the kernel. */
import { attachedXdp } from "../xdp/attach.ts";
import { findLink } from "../xdp/netlink.ts";
import { PinFolder } from "../xdp/pin-folder.ts";
import { INNER, removeLeftover } from "./stack-inside.ts";
import { claimName, clear } from "./takeover.ts";

export interface Leftover {
  /** A folder of pins, or an interface. */
  readonly what: string;
  readonly removed: boolean;
  /** Why it stays where it was not removed. */
  readonly because: string | null;
}

/** @returns what was removed, and what is in use. */
export async function cleanup(): Promise<Leftover[]> {
  const found: Leftover[] = [];
  for (const pins of PinFolder.all()) {
    try {
      const claim = await claimName(pins.name, pins.name);
      await clear(
        pins,
        [INNER].filter((name) => findLink(name) !== null),
      );
      claim.close();
      found.push({ what: pins.path, removed: true, because: null });
    } catch {
      found.push({ what: pins.path, removed: false, because: "its gateway is running" });
    }
  }
  if (findLink(INNER) !== null && attachedXdp(INNER) === null) {
    removeLeftover();
    found.push({ what: `the interface ${INNER} and its other end`, removed: true, because: null });
  }
  return found;
}
