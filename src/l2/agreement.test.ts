/** The agreement on owners, one promise a test; test/l2-histories.test.ts has the random histories. */
import { describe, expect, test } from "vitest";
import { Dice, SIMULATED_TIMING, SimulatedNetwork } from "../../test/fixtures/simulated-l2.ts";
import { OwnerAgreement } from "./agreement.ts";
import type { AgreementEvent } from "./event.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { DEFAULT_TIMING, type Timing } from "./timing.ts";

function settled(nodes: number, vips: number): SimulatedNetwork {
  const network = new SimulatedNetwork(new Dice(7), nodes, vips);
  network.run(12_000);
  return network;
}

function owners(network: SimulatedNetwork): Map<string, string> {
  return new Map(
    network.vips.map((vip) => [
      vip,
      network
        .answering(vip)
        .map(({ name }) => name)
        .join(),
    ]),
  );
}

function moved(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...before.keys()].filter((vip) => before.get(vip) !== after.get(vip));
}

describe("balance", () => {
  test("owners of 100 addresses on 5 nodes differ by at most one, and none moves after that", () => {
    const network = settled(5, 103);
    expect(network.loads().toSorted()).toEqual([20, 20, 21, 21, 21]);
    const changes = network.changes.length;
    network.run(60_000);
    expect(network.changes).toHaveLength(changes);
  });

  test("the addresses of a dead node are spread over all others, and only these move", () => {
    const network = settled(5, 100);
    const before = owners(network);
    const victim = network.nodes[2]!;
    const lost = [...victim.answers];
    network.kill(victim);
    network.run(1000);
    expect(network.loads()).toEqual([25, 25, 25, 25]);
    expect(moved(before, owners(network)).toSorted()).toEqual(lost.toSorted());
  });

  test("a node that comes back gets its share, each address moved once", () => {
    const network = settled(5, 100);
    network.kill(network.nodes[2]!);
    network.run(20_000);
    const before = owners(network);
    network.restart(network.nodes[2]!);
    network.run(20_000);
    expect(network.loads()).toEqual([20, 20, 20, 20, 20]);
    expect(moved(before, owners(network))).toHaveLength(20);
  });

  test("an address with live flows stays until they have ended", () => {
    const network = settled(3, 9);
    network.kill(network.nodes[0]!);
    network.run(20_000);
    for (const node of network.nodes) network.step(node, { type: "busy", vips: new Set(network.vips) });
    network.restart(network.nodes[0]!);
    network.run(30_000);
    expect(network.nodes[0]!.answers.size).toBe(0);
    for (const node of network.nodes) network.step(node, { type: "busy", vips: new Set() });
    network.run(10_000);
    expect(network.loads()).toEqual([3, 3, 3]);
  });
});

