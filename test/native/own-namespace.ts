/**
 * A network namespace for one test file: the thread moves in, and everything is gone when the file ends. A namespace
 * left by a run that was killed is swept by the next one (its name holds the process id).
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { afterAll } from "vitest";
import { enterNetworkNamespace } from "../../src/xdp/namespace.ts";

const PREFIX = "sln";

/** Runs a command in the namespace, with `input` on its standard input; its output is the result. */
export function run(command: string, input = ""): string {
  const [file, ...args] = command.split(" ");
  return execFileSync(file!, args, { encoding: "utf8", input, stdio: "pipe" });
}

function sweep(): void {
  for (const name of existsSync("/run/netns") ? readdirSync("/run/netns") : []) {
    const owner = /^sln(\d+)[a-z]?$/.exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) run(`ip netns del ${name}`);
  }
}

/** Call once at the top of a test file. Returns the namespace's path. */
export function moveIntoOwnNamespace(): string {
  sweep();
  const name = `${PREFIX}${process.pid}`;
  run(`ip netns add ${name}`);
  // The runner that forked this process stays where it was.
  const home = `/proc/${process.ppid}/ns/net`;
  enterNetworkNamespace(`/run/netns/${name}`);
  run("ip link set lo up");
  afterAll(() => {
    enterNetworkNamespace(home);
    run(`ip netns del ${name}`);
  });
  return `/run/netns/${name}`;
}

/** A second, empty namespace for the other end of something, until the file ends. */
export function otherNamespace(): { name: string; run(command: string, input?: string): string } {
  const name = `${PREFIX}${process.pid}b`;
  run(`ip netns add ${name}`);
  afterAll(() => run(`ip netns del ${name}`));
  return { name, run: (command, input) => run(`nsenter --net=/run/netns/${name} ${command}`, input) };
}

/** A veth pair with both ends up, checksums finished by the sender, and no IPv6 chatter. */
export function vethPair(a: string, b: string, queues = 1): void {
  run(
    `ip link add ${a} numtxqueues ${queues} numrxqueues ${queues} type veth peer name ${b} numtxqueues ${queues} numrxqueues ${queues}`,
  );
  for (const end of [a, b]) {
    run(`sysctl -qw net.ipv6.conf.${end}.disable_ipv6=1`);
    run(`ethtool -K ${end} tx off gro on`);
    run(`ip link set ${end} up`);
  }
}
