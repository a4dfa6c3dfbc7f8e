/** What an adapter has to say about one object, by the path of the field, so that a shell can add file and line. */
import type { Severity } from "../intent/problem.ts";

export type FieldPath = readonly (string | number)[];

export interface Finding {
  readonly severity: Severity;
  readonly path: FieldPath;
  readonly message: string;
}

export type Report = (severity: Severity, path: FieldPath, message: string) => void;

/** `spec.blocks[0].cidr`; keys that are no plain words are quoted: `metadata.annotations["a.b/c"]`. */
export function formatPath(path: FieldPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (!/^[\w-]+$/.test(step)) text += `["${step}"]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}
