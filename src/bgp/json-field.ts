/**
 * Reading JSON that somebody wrote by hand: each reader takes a value and the path to it, and throws `FieldError` naming
 * both when it is not what it should be. Only `message-json.ts` catches it, at its one entry.
 */
import { type Ipv4, parseIpv4 } from "../net/ipv4.ts";
import { parseHex } from "./octets.ts";

export class FieldError extends Error {
  override readonly name = "FieldError";
}

export type JsonObject = Readonly<Record<string, unknown>>;

function wrong(path: string, expected: string): never {
  throw new FieldError(`${path}: ${expected} expected`);
}

export function object(value: unknown, path: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) wrong(path, "an object");
  return value as JsonObject;
}

/** The items of a list; an absent list is empty. */
export function list<T>(value: unknown, path: string, item: (value: unknown, path: string) => T): T[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) wrong(path, "a list");
  return (value as unknown[]).map((one, i) => item(one, `${path}[${i}]`));
}

export function number(value: unknown, path: string, most: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most) {
    wrong(path, `an integer from 0 to ${most}`);
  }
  return value as number;
}

export function flag(value: unknown, path: string): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") wrong(path, "true or false");
  return value as boolean;
}

export function text(value: unknown, path: string): string {
  if (typeof value !== "string") wrong(path, "text");
  return value as string;
}

export function oneOf<Name extends string>(value: unknown, path: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === value);
  return found ?? wrong(path, `one of ${names.join(", ")}`);
}

export function hex(value: unknown, path: string, mostBytes: number): Uint8Array {
  const octets = parseHex(text(value ?? "", path));
  if (octets === null || octets.length > mostBytes) wrong(path, `hex of at most ${mostBytes} octets`);
  return octets as Uint8Array;
}

export function ipv4(value: unknown, path: string): Ipv4 {
  return parsed(value, path, parseIpv4, "an IPv4 address");
}

/** Text that `parse` accepts. */
export function parsed<T>(value: unknown, path: string, parse: (text: string) => T | null, expected: string): T {
  const found = parse(text(value, path));
  return found === null ? wrong(path, expected) : found;
}

/** `null` for an absent field. */
export function optional<T>(value: unknown, path: string, read: (value: unknown, path: string) => T): T | null {
  return value === undefined || value === null ? null : read(value, path);
}
