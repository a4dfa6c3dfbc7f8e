/** Modules and lists that are no files but keys of ConfigMaps: named `configmap:NAMESPACE/NAME/KEY`. */
import type { Intent } from "../intent/intent.ts";
import { POLICY_LABEL } from "../manifests/cilium-config.ts";

export const TEXT_PREFIX = "configmap:";

export function isText(name: string): boolean {
  return name.startsWith(TEXT_PREFIX);
}

/** The text that `configmap:NAMESPACE/NAME/KEY` names. @throws Error with a sentence when there is none. */
export function textOf(name: string, texts: Intent["policyFiles"]): string {
  const text = texts[name.slice(TEXT_PREFIX.length)];
  if (text !== undefined) return text;
  throw new Error(
    `there is no ${name} (configmap:NAMESPACE/NAME/KEY); the ConfigMap must have the label ${POLICY_LABEL}: "true", ` +
      "and be in Sluice's own namespace when it comes from a cluster",
  );
}
