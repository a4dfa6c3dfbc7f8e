/**
 * Installs the CustomResourceDefinitions that a cluster lacks. One that is there is never written to: it is Cilium's or
 * MetalLB's own, or ours from before, and others rely on it. What it can't hold of ours is said.
 */
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  type CustomResourceDefinition,
} from "../manifests/custom-resource-definitions.ts";
import { type ApiConnection, ApiError } from "./api-connection.ts";
import { resourcePath } from "./object-watch.ts";

const API_VERSION = "apiextensions.k8s.io/v1";

/** A sentence on each. */
export async function installCrds(api: Pick<ApiConnection, "get" | "create">): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const definition of CUSTOM_RESOURCE_DEFINITIONS) lines.push(await install(api, definition));
  return lines;
}

async function install(
  api: Pick<ApiConnection, "get" | "create">,
  definition: CustomResourceDefinition,
): Promise<string> {
  const { name } = definition.metadata;
  try {
    await api.create(resourcePath(API_VERSION, "customresourcedefinitions", null), definition);
    return `${name}: installed`;
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
  }
  const path = resourcePath(API_VERSION, "customresourcedefinitions", null, name);
  const served = servedVersions(await api.get<CustomResourceDefinition>(path));
  const lacking = servedVersions(definition).filter((version) => !served.includes(version));
  return lacking.length === 0
    ? `${name}: is there already; left alone`
    : `${name}: is there already, without ${lacking.join(" and ")}; left alone, so objects of that version are not seen`;
}

function servedVersions({ spec }: CustomResourceDefinition): readonly string[] {
  const versions = spec["versions"] as readonly { readonly name: string; readonly served: boolean }[];
  return versions.filter(({ served }) => served).map(({ name }) => name);
}
