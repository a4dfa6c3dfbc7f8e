/** The thread in which a policy is tried; see try-policy.ts. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import type { PolicyHooks } from "../policy/define-policy.ts";
import { SharedState } from "../policy/shared-state.ts";
import { giveUpCapabilities } from "./give-up-capabilities.ts";
import { loadModule } from "./load-module.ts";
import { HOOK_NAMES } from "./loaded-policy.ts";
import { checkOptions } from "./module-options.ts";
import { isText, textOf } from "./policy-texts.ts";
import type { TryRequest, TryResult } from "./try-policy.ts";

await giveUpCapabilities();
const { path, options, known, folder, texts } = workerData as TryRequest;
try {
  parentPort!.postMessage({ result: attempt() });
} catch (error) {
  parentPort!.postMessage({ error: error instanceof Error ? error.message : String(error) });
}

function attempt(): TryResult {
  const module = loadModule(path);
  const checked = checkOptions(module.options, options);
  const state = new SharedState(new Float64Array(1), known, (file) =>
    isText(file) ? textOf(file, texts) : readFileSync(resolve(folder, file), "utf8"),
  );
  const hooks: unknown = module.create({ options: checked, state });
  if (typeof hooks !== "object" || hooks === null) throw new Error("its create() returned no hooks");
  const found = HOOK_NAMES.filter((name) => (hooks as PolicyHooks)[name] !== undefined);
  for (const name of found) {
    if (typeof (hooks as PolicyHooks)[name] !== "function") throw new Error(`its ${name} is no function`);
  }
  if (found.length === 0) throw new Error(`its create() returned no hook: one of ${HOOK_NAMES.join(", ")}`);
  return {
    hooks: found,
    version: module.version,
    options: checked,
    memory: state.memory,
    files: state.files.map((file) => (isText(file) ? file : resolve(folder, file))),
  };
}
