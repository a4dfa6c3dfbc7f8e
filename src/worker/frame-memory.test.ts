import { describe, expect, test } from "vitest";
import { FRAME_START, FrameMemory, layFrames } from "./frame-memory.ts";

const ETHERNET = 14;

describe("frames are chosen by the longest packet to expect", () => {
  test.each([
    { mtu: 1500, frameSize: 2048, roomFrames: 1, rooms: 0 },
    { mtu: 1776, frameSize: 2048, roomFrames: 1, rooms: 0 },
    { mtu: 1777, frameSize: 4096, roomFrames: 1, rooms: 0 },
    { mtu: 3824, frameSize: 4096, roomFrames: 1, rooms: 0 },
    { mtu: 3825, frameSize: 4096, roomFrames: 2, rooms: 1024 },
    { mtu: 9000, frameSize: 4096, roomFrames: 3, rooms: 1024 },
  ])("an MTU of $mtu takes frames of $frameSize, and rooms of $roomFrames", ({ mtu, frameSize, roomFrames, rooms }) => {
    expect(layFrames(mtu + ETHERNET, 2, 4096)).toEqual({ frameSize, frameCount: 8192, roomFrames, roomCount: rooms });
  });

  test("longer ones than the kernel joins are refused", () => {
    expect(() => layFrames(65535 + ETHERNET, 1, 4096)).toThrow("set an MTU of 9000 or less");
  });
});

const JUMBO = { frameSize: 4096, frameCount: 4, roomFrames: 3, roomCount: 2 } as const;

test("every frame and room is given once, and they do not overlap", () => {
  const memory = new FrameMemory(JUMBO);
  const spans: [number, number][] = [];
  while (memory.freeFrames > 0) {
    const at = memory.takeFrame();
    spans.push([at, at + 4096]);
  }
  while (memory.freeRooms > 0) {
    const at = memory.takeRoom();
    spans.push([at, at + 3 * 4096]);
  }
  spans.sort((a, b) => a[0] - b[0]);
  expect(spans.flat()).toEqual([0, 4096, 4096, 8192, 8192, 12288, 12288, 16384, 16384, 28672, 28672, 40960]);
});

test("a packet in a room has a piece in each frame that it touches", () => {
  const memory = new FrameMemory(JUMBO);
  const room = memory.takeRoom();
  const pieces = (start: number, length: number) => {
    const lengths: number[] = [];
    for (let at = room + start, left = length; left > 0; ) {
      const piece = memory.firstPiece(at, left);
      lengths.push(piece);
      at += piece;
      left -= piece;
    }
    expect(memory.piecesOf(room + start, length)).toBe(lengths.length);
    return lengths;
  };
  expect(pieces(FRAME_START, 60)).toEqual([60]);
  expect(pieces(FRAME_START, 3838)).toEqual([3838]);
  expect(pieces(FRAME_START, 3839)).toEqual([3838, 1]);
  expect(pieces(FRAME_START, 9014)).toEqual([3838, 4096, 1080]);
  // Grown at its front by a tunnel.
  expect(pieces(FRAME_START - 50, 9064)).toEqual([3888, 4096, 1080]);
  expect(memory.piecesOf(memory.takeFrame() + FRAME_START, 1514)).toBe(1);
});

test("a room that was lent in pieces is free when the last comes back, in any order", () => {
  const memory = new FrameMemory(JUMBO);
  const room = memory.takeRoom();
  const other = memory.takeRoom();
  memory.lend(room + FRAME_START, 3);
  memory.give(room + 8192);
  memory.give(other + FRAME_START);
  expect(memory.freeRooms).toBe(1);
  expect(memory.takeRoom()).toBe(other);
  memory.give(room + FRAME_START);
  expect(memory.freeRooms).toBe(0);
  memory.give(room + 4096);
  expect(memory.takeRoom()).toBe(room);
});
