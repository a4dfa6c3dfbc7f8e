/** Options of a policy module against the module's own JSON Schema. */

import { formatPath } from "../manifests/finding.ts";
import { compileSchema, type JsonSchema } from "../manifests/json-schema.ts";

/** @returns the options with defaults. @throws Error that names each wrong field. */
export function checkOptions(schema: object | undefined, options: unknown): unknown {
  if (schema === undefined) {
    const given = Object.keys(options as object);
    if (given.length === 0) return options;
    throw new Error(`spec.options.${given[0]}: the module takes no options`);
  }
  const { value, findings } = compileSchema(schema as JsonSchema, false)(options);
  if (findings.length === 0) return value;
  throw new Error(
    findings.map(({ path, message }) => `${formatPath(["spec", "options", ...path])}: ${message}`).join("; "),
  );
}
