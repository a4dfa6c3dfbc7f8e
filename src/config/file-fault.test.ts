import { expect, test } from "vitest";
import { fileFault, readOptionFile } from "./file-fault.ts";

test("a file that can't be read is named with the option and the reason", () => {
  expect(() => readOptionFile("--http-token", "/nowhere/token")).toThrow("--http-token /nowhere/token: does not exist");
  expect(() => readOptionFile("--http-key", "/")).toThrow("--http-key /: is a directory");
  expect(fileFault(Object.assign(new Error("EIO: i/o error"), { code: "EIO" }))).toBe("cannot be read: EIO: i/o error");
});
