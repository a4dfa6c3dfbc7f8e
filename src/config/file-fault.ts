/** Files that people have named: what stands in the way of one, in words that go on after its name. */
import { readFileSync } from "node:fs";

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EACCES: "may not be read by this user",
  EISDIR: "is a directory",
  ENOTDIR: "goes through something that is no directory",
  ELOOP: "is a symbolic link that leads back to itself",
  EROFS: "is on a file system that can't be written",
  ENOSPC: "has no room left on its file system",
};

export function fileFault(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code !== undefined ? WORDS[code] : undefined) ?? `cannot be read: ${message}`;
}

/** @throws Error with the option that named the file. */
export function readOptionFile(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`${option} ${path}: ${fileFault(error)}`, { cause: error });
  }
}