describe("an owner", () => {
  test("is there within a second of a death", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const network = new SimulatedNetwork(new Dice(seed), 5, 20);
      network.run(10_000 + seed * 37);
      const victim = network.nodes[seed % 5]!;
      const lost = [...victim.answers];
      network.kill(victim);
      network.run(800);
      for (const vip of lost) expect(network.answering(vip)).toHaveLength(1);
    }
  });

  test("tells how long the dead one had been silent", () => {
    const network = settled(2, 1);
    const vip = network.vips[0]!;
    const [owner] = network.answering(vip);
    const other = network.nodes.find((node) => node !== owner)!;
    network.kill(owner!);
    // What is asked below is the agreement itself, which does not rest then.
    network.step(other, { type: "busy", vips: new Set() });
    const killedAt = other.clock(network.now);
    const effects = Array.from({ length: 99 }, (_, tick) =>
      other.agreement.step({ type: "tick" }, killedAt + tick * 10),
    );
    const told = effects.flat().filter(({ type }) => type === "answer");
    expect(told).toEqual([
      { type: "answer", vip, cause: "takeover", previous: owner!.name, silentMilliseconds: expect.closeTo(655, -1) },
    ]);
  });

  test("that was stopped gives everything up before it answers again", () => {
    const network = settled(3, 9);
    const stopped = network.nodes[0]!;
    network.stop(stopped);
    network.run(3000);
    expect(network.loads().toSorted()).toEqual([4, 5]);
    network.resume(stopped);
    network.step(stopped, { type: "tick" });
    expect(stopped.answers.size).toBe(0);
    network.run(500, () => {
      for (const vip of network.vips) expect(network.answering(vip)).toHaveLength(1);
    });
  });

  test("that comes and goes gets nothing for a while", () => {
    const network = settled(3, 9);
    const flapping = network.nodes[0]!;
    for (let i = 0; i < 3; i++) {
      network.kill(flapping);
      network.run(1000);
      network.restart(flapping);
      network.run(300);
    }
    const changes = network.changes.length;
    network.run(3500);
    expect(flapping.answers.size).toBe(0);
    expect(network.changes).toHaveLength(changes);
    network.run(60_000);
    expect(network.loads()).toEqual([3, 3, 3]);
  });

  test("of the smaller part gives up what both parts claim when they meet", () => {
    const network = settled(5, 20);
    const [smaller, larger] = [network.nodes.slice(0, 2), network.nodes.slice(2)];
    network.cut(smaller, larger);
    network.cut(larger, smaller);
    network.run(5000);
    expect(network.loads().toSorted((a, b) => b - a)).toEqual([10, 10, 7, 7, 6]);
    const before = new Map(larger.flatMap(({ name, answers }) => [...answers].map((vip) => [vip, name] as const)));
    network.heal();
    network.run(500);
    expect(moved(before, owners(network))).toEqual([]);
  });

  test("whose link was gone takes nothing before it hears the others again", () => {
    const network = settled(5, 20);
    const [alone, ...others] = network.nodes;
    network.cut([alone!], others);
    network.cut(others, [alone!]);
    network.refuse(alone!, network.vips);
    network.run(3000);
    const answersOnce = () => {
      for (const vip of network.vips) expect(network.answering(vip)).toHaveLength(1);
    };
    // A carrier is there before frames pass.
    network.refuse(alone!, []);
    network.run(300, answersOnce);
    network.heal();
    network.run(500, answersOnce);
    network.run(10_000);
    expect(network.loads()).toEqual([4, 4, 4, 4, 4]);
  });

  test("whose link is back takes what it can where the others stay silent", () => {
    const network = settled(2, 4);
    const [back, dead] = network.nodes;
    network.refuse(back!, network.vips);
    network.run(1000);
    network.kill(dead!);
    network.run(3000);
    network.refuse(back!, []);
    network.run(1000);
    expect(back!.answers.size).toBe(4);
  });
});

describe("nodes that beat at different paces", () => {
  /** The first node beats each second, the others as they do; each is dead after as many misses as it says. */
  const mixed = () => {
    const slow: Timing = { ...SIMULATED_TIMING, heartbeatMilliseconds: 1000, misses: 2 };
    const fast: Timing = { ...SIMULATED_TIMING, heartbeatMilliseconds: 50, misses: 4 };
    const timings = [slow, fast, SIMULATED_TIMING];
    const network = new SimulatedNetwork(new Dice(7), 3, 9, undefined, (node) => timings[node]!);
    network.run(20_000);
    return network;
  };

  test("agree, and nobody misses the slow one", () => {
    const network = mixed();
    expect(network.loads()).toEqual([3, 3, 3]);
    const changes = network.changes.length;
    network.run(60_000);
    expect(network.changes).toHaveLength(changes);
  });

  test.each([
    ["slow", 0, 2250 - 1000, 2250],
    ["fast", 1, 212 - 50, 212],
    ["usual", 2, 650 - 200, 650],
  ])("miss one that dies when it has said so: the %s one", (_, index, least, most) => {
    const network = mixed();
    const diedAt = network.now;
    network.kill(network.nodes[index]!);
    let takenAt = 0;
    network.run(4000, () => {
      const isTaken = network.vips.every((vip) => network.answering(vip).length === 1);
      if (isTaken && takenAt === 0) takenAt = network.now;
    });
    expect(takenAt - diedAt).toBeGreaterThan(least - 20);
    // The survivors' clocks, timers and messages take their time, and the slow one may be the one that is to claim.
    expect(takenAt - diedAt).toBeLessThan(most * 1.03 + 350);
  });
});

