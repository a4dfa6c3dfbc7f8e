import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { ADDRESS_WORDS } from "../wire/raw.ts";
import { NeighborRequests } from "./neighbor-requests.ts";

const ADDRESS = Int32Array.of(0, 0, -65536, 0x0100000a);

function drained(requests: NeighborRequests): number[] {
  const ports: number[] = [];
  requests.drain((at, port) => {
    expect(requests.words.slice(at, at + ADDRESS_WORDS)).toEqual(ADDRESS);
    ports.push(port);
  });
  return ports;
}

test("requests are drained in their order, and each once", () => {
  const requests = new NeighborRequests();
  for (const port of [3, 0, 7]) requests.ask(ADDRESS, 0, port);
  expect(drained(requests)).toEqual([3, 0, 7]);
  expect(drained(requests)).toEqual([]);
});

test("a full ring loses what comes, and takes what comes after it was drained", () => {
  const requests = new NeighborRequests();
  for (let port = 0; port < 70; port++) requests.ask(ADDRESS, 0, port);
  expect(drained(requests)).toHaveLength(64);
  requests.ask(ADDRESS, 0, 1);
  expect(drained(requests)).toEqual([1]);
});

test("a request of another thread ends the waiting", async () => {
  const requests = new NeighborRequests();
  const code = `
    const { workerData } = require("node:worker_threads");
    import(workerData.module).then(({ NeighborRequests }) =>
      new NeighborRequests(workerData.words).ask(workerData.address, 0, 5));`;
  const module = new URL("./neighbor-requests.ts", import.meta.url).href;
  const workerData = { module, words: requests.words, address: ADDRESS };
  const waiting = requests.next(requests.count);
  const worker = new Worker(code, { eval: true, workerData });
  await waiting;
  expect(drained(requests)).toEqual([5]);
  await worker.terminate();
});

test("a request between counting and waiting is not missed", async () => {
  const requests = new NeighborRequests();
  const { count } = requests;
  drained(requests);
  requests.ask(ADDRESS, 0, 2);
  await requests.next(count);
  expect(drained(requests)).toEqual([2]);
});

test("who waits can be told to stop", async () => {
  const requests = new NeighborRequests();
  const waiting = requests.next(requests.count);
  requests.wake();
  await waiting;
  expect(drained(requests)).toEqual([]);
});
