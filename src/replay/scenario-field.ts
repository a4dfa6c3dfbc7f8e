/** Reading the fields of a scenario: each is what it must be, or the scenario is refused with the field's name. */
import { type IpAddress, type IpPrefix, parseIpAddress, parseIpPrefix } from "../net/ip-address.ts";
import { type Mac, parseMac } from "../net/mac.ts";

/** Says which field of which scenario can't be read, and why. */
export class ScenarioError extends Error {
  override name = "ScenarioError";
}

export type Json = Record<string, unknown>;

export function object(value: unknown, where: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ScenarioError(`${where}: must be an object`);
  return value as Json;
}

export function list(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new ScenarioError(`${where}: must be a list`);
  return value;
}

export function number(value: unknown, where: string): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0)
    throw new ScenarioError(`${where}: must be a number, 0 or more`);
  return value;
}

export function ip(value: unknown, where: string): IpAddress {
  const address = parseIpAddress(String(value));
  if (address === null) throw new ScenarioError(`${where}: not an IP address: ${JSON.stringify(value)}`);
  return address;
}

export function prefix(value: unknown, where: string): IpPrefix {
  const parsed = parseIpPrefix(String(value));
  if (parsed === null) throw new ScenarioError(`${where}: not a prefix: ${JSON.stringify(value)}`);
  return parsed;
}

export function mac(value: unknown, where: string): Mac {
  const address = parseMac(String(value));
  if (address === null) throw new ScenarioError(`${where}: not a MAC address: ${JSON.stringify(value)}`);
  return address;
}