describe("a move", () => {
  test("leaves nobody answering twice, and stays where the operator wanted it", () => {
    const network = settled(5, 20);
    const vip = network.vips[3]!;
    const from = network.answering(vip)[0]!;
    const to = network.nodes.find((node) => node !== from)!;
    const asked = network.nodes.find((node) => node !== from && node !== to)!;
    network.step(asked, { type: "move", vip, to: to.name });
    network.run(300, () => expect(network.answering(vip).length).toBeLessThan(2));
    expect(network.answering(vip)).toEqual([to]);
    network.run(30_000);
    expect(network.answering(vip)).toEqual([to]);
  });

  test("to a node that does not take it ends where it began", () => {
    const network = settled(3, 3);
    const vip = network.vips[0]!;
    const from = network.answering(vip)[0]!;
    const to = network.nodes.find((node) => node !== from)!;
    network.cut([from], [to]);
    network.step(from, { type: "move", vip, to: to.name });
    network.run(500);
    network.heal();
    network.run(2000);
    expect(network.answering(vip)).toHaveLength(1);
  });

  test("of everything: a node that drains hands all over within a few messages, and gets nothing back", () => {
    const network = settled(5, 100);
    const leaving = network.nodes[1]!;
    network.step(leaving, { type: "drain", on: true });
    network.run(100, () => {
      for (const vip of network.vips) expect(network.answering(vip).length).toBeLessThan(2);
    });
    expect(leaving.agreement.isEmpty).toBe(true);
    expect(network.loads()).toEqual([25, 0, 25, 25, 25]);
    network.run(10_000);
    expect(leaving.answers.size).toBe(0);
  });
});

