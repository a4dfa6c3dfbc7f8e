/**
 * Schemas as data: the subset of OpenAPI v3 that a CustomResourceDefinition may hold, so that the definitions that are
 * installed in a cluster and the check of files come from one place. Rules across fields are code beside each schema.
 */
import { Ajv, type ErrorObject } from "ajv";
import type { FieldPath, Finding } from "./finding.ts";

export interface JsonSchema {
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema;
  readonly items?: JsonSchema;
  readonly enum?: readonly (string | number)[];
  readonly default?: unknown;
  readonly nullable?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: "date-time" | "object-name";
  /** Rules across fields, in CEL, for the API server. Files are held to the same rules by the adapter beside the schema. */
  readonly "x-kubernetes-validations"?: readonly CelRule[];
  /** Fields that no schema here knows are kept. */
  readonly "x-kubernetes-preserve-unknown-fields"?: true;
  readonly "x-kubernetes-list-type"?: "map" | "set" | "atomic";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
}

interface CelRule {
  readonly rule: string;
  readonly message: string;
}

/** Checks a value and fills in the defaults of its schema; the value given is not changed. */
export type SchemaCheck = (value: unknown) => { readonly value: unknown; readonly findings: readonly Finding[] };

/** Of what is confidential no message repeats a value. */
export function compileSchema(schema: JsonSchema, confidential: boolean): SchemaCheck {
  const ajv = new Ajv({ allErrors: true, useDefaults: true, strict: false, verbose: true });
  ajv.addFormat("date-time", (text: string) => !Number.isNaN(Date.parse(text)));
  ajv.addFormat("object-name", /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/);
  const validate = ajv.compile(schema);
  return (value) => {
    const filled = structuredClone(value);
    validate(filled);
    const findings = (validate.errors ?? []).map(
      (error): Finding => ({
        severity: "error",
        path: errorPath(error, filled),
        message: errorMessage(error, confidential),
      }),
    );
    return { value: filled, findings };
  };
}

function errorPath(error: ErrorObject, root: unknown): FieldPath {
  const path: (string | number)[] = [];
  let value = root;
  for (const escaped of error.instancePath.split("/").slice(1)) {
    const step = escaped.replaceAll("~1", "/").replaceAll("~0", "~");
    path.push(Array.isArray(value) ? Number(step) : step);
    value = (value as Record<string, unknown>)[step];
  }
  if (error.keyword === "required") path.push(error.params["missingProperty"] as string);
  return path;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  integer: "a whole number",
  number: "a number",
  string: "text",
  boolean: "true or false (without quotes)",
  array: "a list",
  object: "an object",
};

const FORMAT_WORDS: Readonly<Record<string, string>> = {
  "date-time": "a time such as 2026-01-31T12:00:00Z",
  "object-name": "a name of lower-case letters, digits, '-' and '.', as Kubernetes wants it",
};

function errorMessage(error: ErrorObject, confidential: boolean): string {
  const is = confidential ? "is not" : `is ${excerpt(error.data)}`;
  switch (error.keyword) {
    case "required":
      return "is missing; it is required";
    case "type": {
      const wanted = String(error.params["type"]).split(",")[0]!;
      if (wanted === "string" && (typeof error.data === "number" || typeof error.data === "boolean")) {
        return `must be text: write it in quotes${confidential ? "" : `, "${error.data}"`}`;
      }
      return `must be ${TYPE_WORDS[wanted] ?? wanted}, ${is}`;
    }
    case "enum":
      return `must be one of ${(error.params["allowedValues"] as unknown[]).join(", ")}; ${is}`;
    case "minimum":
      return `must be at least ${error.params["limit"]}, ${is}`;
    case "maximum":
      return `must be at most ${error.params["limit"]}, ${is}`;
    case "minItems":
      return `must have at least ${error.params["limit"]} ${error.params["limit"] === 1 ? "entry" : "entries"}`;
    case "maxItems":
      return `must have at most ${error.params["limit"]} entries`;
    case "maxLength":
      return `must have at most ${error.params["limit"]} characters`;
    case "minLength":
      return "must not be empty";
    case "format":
      return `must be ${FORMAT_WORDS[error.params["format"] as string] ?? error.params["format"]}; ${is}`;
    case "pattern":
      return `must match ${error.params["pattern"]}; ${is}`;
    default:
      return error.message ?? "is not valid";
  }
}

/** What was written, as far as it fits in a sentence. */
function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}
