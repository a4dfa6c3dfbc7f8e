/** Plain Kubernetes objects in an older form to those of today, for people to look at and apply: nothing is changed here. */

export interface PlainObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: unknown;
  readonly data?: unknown;
}

export interface Migration {
  readonly objects: readonly object[];
  /** What the newer form cannot say, or says otherwise: `Kind/name: sentence`. */
  readonly notes: readonly string[];
}

/** An object without the fields that are not there, which YAML would print as null. */
export function defined<Fields extends object>(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null),
  ) as Fields;
}

/** What a name of an object may hold. */
export function nameOf(...parts: readonly (string | number)[]): string {
  return parts
    .join("-")
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, "-")
    .replace(/^[-.]+|[-.]+$/g, "")
    .slice(0, 253);
}
