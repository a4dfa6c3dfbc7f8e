/** Who comes first: the elder, then by name. What no API server has stored yet is the youngest. */
interface Aged {
  readonly createdAtMilliseconds: number | null;
  readonly namespace?: string;
  readonly name: string;
}

export function byAge(a: Aged, b: Aged): number {
  const ageA = a.createdAtMilliseconds ?? Number.POSITIVE_INFINITY;
  const ageB = b.createdAtMilliseconds ?? Number.POSITIVE_INFINITY;
  if (ageA !== ageB) return ageA < ageB ? -1 : 1;
  return compareText(a.namespace ?? "", b.namespace ?? "") || compareText(a.name, b.name);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
