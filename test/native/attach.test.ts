/** Attaching to hooks: who is there already, who dies, and what is left. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { attachEgress, attachedXdp, attachXdp, HookTakenError, type Link } from "../../src/xdp/attach.ts";
import { BpfObject } from "../../src/xdp/bpf.ts";
import { driverName, offload, rxQueueCount, setOffload } from "../../src/xdp/ethtool.ts";
import { native } from "../../src/xdp/native.ts";
import { moveIntoOwnNamespace, run, vethPair } from "./own-namespace.ts";

/** Debian's libxdp1 brings it. */
const DISPATCHER_OBJECT = "/usr/lib/x86_64-linux-gnu/bpf/xdp-dispatcher.o";

moveIntoOwnNamespace();
vethPair("aa", "ab", 2);

const object = BpfObject.load(undefined, { maxEntries: { flows: 16 } });
const xdp = object.program("sluice_xdp");
const egress = object.program("sluice_egress");

const links: Link[] = [];
function kept(link: Link): Link {
  links.push(link);
  return link;
}
afterEach(() => {
  for (const link of links.splice(0)) link.detach();
});

describe("attachXdp", () => {
  test.each(["native", "generic"] as const)("attaches in %s mode and detaches, twice without harm", (mode) => {
    expect(attachedXdp("aa")).toBeNull();
    const link = kept(attachXdp({ program: xdp, interface: "aa", mode }));
    expect(attachedXdp("aa")).toMatchObject({ name: "sluice_xdp", mode });
    link.detach();
    link.detach();
    expect(attachedXdp("aa")).toBeNull();
  });

  test("chooses generic mode for a veth by itself, and native for nothing that cannot", () => {
    expect(kept(attachXdp({ program: xdp, interface: "aa", mode: "auto" })).mode).toBe("generic");
    expect(kept(attachXdp({ program: xdp, interface: "lo", mode: "auto" })).mode).toBe("generic");
  });

  test("runs on after its object closed", () => {
    const own = BpfObject.load(undefined, { maxEntries: { flows: 16 } });
    const link = kept(attachXdp({ program: own.program("sluice_xdp"), interface: "aa", mode: "native" }));
    own.close();
    expect(attachedXdp("aa")).toMatchObject({ name: "sluice_xdp" });
    link.detach();
  });

  test("never overwrites another program: the error names it, its id and how to free the hook", () => {
    kept(attachXdp({ program: xdp, interface: "aa", mode: "generic" }));
    const owner = attachedXdp("aa")!;
    for (const mode of ["auto", "native", "generic"] as const) {
      try {
        attachXdp({ program: xdp, interface: "aa", mode });
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(HookTakenError);
        expect((error as Error).message).toBe(
          `the XDP hook of aa is taken by sluice_xdp (program id ${owner.programId}, generic mode)`,
        );
        expect((error as HookTakenError).hint).toContain("ip link set dev aa xdp off");
      }
    }
    expect(attachedXdp("aa")).toEqual(owner);
  });
});

describe("attachEgress", () => {
  const filters = () => run("tc filter show dev aa egress");

  test("attaches by TCX, beside another program, and leaves nothing", () => {
    const another = BpfObject.load(undefined, { maxEntries: { flows: 16 } });
    const link = kept(attachEgress({ program: egress, interface: "aa" }));
    expect(link.mode).toBe("tcx");
    const second = kept(attachEgress({ program: another.program("sluice_egress"), interface: "aa" }));
    another.close();
    second.detach();
    link.detach();
    link.detach();
    expect(filters()).toBe("");
  });
});

describe("ways that this kernel does not need", () => {
  test("a cls_bpf filter, for kernels without TCX, attaches and leaves no filter", () => {
    const link = new native.Link("clsact", egress.fd, "aa");
    expect(run("tc filter show dev aa egress")).toContain("sluice_egress");
    link.close();
    link.close();
    expect(run("tc filter show dev aa egress")).toBe("");
    run("tc qdisc del dev aa clsact");
  });

  test("libxdp loads the program over the maps that we have, and unloads it", () => {
    const link = new native.Link("dispatcher", object.path, "aa", 2, object.mapDescriptors(), xdp.name);
    const attached = attachedXdp("aa")!;
    // Its dispatcher where the kernel allows one, else the program alone.
    expect(["xdp_dispatcher", "sluice_xdp"]).toContain(attached.name);
    link.close();
    expect(attachedXdp("aa")).toBeNull();
    // libxdp keeps its lock in a directory; nobody else uses it when it can be removed.
    spawnSync("rmdir", ["/sys/fs/bpf/xdp"]);
  });

  test("a dispatcher that takes no further program is left as it is", () => {
    const dispatcher = BpfObject.load(DISPATCHER_OBJECT);
    kept(attachXdp({ program: dispatcher.program("xdp_dispatcher"), interface: "aa", mode: "generic" }));
    dispatcher.close();
    const owner = attachedXdp("aa")!;
    expect(owner.name).toBe("xdp_dispatcher");
    expect(() => attachXdp({ program: xdp, interface: "aa", mode: "auto" })).toThrow("is taken by xdp_dispatcher");
    expect(attachedXdp("aa")).toEqual(owner);
  });
});

describe("a process that is killed", () => {
  test("leaves neither program nor busy queue", async () => {
    const script = fileURLToPath(new URL("hold-everything.ts", import.meta.url));
    const child = spawn(process.execPath, [script, "aa"], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    expect(attachedXdp("aa")).toMatchObject({ name: "sluice_xdp" });
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(attachedXdp("aa")).toBeNull();
    const again = spawn(process.execPath, [script, "aa"], { stdio: ["ignore", "pipe", "inherit"] });
    expect((await once(again.stdout, "data")).toString()).toBe("ready\n");
    again.kill("SIGTERM");
    await once(again, "exit");
    expect(attachedXdp("aa")).toBeNull();
  });
});

describe("ethtool", () => {
  test("tells the driver and the queues", () => {
    expect(driverName("aa")).toBe("veth");
    expect(rxQueueCount("aa")).toBe(2);
    expect(rxQueueCount("lo")).toBe(1);
  });

  test("switches offloads", () => {
    setOffload("ab", "txChecksum", true);
    expect(offload("ab", "txChecksum")).toBe(true);
    setOffload("ab", "txChecksum", false);
    expect([offload("ab", "txChecksum"), offload("ab", "tso")]).toEqual([false, false]);
    setOffload("ab", "gro", false);
    expect(offload("ab", "gro")).toBe(false);
    setOffload("ab", "gro", true);
    expect(offload("ab", "gro")).toBe(true);
  });

  test("switches those that share a word, one without the other", () => {
    setOffload("ab", "txVlan", true);
    setOffload("ab", "rxVlan", true);
    setOffload("ab", "rxVlan", false);
    expect([offload("ab", "txVlan"), offload("ab", "rxVlan"), offload("ab", "lro")]).toEqual([true, false, false]);
    setOffload("ab", "txVlan", false);
    expect(run("ethtool -k ab")).toMatch(/rx-vlan-offload: off\ntx-vlan-offload: off/);
  });
});
