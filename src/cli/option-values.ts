/** Numbers that options take: each gives the number, or says what it must be. */
import { InvalidArgumentError } from "commander";

export const HIGHEST_PORT = 65_535;

export function powerOfTwo(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1024 || (value & (value - 1)) !== 0) {
    throw new InvalidArgumentError("must be a power of two, at least 1024.");
  }
  return value;
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("must be a whole number, 0 or more.");
  return value;
}

export function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("must be a whole number, 1 or more.");
  return value;
}

export function within(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(`must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}
