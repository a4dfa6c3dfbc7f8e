/** The CustomResourceDefinitions as the YAML files that are shipped. */
import { stringify } from "yaml";
import { CUSTOM_RESOURCE_DEFINITIONS } from "../manifests/custom-resource-definitions.ts";

const HEAD = "# Made by scripts/crds.ts from the schemas in src/manifests; edit those.\n";

/** By file name. */
export function crdFiles(): ReadonlyMap<string, string> {
  return new Map(
    CUSTOM_RESOURCE_DEFINITIONS.map((definition) => [
      `${definition.metadata.name}.yaml`,
      // kubectl reads YAML 1.1, where a bare Yes is a truth value.
      HEAD + stringify(definition, { aliasDuplicateObjects: false, lineWidth: 120, version: "1.1" }),
    ]),
  );
}
