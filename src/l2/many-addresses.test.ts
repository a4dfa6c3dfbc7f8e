/** Nodes with more addresses than one datagram has room for, as they tell each other by datagrams. */
import { expect, test } from "vitest";
import { Dice } from "../../test/fixtures/simulated-l2.ts";
import { OwnerAgreement } from "./agreement.ts";
import type { AgreementEvent } from "./event.ts";
import { HeartbeatDecoder, HeartbeatEncoder } from "./heartbeat-codec.ts";
import { StatementAssembly } from "./statement-assembly.ts";
import { DEFAULT_TIMING } from "./timing.ts";

const TICK_MILLISECONDS = 20;
const authenticate = () => new Uint8Array(32);
const vipsFor = (count: number, candidates: readonly string[]) =>
  Array.from({ length: count }, (_, index) => ({
    vip: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
    candidates,
  }));

class Link {
  now = 0;
  readonly agreements: ReadonlyMap<string, OwnerAgreement>;
  readonly #assemblies = new Map<string, StatementAssembly>();
  readonly #encoder = new HeartbeatEncoder(authenticate);
  readonly #decoder = new HeartbeatDecoder(authenticate);
  readonly #loss: number;
  readonly #dice = new Dice(8);
  readonly #onTheWay: (() => void)[] = [];

  constructor(names: readonly string[], loss: number) {
    this.#loss = loss;
    this.agreements = new Map(
      names.map((name, index) => [name, new OwnerAgreement(name, 7000 + index, DEFAULT_TIMING, 0)]),
    );
    for (const name of names) this.#assemblies.set(name, new StatementAssembly());
  }

  step(name: string, event: AgreementEvent): void {
    for (const effect of this.agreements.get(name)!.step(event, this.now)) {
      if (effect.type !== "send") continue;
      for (const datagram of this.#encoder.encode(effect.message)) {
        for (const to of effect.to) {
          if (!this.#dice.chance(this.#loss)) this.#onTheWay.push(() => this.#arrive(to, datagram));
        }
      }
    }
  }

  run(milliseconds: number): void {
    for (const end = this.now + milliseconds; this.now < end; this.now += TICK_MILLISECONDS) {
      for (const arrive of this.#onTheWay.splice(0)) arrive();
      for (const name of this.agreements.keys()) this.step(name, { type: "tick" });
    }
  }

  #arrive(to: string, datagram: Uint8Array): void {
    const read = this.#decoder.decode(datagram, this.agreements.get(to)!.session)!;
    const message = this.#assemblies.get(to)!.add(read);
    if (message !== null) this.step(to, { type: "message", message, at: this.now });
  }
}

test("five hundred addresses have one owner each, also where one datagram of ten is lost", () => {
  const names = ["a", "b", "c"];
  const vips = vipsFor(500, names);
  const link = new Link(names, 0.1);
  for (const name of names) link.step(name, { type: "plan", members: names, vips });
  link.run(10_000);
  const all = [...link.agreements.values()];
  for (const { vip } of vips)
    expect(
      all.filter(({ claims }) => claims.has(vip)),
      vip,
    ).toHaveLength(1);
  for (const { claims } of all) expect(Math.abs(claims.size - 500 / 3)).toBeLessThan(1);
  for (const { roll } of all) for (const member of roll.members.values()) expect(member.isCurrent).toBe(true);
});

test("one node may own thirty thousand, and another that begins later leaves them where they are", () => {
  const link = new Link(["a", "b"], 0);
  const vips = vipsFor(30_000, ["a", "b"]);
  link.step("a", { type: "busy", vips: new Set(vips.map(({ vip }) => vip)) });
  link.step("a", { type: "plan", members: ["a", "b"], vips });
  link.step("b", { type: "drain", on: true });
  link.run(1500);
  expect(link.agreements.get("a")!.claims.size).toBe(30_000);
  link.step("b", { type: "plan", members: ["a", "b"], vips });
  link.step("b", { type: "drain", on: false });
  link.run(1500);
  expect(link.agreements.get("a")!.claims.size).toBe(30_000);
  expect(link.agreements.get("b")!.roll.members.get("a")!.claims.size).toBe(30_000);
  expect(link.agreements.get("b")!.claims.size).toBe(0);
});
