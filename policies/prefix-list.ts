/**
 * Denies clients by their address, or allows no others. Prefixes come from the options, from a file (one a line, `#`
 * begins a comment; read again when it changes), or both; a hundred thousand of them cost as much as a few.
 */
import { Continue, definePolicy } from "sluice/policy";

interface Options {
  readonly action: "deny" | "allow-only";
  readonly prefixes: readonly string[];
  readonly file?: string;
}

export default definePolicy<Options>({
  version: "1",
  options: {
    type: "object",
    additionalProperties: false,
    properties: {
      action: { type: "string", enum: ["deny", "allow-only"], default: "deny" },
      prefixes: { type: "array", items: { type: "string" }, default: [] },
      file: { type: "string", minLength: 1 },
    },
  },
  create({ options: { action, prefixes, file }, state }) {
    const listed = state.prefixes("listed", file === undefined ? { prefixes } : { prefixes, file });
    return {
      onNewFlow: (flow) => {
        if (listed.has(flow.client) === (action === "allow-only")) return Continue;
        return flow.deny(action === "deny" ? "the client is on the list" : "the client is not on the list");
      },
    };
  },
});
