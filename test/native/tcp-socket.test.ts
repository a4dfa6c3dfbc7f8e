/** TCP with MD5 signatures, TTLs and a device, both ends ours, over the loopback of a namespace. */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { isNativeError } from "../../src/xdp/native-error.ts";
import {
  type ConnectOptions,
  connectTcp,
  type ListenOptions,
  listeningPort,
  listenTcp,
  setMd5,
} from "../../src/xdp/tcp-socket.ts";
import { moveIntoOwnNamespace, run } from "./own-namespace.ts";

moveIntoOwnNamespace();
run("sysctl -qw net.ipv4.tcp_syn_retries=1");
run("ip addr add 10.7.0.1/32 dev lo");

const open: (Server | Socket)[] = [];
afterEach(() => {
  for (const one of open.splice(0)) {
    if ("destroy" in one) one.destroy();
    else one.close();
  }
});

async function listen(options: Partial<ListenOptions> = {}): Promise<{ port: number; fd: number }> {
  const { server, fd } = listenTcp({ address: "127.0.0.1", port: 0, md5: [], ...options }, (socket) => {
    open.push(socket);
    socket.on("error", () => undefined);
    socket.write(`hello ${socket.remoteAddress} ${socket.remotePort}`);
  });
  open.push(server);
  if (!server.listening) await once(server, "listening");
  return { port: listeningPort(server), fd };
}

/** What the server said, or the error's code, or "silence" after a second. */
function greeting(options: Partial<ConnectOptions> & { remotePort: number }): Promise<string> {
  const socket = connectTcp({ remoteAddress: "127.0.0.1", ...options });
  open.push(socket);
  expect(socket.connecting).toBe(true);
  return new Promise((resolve) => {
    socket.on("data", (data) => resolve(data.toString()));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    setTimeout(() => resolve("silence"), 1000);
  });
}

describe("a plain connection", () => {
  test("behaves as one of node:net, from the address and port that were asked for", async () => {
    const { port } = await listen();
    expect(await greeting({ remotePort: port, localAddress: "127.0.0.9", localPort: 1799 })).toBe(
      "hello 127.0.0.9 1799",
    );
  });

  test("over IPv6", async () => {
    const { port } = await listen({ address: "::1" });
    expect(await greeting({ remoteAddress: "::1", remotePort: port })).toMatch(/^hello ::1 /);
  });

  test("tells of a refused one by the usual error", async () => {
    expect(await greeting({ remotePort: 1 })).toBe("ECONNREFUSED");
  });
});

describe("MD5 signatures", () => {
  const md5 = [{ peer: "127.0.0.1", key: "secret" }];

  test("let the right key in", async () => {
    const { port } = await listen({ md5 });
    expect(await greeting({ remotePort: port, md5Key: "secret" })).toMatch(/^hello/);
  });

  test.each([
    ["a wrong key", "Secret"],
    ["no key", null],
  ])("keep %s out", async (_name, md5Key) => {
    const { port } = await listen({ md5 });
    expect(await greeting({ remotePort: port, md5Key })).toBe("silence");
  });

  test("over IPv6", async () => {
    const { port } = await listen({ address: "::1", md5: [{ peer: "::1", key: "six" }] });
    expect(await greeting({ remoteAddress: "::1", remotePort: port, md5Key: "six" })).toMatch(/^hello/);
    expect(await greeting({ remoteAddress: "::1", remotePort: port, md5Key: "seven" })).toBe("silence");
  });

  test("can be given to and taken from a server that listens", async () => {
    const { port, fd } = await listen();
    setMd5(fd, "127.0.0.1", "later");
    expect(await greeting({ remotePort: port })).toBe("silence");
    expect(await greeting({ remotePort: port, md5Key: "later" })).toMatch(/^hello/);
    setMd5(fd, "127.0.0.1", null);
    setMd5(fd, "127.0.0.1", null);
    expect(await greeting({ remotePort: port })).toMatch(/^hello/);
  });

  test("with a key of more than 80 octets is refused in words", () => {
    expect(() => connectTcp({ remoteAddress: "127.0.0.1", remotePort: 1, md5Key: "x".repeat(81) })).toThrow(
      "a TCP MD5 key has at most 80 octets",
    );
  });
});

describe("TTL security", () => {
  test("takes a connection whose TTL is high enough, and no other", async () => {
    const { port } = await listen({ minTtl: 255 });
    expect(await greeting({ remotePort: port, ttl: 255 })).toMatch(/^hello/);
    expect(await greeting({ remotePort: port, ttl: 64 })).toBe("silence");
  });
});

describe("what cannot be", () => {
  test.each<[string, Partial<ConnectOptions>, string, string]>([
    ["an address that is not on this node", { localAddress: "192.0.2.99" }, "EADDRNOTAVAIL", "192.0.2.99"],
    ["a device that does not exist", { device: "nope0" }, "ENODEV", "nope0"],
  ])("%s throws one sentence that names it", (_name, options, code, word) => {
    try {
      connectTcp({ remoteAddress: "10.7.0.1", remotePort: 1, ...options });
      expect.unreachable();
    } catch (error) {
      expect(isNativeError(error) && error.code).toBe(code);
      expect((error as Error).message).toContain(word);
    }
  });

  test("a port that is taken", async () => {
    const { port } = await listen();
    expect(() => listenTcp({ address: "127.0.0.1", port, md5: [] }, () => undefined)).toThrow(
      `cannot make a TCP socket on 127.0.0.1:${port}: Address already in use (EADDRINUSE)`,
    );
  });
});
