/**
 * The files of the status page, as `npm run build` has made them: one page, one script, one style sheet, nothing from
 * elsewhere. The policy that is sent along makes the browser hold the page to that.
 */
import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";

const TYPES: ReadonlyMap<string, readonly [file: string, type: string]> = new Map([
  ["/", ["index.html", "text/html; charset=utf-8"]],
  ["/page.js", ["page.js", "text/javascript; charset=utf-8"]],
  ["/page.css", ["page.css", "text/css; charset=utf-8"]],
]);
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function isPageFile({ pathname }: URL): boolean {
  return TYPES.has(pathname);
}

export function answerPageFile(url: URL, response: ServerResponse): void {
  const [file, type] = TYPES.get(url.pathname)!;
  response.writeHead(200, {
    "content-type": type,
    "cache-control": "no-cache",
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  });
  response.end(readFileSync(new URL(file, folder())));
}

/** Beside the program; from the source tree, where the build has put it. */
function folder(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "../../dist/program/page/" : "./page/", import.meta.url);
}
