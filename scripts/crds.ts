/** `node scripts/crds.ts`: writes deploy/crds from the schemas. A unit test fails while the two differ. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crdFiles } from "../src/config/crd-text.ts";

const folder = join(import.meta.dirname, "../deploy/crds");
mkdirSync(folder, { recursive: true });
for (const [name, text] of crdFiles()) writeFileSync(join(folder, name), text);
