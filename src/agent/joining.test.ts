import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Joining } from "./joining.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function joining(mayWait = true): { gateway: Joining; joined: () => number } {
  let joined = 0;
  return { gateway: new Joining("n1", mayWait, () => joined++), joined: () => joined };
}

describe("the routes of a gateway that starts", () => {
  test("do not wait where nobody tells who takes part, nor where it is counted already or nobody is", () => {
    for (const gateways of [null, [], ["n1", "n2"]]) {
      const { gateway, joined } = joining();
      expect(gateway.waits(gateways)).toBe(false);
      vi.runAllTimers();
      expect(joined()).toBe(0);
    }
  });

  test("wait until it is counted, and two seconds longer", () => {
    const { gateway, joined } = joining();
    expect(gateway.waits(["n2"])).toBe(true);
    vi.advanceTimersByTime(5_000);
    expect(gateway.waits(["n1", "n2"])).toBe(true);
    vi.advanceTimersByTime(1_900);
    expect({ waits: gateway.waits(["n1", "n2"]), joined: joined() }).toEqual({ waits: true, joined: 0 });
    vi.advanceTimersByTime(200);
    expect({ waits: gateway.waits(["n1", "n2"]), joined: joined() }).toEqual({ waits: false, joined: 1 });
  });

  test("wait fifteen seconds at most", () => {
    const { gateway, joined } = joining();
    expect(gateway.waits(["n2"])).toBe(true);
    vi.advanceTimersByTime(15_000);
    expect({ waits: gateway.waits(["n2"]), joined: joined() }).toEqual({ waits: false, joined: 1 });
  });

  test("do not wait where routers still have them", () => {
    expect(joining(false).gateway.waits(["n2"])).toBe(false);
  });

  test("never wait again, whatever is told later", () => {
    const { gateway } = joining();
    gateway.waits(null);
    expect(gateway.waits(["n2"])).toBe(false);
  });
});
