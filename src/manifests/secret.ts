/**
 * `Secret` (v1), for the one thing that is read from it: the key of a BGP session (TCP MD5, RFC 2385) under `password`.
 * What it holds appears in no message.
 */
import type { Report } from "./finding.ts";
import type { KindAdapter } from "./kind.ts";
import { type KubernetesObject, objectSchema, STRING_MAP_SCHEMA } from "./object-metadata.ts";

interface SecretObject extends KubernetesObject {
  readonly data?: Readonly<Record<string, string>> | null;
  readonly stringData?: Readonly<Record<string, string>> | null;
}

/** Linux takes no longer key. */
const LONGEST_KEY_BYTES = 80;

export const SECRET: KindAdapter = {
  kind: "Secret",
  apiVersions: ["v1"],
  namespaced: true,
  closed: false,
  confidential: true,
  schema: objectSchema(
    { data: { ...STRING_MAP_SCHEMA, nullable: true }, stringData: { ...STRING_MAP_SCHEMA, nullable: true } },
    [],
  ),
  read: (object, report) => {
    const { metadata } = object;
    const password = readPassword(object as SecretObject, report);
    return password === null
      ? { type: "nothing" }
      : { type: "bgp-password", namespace: metadata.namespace!, name: metadata.name, password };
  },
};

/** As in an API server, `stringData` wins over `data`. */
function readPassword({ data, stringData }: SecretObject, report: Report): string | null {
  const field = stringData?.["password"] === undefined ? "data" : "stringData";
  const password = stringData?.["password"] ?? decoded(data?.["password"]);
  if (password === undefined) return null;
  if (password === null) {
    report("error", [field, "password"], "must be base64; plain text belongs into stringData");
    return null;
  }
  if (new TextEncoder().encode(password).length <= LONGEST_KEY_BYTES) return password;
  report("warning", [field, "password"], `is longer than ${LONGEST_KEY_BYTES} bytes, so no BGP session can use it`);
  return null;
}

/** `null` when it is no base64. */
function decoded(base64: string | undefined): string | null | undefined {
  if (base64 === undefined) return undefined;
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
  } catch {
    return null;
  }
}
