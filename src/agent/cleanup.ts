/** `sluice cleanup`: what gateways of this network namespace that died have left in the kernel. */
import { attachedXdp } from "../xdp/attach.ts";
import { findLink } from "../xdp/netlink.ts";
import { PinFolder } from "../xdp/pin-folder.ts";
import { INNER, removeLeftover } from "./stack-inside.ts";
import { claimName, clear } from "./takeover.ts";

/** @returns a line for each thing that was removed, or that is in use. */
export async function cleanup(): Promise<string[]> {
  const done: string[] = [];
  for (const pins of PinFolder.all()) {
    try {
      const claim = await claimName(pins.name, pins.name);
      await clear(
        pins,
        [INNER].filter((name) => findLink(name) !== null),
      );
      claim.close();
      done.push(`removed ${pins.path}`);
    } catch {
      done.push(`left ${pins.path}: its gateway is running`);
    }
  }
  if (findLink(INNER) !== null && attachedXdp(INNER) === null) {
    removeLeftover();
    done.push(`removed the interface ${INNER} and its other end`);
  }
  return done;
}
