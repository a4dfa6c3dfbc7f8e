/**
 * The node of a scenario: its interfaces with their VLANs, the way into its own stack, its routes, and the neighbours whose
 * MACs it knows.
 */
import type { Route } from "../dataplane/fib.ts";
import { addressBits, type IpAddress } from "../net/ip-address.ts";
import type { Mac } from "../net/mac.ts";
import { CUSTOMER_TAG, SERVICE_TAG, vlanTag } from "../wire/vlan.ts";
import { ip, type Json, list, mac, number, object, prefix, ScenarioError } from "./scenario-field.ts";

export interface ScenarioInterface {
  readonly name: string;
  readonly mac: Mac;
  readonly ipv4: IpAddress | null;
  readonly ipv6: IpAddress | null;
  readonly mtu: number;
  /** VLAN tags of its frames, raw (wire/vlan.ts), the outer one first. */
  readonly tags: readonly number[];
  /** Where it is our end of a pair into the node's own stack; else `null`. */
  readonly stack: ScenarioStack | null;
}

interface ScenarioStack {
  /** Index of the interface whose frames for pods of the node go there. */
  readonly uplink: number;
  /** Of the end that the stack has. */
  readonly mac: Mac;
}

export interface ScenarioNode {
  readonly interfaces: readonly ScenarioInterface[];
  readonly routes: readonly Route[];
  readonly neighbors: readonly { address: IpAddress; mac: Mac }[];
}

export function parseNode(node: Json): ScenarioNode {
  const entries = Object.entries(object(node["ifaces"], "node.ifaces"));
  const names = entries.map(([name]) => name);
  const interfaces = entries.map(([name, value]): ScenarioInterface => {
    const where = `node.ifaces.${name}`;
    const iface = object(value, where);
    const own = (field: string) =>
      iface[field] === undefined ? null : ip(String(iface[field]).split("/")[0], `${where}.${field}`);
    return {
      name,
      mac: mac(iface["mac"], `${where}.mac`),
      ipv4: own("ipv4"),
      ipv6: own("ipv6"),
      mtu: number(iface["mtu"] ?? 1500, `${where}.mtu`),
      tags: parseTags(iface["vlan"], `${where}.vlan`),
      stack:
        iface["stack"] === undefined
          ? null
          : parseStack(object(iface["stack"], `${where}.stack`), `${where}.stack`, name, names),
    };
  });
  const nextHops: { address: IpAddress; mac: Mac }[] = [];
  const routes = list(node["routes"] ?? [], "node.routes").flatMap((value, index): Route[] => {
    const where = `node.routes[${index}]`;
    const route = object(value, where);
    const port = interfaces.findIndex(({ name }) => name === route["iface"]);
    if (port < 0)
      throw new ScenarioError(`${where}.iface: the node has no interface ${JSON.stringify(route["iface"])}`);
    const { address: destination, prefixLength } = prefix(route["dst"], `${where}.dst`);
    const via = route["via"] === undefined ? null : ip(route["via"], `${where}.via`);
    if (route["mac"] === undefined) return [{ destination, prefixLength, gateway: via, port }];
    const gateway = via ?? namelessHop(destination, index);
    nextHops.push({ address: gateway, mac: mac(route["mac"], `${where}.mac`) });
    return [
      { destination, prefixLength, gateway, port },
      { destination: gateway, prefixLength: addressBits(gateway.family), gateway: null, port },
    ];
  });
  const neighbors = parseNeighbors(node["neighbors"] ?? {}, "node.neighbors");
  return { interfaces, routes, neighbors: [...neighbors, ...nextHops] };
}

/** `{"uplink": "net0", "mac": "02:00:00:00:51:00"}`, at another interface than the uplink. */
function parseStack(stack: Json, where: string, own: string, names: readonly string[]): ScenarioStack {
  const uplink = stack["uplink"] === own ? -1 : names.indexOf(String(stack["uplink"]));
  if (uplink >= 0) return { uplink, mac: mac(stack["mac"], `${where}.mac`) };
  throw new ScenarioError(
    `${where}.uplink: the node has no other interface ${JSON.stringify(stack["uplink"])}; it has ${names.join(", ")}`,
  );
}

/** A next hop of which only the MAC is given has to have some address: one of its link, by the number of its route. */
function namelessHop({ family }: IpAddress, route: number): IpAddress {
  const [link, hosts] = family === 4 ? [0xa9fe_0100n, 254] : [0xfe80n << 112n, 65_535];
  return { family, value: link + BigInt(1 + (route % hosts)) };
}

/** MACs by address: `{"10.2.0.2": "02:00:00:00:0b:01"}`. */
export function parseNeighbors(value: unknown, where: string): ScenarioNode["neighbors"] {
  return Object.entries(object(value, where)).map(([address, of]) => ({
    address: ip(address, where),
    mac: mac(of, `${where}.${address}`),
  }));
}

/** One VLAN by its number, or one or two tags as `[EtherType, number]`, the outer one first. */
function parseTags(value: unknown, where: string): readonly number[] {
  if (value === undefined) return [];
  const tags = typeof value === "number" ? [[CUSTOMER_TAG, value]] : list(value, where);
  if (tags.length < 1 || tags.length > 2) throw new ScenarioError(`${where}: must be one or two tags`);
  return tags.map((tag, index) => {
    const [type, vid] = list(tag, `${where}[${index}]`);
    if (type !== CUSTOMER_TAG && type !== SERVICE_TAG) {
      throw new ScenarioError(
        `${where}[${index}]: the type must be ${CUSTOMER_TAG} (802.1Q) or ${SERVICE_TAG} (802.1ad)`,
      );
    }
    if (typeof vid !== "number" || !Number.isInteger(vid) || vid < 1 || vid > 4094) {
      throw new ScenarioError(`${where}[${index}]: the VLAN must be 1..4094, not ${JSON.stringify(vid)}`);
    }
    return vlanTag(type, vid);
  });
}
