/** What goes wrong is said in one sentence that names the thing, with the errno and what to do. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { attachEgress, attachXdp } from "../../src/xdp/attach.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { driverName } from "../../src/xdp/ethtool.ts";
import { native } from "../../src/xdp/native.ts";
import { isNativeError, type NativeError } from "../../src/xdp/native-error.ts";
import { Umem } from "../../src/xdp/umem.ts";
import { XskSocket } from "../../src/xdp/xsk.ts";
import { moveIntoOwnNamespace, vethPair } from "./own-namespace.ts";
import { SMALL_RINGS } from "./traffic.ts";

moveIntoOwnNamespace();
vethPair("ea", "eb");

function failureOf(action: () => unknown): NativeError {
  try {
    action();
  } catch (error) {
    if (isNativeError(error)) return error;
    throw error;
  }
  throw new Error("it succeeded");
}

const umem = () => new Umem({ frameCount: 64, frameSize: 2048 });
const open = (name: string, options: object = {}) =>
  new XskSocket(umem(), { interface: name, queue: 0, ...SMALL_RINGS, ...options });

describe("a socket", () => {
  test("on an interface that does not exist", () => {
    const error = failureOf(() => open("nope0"));
    expect(error).toMatchObject({ code: "ENODEV", syscall: "if_nametoindex" });
    expect(error.message).toBe("cannot open an AF_XDP socket on queue 0 of nope0: No such device (ENODEV)");
    expect(error.hint).toContain("ip link");
  });

  test("on a queue that does not exist", () => {
    const error = failureOf(() => open("ea", { queue: 9 }));
    expect(error.code).toBe("EINVAL");
    expect(error.hint).toContain("no such queue");
  });

  test("on a queue that another one holds", () => {
    const holder = open("ea");
    const error = failureOf(() => open("ea"));
    expect(error.message).toBe("cannot bind an AF_XDP socket to queue 0 of ea: Device or resource busy (EBUSY)");
    expect(error.hint).toContain("another AF_XDP socket holds the queue");
    holder.close();
    open("ea").close();
  });

  test("without copies on a driver that cannot", () => {
    expect(failureOf(() => open("ea", { bind: "zerocopy" })).hint).toContain("copy mode");
    const automatic = open("ea", { bind: "auto" });
    expect(automatic.zeroCopy).toBe(false);
    automatic.close();
  });

  test("with rings that are no power of two", () => {
    expect(failureOf(() => open("ea", { rxSize: 63 })).hint).toBe("the size of a ring must be a power of two");
  });

  test("on memory that was closed", () => {
    const memory = umem();
    memory.close();
    expect(() => new XskSocket(memory, { interface: "ea", queue: 0, ...SMALL_RINGS })).toThrow("is closed");
  });

  test("leaves the queue free after each of these", () => open("ea").close());
});

describe("a BPF object", () => {
  test("that is not there, or is none", () => {
    expect(failureOf(() => BpfObject.load("/nowhere/sluice.bpf.o"))).toMatchObject({
      code: "ENOENT",
      hint: "build it with `npm run build`",
    });
    expect(failureOf(() => BpfObject.load(fileURLToPath(import.meta.url))).message).toContain("errors.test.ts");
  });

  test("asked for what it has not", () => {
    expect(() => BpfObject.load(undefined, { maxEntries: { floes: 1 } })).toThrow("no map floes in");
    const object = BpfObject.load(undefined, { maxEntries: { flows: 16 } });
    expect(() => object.program("nothing")).toThrow("no program nothing in");
    expect(() => object.map("nothing")).toThrow("no map nothing in");
    object.close();
    object.close();
    expect(() => object.program("sluice_xdp")).toThrow("is closed");
  });

  test("attached to an interface that does not exist", () => {
    const object = BpfObject.load(undefined, { maxEntries: { flows: 16 } });
    for (const attach of [
      () => attachXdp({ program: object.program("sluice_xdp"), interface: "nope0", mode: "auto" }),
      () => attachEgress({ program: object.program("sluice_egress"), interface: "nope0" }),
      () => driverName("nope0"),
    ]) {
      expect(failureOf(attach)).toMatchObject({ code: "ENODEV", message: expect.stringContaining("nope0") });
    }
    object.close();
  });

  test("whose program is attached to the wrong hook", () => {
    const object = BpfObject.load(undefined, { maxEntries: { flows: 16 } });
    expect(
      failureOf(() => attachXdp({ program: object.program("sluice_egress"), interface: "ea", mode: "generic" })).code,
    ).toBe("EINVAL");
    expect(failureOf(() => attachEgress({ program: object.program("sluice_xdp"), interface: "ea" })).code).toBe(
      "EINVAL",
    );
    object.close();
  });
});

describe("without privileges", () => {
  /** Runs an expression in a process that has no capabilities, and returns the error it threw. */
  function unprivileged(expression: string): { code: string; message: string; hint: string } {
    const code = `
      const load = (name) => import(${JSON.stringify(new URL("../../src/xdp/", import.meta.url).href)} + name + ".ts");
      const [{ Umem }, { XskSocket }, { BpfObject }, { NetworkMirror }, { setLink }] = await Promise.all(
        ["umem", "xsk", "bpf", "network-mirror", "netlink"].map(load));
      try { ${expression}; console.log("{}"); }
      catch ({ code, message, hint }) { console.log(JSON.stringify({ code, message, hint })); }`;
    const drop = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--securebits=+noroot"];
    return JSON.parse(
      execFileSync("setpriv", [...drop, process.execPath, "--input-type=module", "-e", code], { encoding: "utf8" }),
    );
  }

  test.each([
    [
      "a socket",
      'new XskSocket(new Umem({ frameCount: 64, frameSize: 2048 }), { interface: "ea", queue: 0 })',
      "cannot open an AF_XDP socket on queue 0 of ea",
    ],
    ["a BPF object", "BpfObject.load()", "cannot load the BPF object"],
    ["a change to an interface", 'setLink({ index: 1, name: "lo" }, { mtu: 1500 })', "cannot change the interface lo"],
  ])("%s says so, and what is needed", (_name, expression, sentence) => {
    const error = unprivileged(expression);
    expect(error.message).toContain(sentence);
    expect(error.code).toBe("EPERM");
    expect(error.hint).toContain("CAP_NET_ADMIN");
  });

  test("reading the network's tables still works", () => {
    expect(unprivileged("new NetworkMirror().close()")).toEqual({});
  });
});

