/** Reads the text of one manifest file, YAML or JSON, and knows the line of every field. */

import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";
import type { Problem } from "../intent/problem.ts";
import type { SourcedManifest } from "../manifests/compose-intent.ts";
import { type FieldPath, formatPath } from "../manifests/finding.ts";
import { readObject } from "../manifests/read-object.ts";

interface ManifestFile {
  readonly manifests: readonly SourcedManifest[];
  readonly problems: readonly Problem[];
}

/** `fileName` is how people call the file; it appears in front of every problem. */
export function readManifestText(text: string, fileName: string): ManifestFile {
  const lines = new LineCounter();
  const documents = parseDocuments(text, lines);
  if (documents instanceof Error) {
    const message = `is not valid YAML: ${documents.message}`;
    return { manifests: [], problems: [{ severity: "error", object: "", field: "", message, where: fileName }] };
  }
  const manifests: SourcedManifest[] = [];
  const problems: Problem[] = [];
  const note = (severity: Problem["severity"], object: string, field: string, message: string, line: number) =>
    problems.push({ severity, object, field, message, where: `${fileName}:${line}` });

  for (const document of documents) {
    for (const error of document.errors) {
      note("error", "", "", `is not valid YAML: ${error.message}`, lines.linePos(error.pos[0]).line);
    }
    if (document.errors.length > 0) continue;
    const value = plainValue(document);
    if (value instanceof Error) note("error", "", "", value.message, lineOf(document, [], lines));
    else if (value !== null) {
      for (const { path, object } of expandLists(value)) {
        const read = readObject(object);
        for (const { severity, path: field, message } of read.findings) {
          note(severity, read.object, formatPath(field), message, lineOf(document, [...path, ...field], lines));
        }
        if (read.manifest === null) continue;
        const where = `${fileName}:${lineOf(document, path, lines)}`;
        manifests.push({ object: read.object, where, manifest: read.manifest });
      }
    }
  }
  return { manifests, problems };
}

function parseDocuments(text: string, lines: LineCounter): readonly Document[] | Error {
  try {
    const parsed = parseAllDocuments(expandTabs(text), { lineCounter: lines, prettyErrors: false });
    return "empty" in parsed ? [] : parsed;
  } catch (error) {
    // Thrown for what is nested deeper than the stack.
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** JSON may be indented by tabs, which YAML forbids; no JSON string has a line break, so only indentation is touched. */
function expandTabs(text: string): string {
  return /^\s*[{[]/.test(text) ? text.replace(/^\t+/gm, (tabs) => " ".repeat(tabs.length)) : text;
}

function plainValue(document: Document): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // Thrown for aliases that would expand to something huge.
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** `kubectl get -o yaml` wraps several objects into one of kind List. */
function expandLists(value: unknown, path: FieldPath = []): { readonly path: FieldPath; readonly object: unknown }[] {
  const { kind, items } = value as { readonly kind?: unknown; readonly items?: unknown };
  if (kind !== "List" || !Array.isArray(items)) return [{ path, object: value }];
  return items.flatMap((item, index) => expandLists(item, [...path, "items", index]));
}

/** The line of a field; of the nearest thing around it when it is not there. */
function lineOf(document: Document, path: FieldPath, lines: LineCounter): number {
  let node = document.contents as Node | null | undefined;
  let offset = node?.range?.[0] ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (!isScalar(pair?.key)) break;
      offset = pair.key.range?.[0] ?? offset;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      node = node.items[Number(step)] as Node | undefined;
      offset = node?.range?.[0] ?? offset;
    } else break;
  }
  return lines.linePos(offset).line;
}
