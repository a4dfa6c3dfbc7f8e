/** `node scripts/settings.ts`: writes docs/settings.md from the command line and the schemas. A unit test fails while they differ. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { sluiceProgram } from "../src/cli/program.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "../src/manifests/custom-resource-definitions.ts";
import { FIELD_NOTES, KEYS, SWITCHES } from "./settings-of-objects.ts";

export const SETTINGS_FILE = join(import.meta.dirname, "../docs/settings.md");

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly "x-kubernetes-int-or-string"?: boolean;
}

/** As a CustomResourceDefinition has it. */
interface ResourceSpec {
  readonly group: string;
  readonly names: { readonly kind: string };
  readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: object } }[];
}

export function settingsText(): string {
  return `# Settings

Made by \`node scripts/settings.ts\` from the command line and the schemas; edit those.

## \`sluice run\`

${table(["option", "default", "meaning"], runOptions())}

## Switches

In \`data\` of ConfigMap \`kube-system/cilium-config\`, under the names that Cilium's users know. Others are ignored.

${table(
  ["key", "default", "meaning"],
  SWITCHES.map(([key, ...rest]) => [`\`${key}\``, ...rest]),
)}

## Annotations and labels

Annotations unless said otherwise. Of a Service, by rule of the dialect that it speaks; \`metallb.io/\` may also be
\`metallb.universe.tf/\`.

${table(
  ["of", "key", "meaning"],
  KEYS.map(([of, key, meaning]) => [of, `\`${key}\``, meaning]),
)}

## Custom resources

A field with * is required where its parent is given. \`[]\` is each entry of a list. Fields of \`metadata\` and \`status\` are
left out; so are \`matchLabels\` and \`matchExpressions\` of selectors, which are as everywhere in Kubernetes. What fields
mean is said by the documents of Cilium and MetalLB, whose objects these are; where Sluice differs, by
[comparison.md](comparison.md). A \`SluicePolicy\` is explained in [policies.md](policies.md).

${resources().join("\n\n")}
`;
}

function runOptions(): string[][] {
  const run = sluiceProgram(() => {}).commands.find((command) => command.name() === "run")!;
  return run.options.map((option) => {
    const choices = option.argChoices === undefined ? "" : ` (${option.argChoices.join(", ")})`;
    // The name of the machine that makes the page is nobody's default.
    const given: unknown = option.defaultValue;
    const value = option.long === "--node" ? "the host's name" : shown(Array.isArray(given) ? given.join(" ") : given);
    return [`\`${option.flags}\``, option.negate ? "" : value, `${option.description}${choices}`];
  });
}

/** Of kinds with the very same fields only the first has the table. */
function resources(): string[] {
  const firsts = new Map<string, string>();
  return CUSTOM_RESOURCE_DEFINITIONS.flatMap((definition) => {
    const spec = definition.spec as unknown as ResourceSpec;
    const { kind } = spec.names;
    const fields = fieldTable(spec);
    if (fields === null) return [];
    const first = firsts.get(fields);
    if (first === undefined) firsts.set(fields, kind);
    const versions = spec.versions.map(({ name }) => name).join(", ");
    const body = first === undefined ? fields : `The fields of \`${first}\`.`;
    return [`### ${kind}\n\n\`${spec.group}\`, ${versions}\n\n${body}`];
  });
}

/** `null` for a kind that nobody writes. */
function fieldTable(spec: ResourceSpec): string | null {
  const fields = new Map<string, { versions: string[]; row: string[] }>();
  for (const { name, schema } of spec.versions) {
    const root = schema.openAPIV3Schema as Schema;
    for (const row of rows(root.properties?.["spec"] ?? {}, "", root.required?.includes("spec") ?? false)) {
      const known = fields.get(row.join("\0"));
      if (known === undefined) fields.set(row.join("\0"), { versions: [name], row });
      else known.versions.push(name);
    }
  }
  if (fields.size === 0) return null;
  const all = spec.versions.length;
  const body = [...fields.values()].map(({ versions, row }) => [
    versions.length === all ? row[0]! : `${row[0]} (${versions.join(", ")})`,
    ...row.slice(1),
  ]);
  return table(
    ["field", "type", "default", "allowed"],
    body.map((row) => noted(spec.names.kind, row)),
  );
}

function noted(kind: string, row: readonly string[]): readonly string[] {
  const [field, type, value, limits] = row as [string, string, string, string];
  const { value: otherwise, note } = FIELD_NOTES[`${kind} ${field.slice(1, field.lastIndexOf("`"))}`] ?? {};
  return [field, type, otherwise ?? value, [limits, note].filter(Boolean).join("; ")];
}

function* rows(schema: Schema, path: string, isRequired: boolean): Generator<string[]> {
  const { properties, items, required = [] } = schema;
  if (path !== "" && !isSelector(schema)) {
    const name = `\`${path}\`${isRequired ? " *" : ""}`;
    if (properties === undefined || items !== undefined || schema.default !== undefined) {
      yield [name, typeOf(schema), shown(schema.default), allowed(schema)];
    }
  } else if (path !== "") {
    yield [`\`${path}\`${isRequired ? " *" : ""}`, "label selector", "", ""];
    return;
  }
  for (const [name, inner] of Object.entries(properties ?? {})) {
    yield* rows(inner, path === "" ? name : `${path}.${name}`, required.includes(name));
  }
  if (items?.properties !== undefined) yield* rows({ ...items, default: undefined }, `${path}[]`, false);
}

function isSelector({ properties }: Schema): boolean {
  return properties?.["matchLabels"] !== undefined;
}

function typeOf(schema: Schema): string {
  if (schema["x-kubernetes-int-or-string"] === true) return "number or text";
  if (schema.type === "array") return `list of ${schema.items === undefined ? "anything" : typeOf(schema.items)}`;
  return schema.type ?? "";
}

function allowed(schema: Schema): string {
  const told: string[] = [];
  const values = schema.enum ?? schema.items?.enum;
  if (values !== undefined) told.push(values.map((value) => shown(value)).join(", "));
  const range = (least: number | undefined, most: number | undefined, what: string) => {
    if (least !== undefined || most !== undefined) told.push(`${least ?? ""}..${most ?? ""}${what}`);
  };
  range(schema.minimum, schema.maximum, "");
  range(schema.minLength, schema.maxLength, " characters");
  range(schema.minItems, schema.maxItems, " entries");
  if (schema.pattern !== undefined) told.push(`\`${schema.pattern.replaceAll("|", "\\|")}\``);
  return told.join("; ");
}

function shown(value: unknown): string {
  if (value === undefined || value === false || value === "" || (Array.isArray(value) && value.length === 0)) return "";
  return `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

function table(heading: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heading), line(heading.map(() => "---")), ...body.map(line)].join("\n");
}

if (import.meta.main) writeFileSync(SETTINGS_FILE, settingsText());
