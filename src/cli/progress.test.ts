import { afterEach, expect, test, vi } from "vitest";
import { showProgress } from "./progress.ts";

afterEach(() => void vi.useRealTimers());

test("on a terminal it says once a second how far it is, in one line that is gone at the end", () => {
  vi.useFakeTimers();
  let written = "";
  let done = 0;
  const end = showProgress(() => `${++done} of 3`, { isTTY: true, write: (text) => (written += text) });
  vi.advanceTimersByTime(900);
  expect(written).toBe("");
  vi.advanceTimersByTime(1200);
  expect(written).toBe("\r\u001b[K1 of 3\r\u001b[K2 of 3");
  end();
  vi.advanceTimersByTime(5000);
  expect(written.endsWith("2 of 3\r\u001b[K")).toBe(true);
});

test("elsewhere it says nothing", () => {
  vi.useFakeTimers();
  const write = vi.fn();
  const end = showProgress(() => "1 of 3", { write });
  vi.advanceTimersByTime(5000);
  end();
  expect(write).not.toHaveBeenCalled();
});