describe("nonsense as arguments", () => {
  /** No groups to watch, no capabilities to keep: requests like any other. */
  const TAKES_AN_EMPTY_LIST = new Set(["NetlinkMonitor", "keepOwnCapabilities", "keepCapabilities"]);
  const wild: never[] = [undefined, null, -1, 1e300, Number.NaN, "x", {}, [], () => 0, Symbol.iterator] as never[];

  test("throws, whatever the function and the value, and never ends the process", () => {
    const {
      kick: _kick,
      signalEvent: _signal,
      clearEvent: _clear,
      closeFd: _close,
      giveWay: _way,
      ...functions
    } = native;
    for (const [name, value] of Object.entries(functions)) {
      // ethtoolGet and its like with a good name and a wild command would be a request like any other.
      for (const argument of wild) {
        const call = () =>
          /^[A-Z]/.test(name) && name !== "EventFd"
            ? new (value as new (...given: never[]) => unknown)(argument, argument, argument, argument, argument)
            : (value as (...given: never[]) => unknown)(argument, argument, argument, argument, argument);
        if (TAKES_AN_EMPTY_LIST.has(name) && Array.isArray(argument)) continue;
        expect(call, `${name}(${String(argument)})`).toThrow();
      }
    }
  });

  test("a method taken from one class and called on another throws", () => {
    const memory = umem();
    const steal = native.Xsk.prototype as unknown as { rings(): unknown };
    expect(() => steal.rings.call(memory.handle)).toThrow(TypeError);
    expect(() => new native.Xsk({} as never, "ea", 0, 0, 2048, 0, 64, 64, 64, 64)).toThrow("umem must be a Umem");
    const sieve = memory.handle as never;
    expect(() => new native.RestingBeat(sieve, [], new Int32Array(1), new Float64Array(4), () => {})).toThrow(
      "a sieve",
    );
    memory.close();
  });

  test.each([
    [{ frameCount: 0, frameSize: 2048 }],
    [{ frameCount: 1.5, frameSize: 2048 }],
    [{ frameCount: 1, frameSize: 1000 }],
    [{ frameCount: 2 ** 21, frameSize: 2048 }],
  ])("a Umem of %j is refused", (options) => {
    expect(() => new Umem(options as never)).toThrow(TypeError);
  });
});
