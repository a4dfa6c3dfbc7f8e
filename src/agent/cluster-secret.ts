/**
 * The secret that the nodes of a cluster share. From it comes the key of the flow hash, so that every node picks the
 * same backend for a flow and nobody outside can foretell which. Never logged.
 */
import { createHash, randomBytes } from "node:crypto";
import { readOptionFile } from "../config/file-fault.ts";
import type { HashKey } from "../dataplane/flow-hash.ts";

const MIN_SECRET_BYTES = 16;

/** @param path of the secret's file, or `null`: then the key is random and good for this process only. */
export function loadHashKey(path: string | null): HashKey {
  return hashKeyOf(path === null ? randomBytes(32) : readSecret(path));
}

/** What authenticates heartbeats between nodes; `null` without a secret that they share. */
export function loadHeartbeatKey(path: string | null): Uint8Array | null {
  return path === null ? null : derivedKey("sluice heartbeats", path);
}

/** What seals what nodes tell each other of themselves. */
export function loadFleetKey(path: string): Uint8Array {
  return derivedKey("sluice fleet", path);
}

function derivedKey(purpose: string, path: string): Uint8Array {
  return createHash("sha256").update(purpose).update(readSecret(path)).digest();
}

export function hashKeyOf(secret: Uint8Array): HashKey {
  const digest = createHash("sha256").update("sluice flow hash").update(secret).digest();
  return { k0: digest.readInt32LE(0), k1: digest.readInt32LE(4) };
}

export function readSecret(path: string): Uint8Array {
  const secret = Buffer.from(readOptionFile("--cluster-secret", path).toString("utf8").trim());
  if (secret.length < MIN_SECRET_BYTES) {
    throw new Error(
      `--cluster-secret ${path}: a cluster secret has at least ${MIN_SECRET_BYTES} characters; make one with \`openssl rand -hex 32\``,
    );
  }
  return secret;
}
