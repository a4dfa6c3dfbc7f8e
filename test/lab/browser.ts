/** A headless Chromium inside a namespace of the lab, as a person on that machine would use it. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";

/** The caller closes it. */
export function openBrowser(lab: Lab, namespace: Namespace): Promise<Browser> {
  const wrapper = join(lab.folder, `chromium-${namespace.name}`);
  writeFileSync(wrapper, `#!/bin/sh\nexec ${namespace.entered(["/usr/bin/chromium"]).join(" ")} "$@"\n`);
  chmodSync(wrapper, 0o755);
  // Root has no use for Chromium's own sandbox, and a lab's /dev/shm may be small.
  const args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
  return chromium.launch({ executablePath: wrapper, args, env: { ...process.env, HOME: lab.folder } });
}