describe("what is heard", () => {
  const heartbeat = (over: Partial<Heartbeat>): Heartbeat => ({
    from: "b",
    session: 77,
    sequence: 1,
    ready: true,
    draining: false,
    patienceMilliseconds: null,
    heard: [{ node: "a", session: 5, version: 0, held: false }],
    version: 0,
    statement: null,
    moves: [],
    ...over,
  });
  function nodeA(): OwnerAgreement {
    const agreement = new OwnerAgreement("a", 5, DEFAULT_TIMING, 0);
    agreement.step({ type: "plan", members: ["a", "b"], vips: [] }, 0);
    return agreement;
  }
  const isAlive = (agreement: OwnerAgreement) => agreement.roll.members.get("b")!.alive;

  test("counts only when it names our session: nothing from before we began can be played again", () => {
    const agreement = nodeA();
    const recorded = heartbeat({ heard: [{ node: "a", session: 4, version: 0, held: false }] });
    agreement.step({ type: "message", message: recorded, at: 10 }, 10);
    expect(isAlive(agreement)).toBe(false);
    agreement.step({ type: "message", message: heartbeat({}), at: 20 }, 20);
    expect(isAlive(agreement)).toBe(true);
  });

  test("counts once, and never again after a newer session of the sender", () => {
    const agreement = nodeA();
    agreement.step({ type: "message", message: heartbeat({ sequence: 9 }), at: 10 }, 10);
    for (let now = 100; now < 800; now += 100) {
      agreement.step({ type: "message", message: heartbeat({ sequence: 9 }), at: now }, now);
      agreement.step({ type: "tick" }, now);
    }
    expect(isAlive(agreement)).toBe(false);
    agreement.step({ type: "message", message: heartbeat({ session: 78, sequence: 1 }), at: 800 }, 800);
    expect(isAlive(agreement)).toBe(true);
    for (let now = 900; now < 1600; now += 100) {
      agreement.step({ type: "message", message: heartbeat({ sequence: now }), at: now }, now);
      agreement.step({ type: "tick" }, now);
    }
    expect(isAlive(agreement)).toBe(false);
  });

  test("may wait for our next heartbeat, but not when it could be a sign of life that is missed", () => {
    const agreement = nodeA();
    agreement.step({ type: "message", message: heartbeat({}), at: 10 }, 10);
    const told: number[] = [];
    const looks: number[] = [];
    let sent = 10;
    let version = 0;
    const step = (event: AgreementEvent, now: number) => {
      for (const effect of agreement.step(event, now)) if (effect.type === "send") version = effect.message.version;
    };
    for (let now = 10; now < 6000; now = agreement.nextDeadline(now)) {
      told.push(now);
      if (agreement.mustHear(now)) looks.push(now);
      // b sends each 200 ms till 4010, and is heard when a looks.
      for (; looks.at(-1) === now && sent < 4010 && sent + 200 <= now; sent += 200) {
        const message = heartbeat({ sequence: sent, heard: [{ node: "a", session: 5, version, held: false }] });
        step({ type: "message", message, at: sent + 200 }, now);
      }
      step({ type: "tick" }, now);
      expect(agreement.roll.living()).toHaveLength(now < 4660 ? 1 : 0);
    }
    // Ours are due each 200 ms; the last one of b's came at 4010, and its successors are missed 650 ms later.
    expect(told.filter((now) => now > 3000)).toEqual([
      ...[3010, 3210, 3410, 3610, 3810, 4010, 4210, 4410, 4610],
      ...[4660, 4810, 5010, 5210, 5410, 5610, 5810],
    ]);
    // At rest every third of ours is soon enough; before anybody is missed, and while somebody is, each.
    expect(looks.filter((now) => now > 3000)).toEqual([
      ...[3010, 3610, 4210, 4610],
      ...[4660, 4810, 5010, 5210, 5410, 5610, 5810],
    ]);
  });

  test("is waited for in short steps while something is to be settled", () => {
    const agreement = nodeA();
    agreement.step({ type: "tick" }, 20);
    expect(agreement.nextDeadline(20)).toBe(70);
  });

  test("late counts from when it came", () => {
    const agreement = nodeA();
    agreement.step({ type: "message", message: heartbeat({}), at: 10 }, 10);
    for (let now = 50; now < 400; now += 50) agreement.step({ type: "tick" }, now);
    agreement.step({ type: "message", message: heartbeat({ sequence: 2 }), at: 210 }, 400);
    for (let now = 400; now < 800; now += 50) agreement.step({ type: "tick" }, now);
    expect(agreement.roll.living()).toHaveLength(1);
    agreement.step({ type: "tick" }, 860);
    expect(agreement.roll.living()).toEqual([]);
  });

  test("from a stranger is not even answered", () => {
    expect(nodeA().step({ type: "message", message: heartbeat({ from: "c" }), at: 10 }, 10)).toEqual([]);
  });
});

describe("an address", () => {
  test("whose meant owner never claims it is claimed by the next one", () => {
    const agreement = new OwnerAgreement("a", 5, DEFAULT_TIMING, 0);
    const vips = Array.from({ length: 6 }, (_, i) => ({ vip: `10.0.0.${i}`, candidates: ["a", "b"] }));
    agreement.step({ type: "plan", members: ["a", "b"], vips }, 0);
    for (let now = 50, sequence = 1; now < 4000; now += 50) {
      if (now % 200 === 0) {
        const heard = [{ node: "a", session: 5, version: 0, held: false }];
        const message: Heartbeat = {
          ...{ from: "b", session: 77, sequence: sequence++, ready: true, draining: false },
          patienceMilliseconds: null,
          ...{
            heard,
            version: 1,
            statement: { claims: [], handovers: [], refused: [], poor: [], macs: [], unseen: [] },
            moves: [],
          },
        };
        agreement.step({ type: "message", message, at: now }, now);
      } else {
        agreement.step({ type: "tick" }, now);
      }
      if (now === 400) expect(agreement.claims.size).toBe(3);
    }
    expect(agreement.claims.size).toBe(6);
  });

  test("that its owner can no longer answer for goes to another at once", () => {
    const network = settled(3, 6);
    const owner = network.nodes[0]!;
    const lost = [...owner.answers];
    network.refuse(owner, network.vips);
    network.run(100);
    expect(owner.answers.size).toBe(0);
    for (const vip of lost) expect(network.answering(vip)).toHaveLength(1);
  });
});
