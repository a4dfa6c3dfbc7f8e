/**
 * `--vlan`: an interface whose traffic is that of a VLAN.
 *
 *   eth0=100                  one tag (802.1Q)
 *   eth0=10.100               two: a provider's (802.1ad) around a customer's
 *   eth0=100:eth0.100         addresses, routes and neighbours are those of the kernel's VLAN device
 */
import { CUSTOMER_TAG, SERVICE_TAG, vlanTag } from "../wire/vlan.ts";
import type { VlanTag } from "../xdp/door-maps.ts";

export interface VlanOption {
  readonly interface: string;
  /** The outer one first. */
  readonly tags: readonly VlanTag[];
  /** The kernel's own interface in that VLAN; `null` when it has none. */
  readonly device: string | null;
}

/** @throws Error that says what is wrong with the option. */
export function parseVlanOption(text: string): VlanOption {
  const match = /^([^=]+)=(\d+)(?:\.(\d+))?(?::(.+))?$/.exec(text);
  if (match === null)
    throw new Error(`--vlan ${text}: must be interface=VLAN or interface=outer.inner, as in eth0=100`);
  const [, name, first, second, device] = match;
  const ids = second === undefined ? [Number(first)] : [Number(first), Number(second)];
  for (const id of ids) if (id < 1 || id > 4094) throw new Error(`--vlan ${text}: a VLAN is 1..4094, not ${id}`);
  const types = ids.length === 1 ? [CUSTOMER_TAG] : [SERVICE_TAG, CUSTOMER_TAG];
  return {
    interface: name!,
    tags: ids.map((id, index) => ({ protocol: types[index]!, id })),
    device: device ?? null,
  };
}

/** Tags as the port table has them. */
export function rawTags(tags: readonly VlanTag[]): readonly number[] {
  return tags.map(({ protocol, id }) => vlanTag(protocol, id));
}
