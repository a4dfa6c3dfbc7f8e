/**
 * Loads a policy module into this thread, synchronously: a worker does it between two batches.
 *
 * What a module imports as `sluice/policy` is this program's own copy, wherever the module lies.
 */
import { createRequire, registerHooks } from "node:module";
import type { PolicyModule } from "../policy/define-policy.ts";

const load = createRequire(import.meta.url);
let isHooked = false;

/** @throws Error with a sentence when the file can't be loaded or is no policy module. */
export function loadModule(path: string): PolicyModule {
  if (!isHooked) {
    isHooked = true;
    const own = apiFile();
    registerHooks({
      resolve: (specifier, context, next) =>
        specifier === "sluice/policy" ? { url: own, shortCircuit: true } : next(specifier, context),
    });
  }
  const exported = load(path) as { readonly default?: unknown };
  const module = exported.default as Partial<PolicyModule> | undefined;
  if (typeof module?.create !== "function" || typeof module.version !== "string") {
    throw new Error("its default export is no policy: write `export default definePolicy({ version, create })`");
  }
  return module as PolicyModule;
}

/** From the source tree the file itself, when built its bundle. */
function apiFile(): string {
  const isSource = import.meta.url.endsWith(".ts");
  return new URL(isSource ? "../policy/define-policy.ts" : "./policy.js", import.meta.url).href;
}
