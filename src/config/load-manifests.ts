/** Reads manifests once, for `sluice plan` and for tests. */
import { scanSources } from "./manifest-source.ts";
import { type LoadedManifests, ManifestState } from "./manifest-state.ts";

/** Paths are files, directories, or `-` for standard input. Never throws for what people wrote: it is in `problems`. */
export async function loadManifests(paths: readonly string[]): Promise<LoadedManifests> {
  const state = new ManifestState();
  state.update(await scanSources(paths));
  return state.current();
}
