/** What is watched in a cluster: the kinds that have an adapter, each as narrowly as it can be. */
import { POLICY_LABEL } from "../manifests/cilium-config.ts";
import { PLURALS } from "../manifests/custom-resource-definitions.ts";
import { KIND_ADAPTERS } from "../manifests/known-kinds.ts";
import type { WatchedKind } from "./object-watch.ts";

const CORE_PLURALS: Readonly<Record<string, string>> = {
  Service: "services",
  EndpointSlice: "endpointslices",
  Node: "nodes",
  Namespace: "namespaces",
  ConfigMap: "configmaps",
  Secret: "secrets",
};

/**
 * @param secretsNamespaces where the keys of BGP sessions are.
 * @param ownNamespace where files of policies are: whoever may write there has the rights of the gateway anyway.
 */
export function watchedKinds(secretsNamespaces: readonly string[], ownNamespace: string): WatchedKind[] {
  return KIND_ADAPTERS.flatMap(({ kind, apiVersions }): WatchedKind[] => {
    const plural = CORE_PLURALS[kind] ?? PLURALS.get(kind)!;
    const watched: WatchedKind = {
      kind,
      apiVersions,
      plural,
      namespace: null,
      fieldSelector: null,
    };
    if (kind === "ConfigMap") {
      return [
        { ...watched, namespace: "kube-system", fieldSelector: "metadata.name=cilium-config" },
        { ...watched, namespace: ownNamespace, labelSelector: `${POLICY_LABEL}=true` },
      ];
    }
    // A server can't tell those with a key from the others; of each only the key is kept (cluster-state.ts).
    if (kind === "Secret") return secretsNamespaces.map((namespace) => ({ ...watched, namespace }));
    return [watched];
  });
}
