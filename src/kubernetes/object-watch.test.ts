import { afterEach, describe, expect, test, vi } from "vitest";
import { PATIENCE } from "../../test/fixtures/patience.ts";
import { type ApiConnection, ApiError, type WatchEvent } from "./api-connection.ts";
import { ObjectWatch, type StoredObject, type WatchedKind } from "./object-watch.ts";

const KIND: WatchedKind = {
  kind: "Pool",
  apiVersions: ["x/v2", "x/v1"],
  plural: "pools",
  namespace: null,
  fieldSelector: null,
};

function stored(name: string, resourceVersion: string): StoredObject {
  return { metadata: { name, resourceVersion } };
}

/** A server that answers lists and watches as the test says, and remembers what it was asked. */
class PlayedServer {
  readonly asked: string[] = [];
  lists: (() => readonly StoredObject[])[] = [];
  watches: ((onEvent: (event: WatchEvent) => void) => void)[] = [];
  #watching: ((event: WatchEvent) => void) | null = null;

  get(path: string): Promise<unknown> {
    this.asked.push(`list ${path}`);
    const list = this.lists.shift();
    if (list === undefined) return new Promise(() => undefined);
    return Promise.resolve().then(() => ({ metadata: { resourceVersion: "100" }, items: list() }));
  }

  watch(_path: string, query: { resourceVersion: string }, signal: AbortSignal, onEvent: (event: WatchEvent) => void) {
    this.asked.push(`watch from ${query.resourceVersion}`);
    this.#watching = onEvent;
    const play = this.watches.shift();
    return new Promise<void>((resolve, reject) => {
      signal.addEventListener("abort", () => resolve());
      if (play === undefined) return;
      try {
        play(onEvent);
        resolve();
      } catch (error) {
        reject(error);
      }
    });
  }

  tell(event: WatchEvent): void {
    this.#watching!(event);
  }
}

const open: ObjectWatch[] = [];

function follow(server: PlayedServer) {
  const seen: string[] = [];
  const watch = new ObjectWatch(server as unknown as ApiConnection, KIND, {
    replaceAll: (_kind, objects) => seen.push(`all: ${objects.map(({ metadata }) => metadata.name).join()}`),
    put: (_kind, { apiVersion, metadata }) => seen.push(`put ${metadata.name} ${apiVersion}`),
    remove: (_kind, { metadata }) => seen.push(`remove ${metadata.name}`),
    fault: (_kind, message) => message !== null && seen.push(`fault ${message}`),
  });
  open.push(watch);
  return seen;
}

afterEach(() => {
  vi.useRealTimers();
  // The played server never ends what it was asked last, so closing is not awaited.
  for (const watch of open.splice(0)) void watch.close();
});

describe("a watch", () => {
  test("is resumed where it was when the server ends it", async () => {
    const server = new PlayedServer();
    server.lists = [() => [stored("a", "90")]];
    server.watches = [
      (onEvent) => {
        onEvent({ type: "ADDED", object: stored("b", "101") });
        onEvent({ type: "BOOKMARK", object: stored("", "150") });
      },
    ];
    const seen = follow(server);
    await vi.waitFor(() => expect(server.asked).toHaveLength(3), PATIENCE);
    expect(server.asked).toEqual(["list /apis/x/v2/pools", "watch from 100", "watch from 150"]);
    expect(seen).toEqual(["all: a", "put b x/v2"]);
  });

  test.each([
    [
      "refused with 410 Gone",
      () => {
        throw new ApiError(410, "too old");
      },
    ],
    [
      "told so by an ERROR event",
      (onEvent: (event: WatchEvent) => void) => onEvent({ type: "ERROR", object: { code: 410 } }),
    ],
  ])("starts anew from a list when %s", async (_how, play) => {
    const server = new PlayedServer();
    server.lists = [() => [stored("a", "90")], () => [stored("c", "99")]];
    server.watches = [play];
    const seen = follow(server);
    await vi.waitFor(() => expect(server.asked).toHaveLength(4), PATIENCE);
    expect(seen).toEqual(["all: a", "all: c"]);
  });

  test("of a server that forgets every list at once asks for lists ever more slowly", async () => {
    vi.useFakeTimers();
    const server = new PlayedServer();
    server.lists = new Array(100).fill(() => [stored("a", "90")]);
    server.watches = new Array(100).fill(() => {
      throw new ApiError(410, "too old");
    });
    follow(server);
    await vi.advanceTimersByTimeAsync(60_000);
    const lists = server.asked.filter((question) => question.startsWith("list"));
    // Half of every pause is chance: 0.2 s, 0.4 s, ... 20 s.
    expect(lists.length).toBeGreaterThan(5);
    expect(lists.length).toBeLessThan(15);
  });

  test("tries the other version of a kind that the server doesn't have, and takes none for an answer", async () => {
    const server = new PlayedServer();
    const absent = () => {
      throw new ApiError(404, "not found");
    };
    server.lists = [absent, absent];
    const seen = follow(server);
    await vi.waitFor(() => expect(seen).toEqual(["all: "]), PATIENCE);
    expect(server.asked).toEqual(["list /apis/x/v2/pools", "list /apis/x/v1/pools"]);
  });

  test("says what is wrong, and goes on", async () => {
    const server = new PlayedServer();
    server.lists = [
      () => {
        throw new Error("connection refused");
      },
      () => [stored("a", "90")],
    ];
    const seen = follow(server);
    await vi.waitFor(() => expect(seen).toEqual(["fault connection refused", "all: a"]), PATIENCE);
    server.tell({ type: "DELETED", object: stored("a", "102") });
    expect(seen.at(-1)).toBe("remove a");
  });
});
