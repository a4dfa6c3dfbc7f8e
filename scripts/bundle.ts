/**
 * Bundles TypeScript entries for Node.js: one scope for all modules of an entry, with their constants written in place.
 *
 * That is for the hot path. The compiler of the runtime can't treat an imported constant as one (it loads it from the
 * exporting module's cell each time), which costs the pipeline 40 % of its time (bench/pipeline). Likewise it knows a field
 * as constant only when its one store is the constructor's, so declarations of fields without a value are left out: each
 * would store `undefined` first. Packages stay outside.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";

const PAGE = join(import.meta.dirname, "..", "page");

/** @param entries output name (without suffix) to source file. Entries share what they have in common. */
export async function bundle(entries: Readonly<Record<string, string>>, folder: string): Promise<void> {
  const bundler = await rolldown({
    input: { ...entries },
    platform: "node",
    // It would bring those declarations back.
    tsconfig: false,
    external: (id) => !id.startsWith(".") && !id.startsWith("/"),
    transform: { typescript: { removeClassFieldsWithoutInitializer: true } },
    optimization: { inlineConst: { mode: "all", pass: 3 } },
  });
  await bundler.write({
    dir: folder,
    format: "esm",
    sourcemap: true,
    entryFileNames: "[name].js",
    chunkFileNames: "shared-[hash].js",
  });
  await bundler.close();
}

/** The status page: one script and one style sheet, with the libraries in them, beside the page itself. */
export async function bundlePage(folder: string): Promise<void> {
  const bundler = await rolldown({
    input: join(PAGE, "page.tsx"),
    platform: "browser",
  });
  mkdirSync(folder, { recursive: true });
  await bundler.write({ file: join(folder, "page.js"), format: "esm", minify: true });
  await bundler.close();
  copyFileSync(join(PAGE, "index.html"), join(folder, "index.html"));
  const chart = join(PAGE, "..", "node_modules", "uplot", "dist", "uPlot.min.css");
  writeFileSync(join(folder, "page.css"), [chart, join(PAGE, "page.css")].map((file) => readFileSync(file)).join("\n"));
}
