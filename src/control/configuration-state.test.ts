import { expect, test } from "vitest";
import type { Problem, Severity } from "../intent/problem.ts";
import { configurationResult } from "./configuration-state.ts";

const problem = (severity: Severity, message: string): Problem => ({
  severity,
  object: "BGPPeer/metallb-system/tor",
  field: "spec.peerASN",
  message,
  where: null,
});

test("a configuration is valid until something in it is an error, and then says what", () => {
  expect(configurationResult([problem("warning", "is odd")])).toEqual({ result: "Valid", errorSummary: "" });
  expect(configurationResult([problem("error", "is missing"), problem("error", "is missing")])).toEqual({
    result: "Invalid",
    errorSummary: "BGPPeer/metallb-system/tor: spec.peerASN: is missing",
  });
});

test("a summary has an end", () => {
  const many = Array.from({ length: 100 }, (_, index) => problem("error", `is wrong in way ${index}`));
  expect(configurationResult(many).errorSummary).toHaveLength(1024);
});
