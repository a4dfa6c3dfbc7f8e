/** Reads one parsed Kubernetes object: the door through which everything foreign comes in. */
import type { FieldPath, Finding, Report } from "./finding.ts";
import type { Manifest } from "./kind.ts";
import { knownKind, unknownKind } from "./known-kinds.ts";
import type { KubernetesObject } from "./object-metadata.ts";
import { reportUnknownFields } from "./unknown-fields.ts";

interface ReadObject {
  /** `Kind/namespace/name`: what people call it, and what makes two objects the same one. */
  readonly object: string;
  /** `null` when it does not concern Sluice, or has errors and nothing stands in for it. */
  readonly manifest: Manifest | null;
  readonly findings: readonly Finding[];
}

export function readObject(value: unknown): ReadObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refused("(no object)", [], "must be a Kubernetes object with apiVersion, kind and metadata");
  }
  const { apiVersion, kind } = value as Partial<KubernetesObject>;
  const object = objectLabel(value);
  if (typeof kind !== "string" || kind === "") return refused(object, ["kind"], "is missing; it is required");
  if (typeof apiVersion !== "string" || apiVersion === "") {
    return refused(object, ["apiVersion"], "is missing; it is required");
  }
  const known = knownKind(apiVersion, kind);
  if (known === null) {
    const said = unknownKind(apiVersion, kind);
    const findings = said === null ? [] : [{ severity: said.severity, path: [said.field], message: said.message }];
    return { object, manifest: null, findings };
  }
  const checked = known.check(value);
  const findings = [...checked.findings];
  const instead = known.adapter.insteadOfRefused?.(object) ?? null;
  if (findings.length > 0) return { object, manifest: instead, findings };
  const report: Report = (severity, path, message) => findings.push({ severity, path, message });
  if (known.adapter.closed) reportUnknownFields(known.adapter.schema, value, report);
  const filled = checked.value as KubernetesObject;
  const metadata = known.adapter.namespaced
    ? { ...filled.metadata, namespace: filled.metadata.namespace ?? "default" }
    : filled.metadata;
  const manifest = known.adapter.read({ ...filled, metadata }, report);
  const isUsable = findings.every((finding) => finding.severity !== "error");
  return { object: objectLabel({ ...filled, metadata }), manifest: isUsable ? manifest : instead, findings };
}

function refused(object: string, path: FieldPath, message: string): ReadObject {
  return { object, manifest: null, findings: [{ severity: "error", path, message }] };
}

/** As far as it can be told from an object that may be wrong in any way. */
function objectLabel(value: object): string {
  const { apiVersion, kind, metadata } = value as Partial<Record<string, unknown>>;
  const { namespace, name } = (typeof metadata === "object" && metadata !== null ? metadata : {}) as Record<
    string,
    unknown
  >;
  const known = typeof kind === "string" && typeof apiVersion === "string" ? knownKind(apiVersion, kind) : null;
  const isNamespaced = known === null ? typeof namespace === "string" : known.adapter.namespaced;
  const parts = [typeof kind === "string" ? kind : "(no kind)"];
  if (isNamespaced) parts.push(typeof namespace === "string" ? namespace : "default");
  parts.push(typeof name === "string" ? name : "(no name)");
  return parts.join("/");
}
