/**
 * Switches of the kernel, by their files. In a pod /proc/sys can only be read; there the node's own is mounted beside it
 * (deploy/base/daemonset.yaml), and a switch that is as wanted already is not touched at all.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const ROOTS = ["/proc/sys", "/run/host/proc/sys"];

/** The value of `net/ipv4/ip_forward`; `null` where the kernel has no such switch. */
export function readSysctl(path: string, roots: readonly string[] = ROOTS): string | null {
  const file = `${roots[0]}/${path}`;
  return existsSync(file) ? readFileSync(file, "utf8").trim() : null;
}

/** Throws with the command that would do it when the switch can't be set from here. */
export function writeSysctl(path: string, value: string, roots: readonly string[] = ROOTS): void {
  if (readSysctl(path, roots) === value) return;
  const refusals: string[] = [];
  for (const root of roots) {
    try {
      writeFileSync(`${root}/${path}`, value, { flag: "r+" });
      return;
    } catch (error) {
      refusals.push((error as Error).message);
    }
  }
  throw new Error(
    `${path} can't be set to ${value} from here (${refusals[0]}): mount the node's /proc/sys/net at ` +
      `${roots.at(-1)}/net, or run \`sysctl -w ${path.replaceAll(".", "\0").replaceAll("/", ".").replaceAll("\0", "/")}=${value}\` on the node`,
  );
}
