/** Where the documents lead: every link to a file, a heading or a picture of this repository. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");

function pages(): string[] {
  const below = (folder: string) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file));
  const top = readdirSync(ROOT).filter((file) => file.endsWith(".md"));
  return [...top, ...["docs", "templates"].flatMap(below)].filter(
    (file) => file.endsWith(".md") && !file.includes("node_modules"),
  );
}

/** As GitHub names the anchors of headings. */
function anchorsOf(text: string): ReadonlySet<string> {
  const headings = [...text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/^#{1,6} (.*)$/gm)].map(([, words]) => words!);
  return new Set(
    headings.map((words) =>
      words
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"),
    ),
  );
}

function brokenIn(page: string, text: string): string[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, "").replace(/`[^`\n]*`/g, "");
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
  return links.filter((link) => {
    if (/^(https?|mailto):/.test(link)) return false;
    const [path, anchor] = link.split("#") as [string, string?];
    const file = path === "" ? page : normalize(join(dirname(page), path));
    if (!existsSync(join(ROOT, file))) return true;
    return anchor !== undefined && !anchorsOf(readFileSync(join(ROOT, file), "utf8")).has(anchor);
  });
}

test("every link leads to something that is there", () => {
  const broken = pages().flatMap((page) =>
    brokenIn(page, readFileSync(join(ROOT, page), "utf8")).map((link) => `${page}: ${link}`),
  );
  expect(pages().length).toBeGreaterThan(12);
  expect(broken).toEqual([]);
});

test("a missing file, a missing heading and a missing picture are found", () => {
  const text = "[a](README.md) [b](gone.md) [c](README.md#figures) [d](README.md#no-such) ![e](docs/gone.png) `[f](x)`";
  expect(brokenIn("README.md", text)).toEqual(["gone.md", "README.md#no-such", "docs/gone.png"]);
});

test("every page of docs/ and every picture is led to from another", () => {
  const texts = pages().map((page) => [page, readFileSync(join(ROOT, page), "utf8")] as const);
  const files = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" }).map((file) => `docs/${file}`);
  const shown = files.filter((file) => /\.(md|png|svg)$/.test(file));
  const led = new Set(
    texts.flatMap(([page, text]) =>
      [...text.matchAll(/\]\(([^)#\s]+)/g)].map(([, link]) => normalize(join(dirname(page), link!))),
    ),
  );
  expect(shown.filter((file) => !led.has(file))).toEqual([]);
});
