import { expect, test } from "vitest";
import { cease, describeNotification, shutdownText } from "./notification.ts";

test("the operator's text of a shutdown survives the wire", () => {
  const { code, subcode, data } = cease(2, "Wartung bis 18 Uhr: größer");
  expect(shutdownText(code, subcode, data)).toBe("Wartung bis 18 Uhr: größer");
});

test("a long text is cut to 255 octets, never inside a character", () => {
  const { data } = cease(2, "ü".repeat(200));
  expect(data[0]).toBe(254);
  expect(shutdownText(6, 2, data)).toBe("ü".repeat(127));
});

test("a text that claims more octets than there are is none", () => {
  expect(shutdownText(6, 2, Uint8Array.of(9, 65, 66))).toBeNull();
});

test("control characters in a peer's text do not reach a terminal", () => {
  expect(shutdownText(6, 2, cease(2, "a\u001b[2Jb").data)).toBe("a [2Jb");
});

test("a hard reset is shown with what it wraps", () => {
  const data = Uint8Array.of(6, 2, ...cease(2, "bye").data);
  expect(describeNotification({ type: "NOTIFICATION", code: 6, subcode: 9, data })).toBe(
    'Cease/Hard Reset: Cease/Administrative Shutdown: "bye"',
  );
});

test("unknown codes are named by their numbers", () => {
  expect(describeNotification({ type: "NOTIFICATION", code: 99, subcode: 7, data: new Uint8Array(0) })).toBe(
    "code 99/subcode 7",
  );
});
