/** Prints the folders of the packages that the program runs with, by the lock file: `running-packages.ts SOURCE`. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface LockedPackage {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
}

/** They run in a browser, and are in the status page's script already. */
const BUNDLED = ["node_modules/preact", "node_modules/uplot"];

const source = process.argv[2] ?? ".";
const lock = JSON.parse(readFileSync(join(source, "package-lock.json"), "utf8")) as {
  packages: Record<string, LockedPackage>;
};
for (const [path, { dev, devOptional }] of Object.entries(lock.packages)) {
  // A package inside of another one comes with that.
  const isInside = path.indexOf("node_modules/", 1) > 0;
  if (path !== "" && !BUNDLED.includes(path) && !dev && !devOptional && !isInside && existsSync(join(source, path)))
    console.log(path);
}
