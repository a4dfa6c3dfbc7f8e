/** The lab library itself: whatever happens to the process that made a lab, nothing of it stays. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { Lab } from "../lab/lab.ts";

const PREFIX = "slek";
const HOLDER = join(import.meta.dirname, "lab-holder.ts");

let holder: ChildProcess | null = null;

afterEach(() => {
  holder?.kill("SIGKILL");
  new Lab(PREFIX).close();
});

async function startHolder(): Promise<ChildProcess> {
  holder = spawn(process.execPath, [HOLDER, PREFIX], { stdio: ["ignore", "pipe", "inherit"] });
  await once(holder.stdout!, "data");
  return holder;
}

async function endBy(signal: NodeJS.Signals): Promise<void> {
  const child = await startHolder();
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

/** Namespaces, folders, running processes and the claim to the prefix. */
function remains(): string[] {
  const processes = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => commandLine(pid).includes("slek-deaf"));
  const namespaces = readdirSync("/run/netns").filter((name) => name.startsWith(`${PREFIX}-`));
  const folders = readdirSync(tmpdir()).filter((name) => name.startsWith(`sluice-lab-${PREFIX}-`));
  const owners = readdirSync("/run/sluice-lab").filter((name) => name === PREFIX);
  return [...processes, ...namespaces, ...folders, ...owners];
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("%s removes everything, deaf processes too", async (signal) => {
  await endBy(signal);
  expect(remains()).toEqual([]);
});

test("a second signal, while the lab is being removed, does not leave the rest of it", async () => {
  const child = await startHolder();
  const ended = once(child, "exit");
  child.kill("SIGINT");
  // Deaf processes take a second and a half to remove.
  await sleep(500);
  child.kill("SIGINT");
  await ended;
  expect(remains()).toEqual([]);
});

test("what a killed lab left is removed by the next one of its prefix", async () => {
  await endBy("SIGKILL");
  expect(remains()).not.toEqual([]);
  const next = new Lab(PREFIX);
  next.close();
  expect(remains()).toEqual([]);
});

test("what a killed gateway has left pinned goes with its namespace", () => {
  const lab = new Lab(PREFIX);
  lab.namespace("node");
  const pins = `/sys/fs/bpf/sluice-node1-eth0-ns${statSync(`/run/netns/${PREFIX}-node`).ino}`;
  mkdirSync(pins);
  lab.close();
  expect(existsSync(pins)).toBe(false);
});

test("a lab is refused while another process holds its prefix", async () => {
  const child = await startHolder();
  expect(() => new Lab(PREFIX)).toThrow(`already up (process ${child.pid})`);
  const ended = once(child, "exit");
  child.kill("SIGINT");
  await ended;
});
