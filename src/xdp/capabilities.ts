/**
 * The capabilities that each thread keeps once it runs. Those of a thread that is started later are its parent's, so what a
 * process gives up after its start is gone for good.
 *
 *                       datapath workers     speaker, BFD                  all others, libuv's and V8's among them
 *     NET_RAW           AF_XDP sockets       a session on its interface    ARP and NDP
 *     IPC_LOCK          frame memory                                       for workers that are started anew
 *     BPF               maps                                               an epoch is a map
 *     NET_ADMIN                              TCP MD5                       neighbours, routes, addresses
 *     NET_BIND_SERVICE                       BGP's own port, if asked for  for a speaker that is started anew
 *
 * `sluice speaker` keeps what the speaker's thread does. Threads that run modules or manifests of somebody else's, and nothing
 * besides, keep none.
 * PERFMON, by which programs are loaded, and SYS_ADMIN, by which the far end of a veth is looked at, are for the start only.
 */
import { native } from "./native.ts";

// capability.h of the kernel.
const NET_BIND_SERVICE = 10;
const NET_ADMIN = 12;
const NET_RAW = 13;
const IPC_LOCK = 14;
const BPF = 39;

const FORWARDING: readonly number[] = [NET_RAW, IPC_LOCK, BPF];
const SPEAKING: readonly number[] = [NET_RAW, NET_ADMIN, NET_BIND_SERVICE];
const RUNNING: readonly number[] = [...FORWARDING, NET_ADMIN, NET_BIND_SERVICE];

/** All threads keep what a running gateway needs; and no program that is executed gets more. */
export function dropStartCapabilities(): void {
  native.keepCapabilities(RUNNING);
}

/** This thread keeps what a datapath worker needs to open its sockets, also anew. */
export function keepForwardingCapabilities(): void {
  native.keepOwnCapabilities(FORWARDING);
}

/** The thread, or the whole process, keeps what sessions need. */
export function keepSpeakingCapabilities(of: "thread" | "process"): void {
  if (of === "process") native.keepCapabilities(SPEAKING);
  else native.keepOwnCapabilities(SPEAKING);
}

export function keepNoCapabilities(): void {
  native.keepOwnCapabilities([]);
}
