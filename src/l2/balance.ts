/** Which of its addresses a node gives away so that all own about the same. Pure. */
import { rendezvousWeight } from "./rendezvous.ts";

export interface Movable {
  readonly vip: string;
  /** Nodes to which it may go. */
  readonly targets: readonly string[];
}

export interface Move {
  readonly vip: string;
  readonly to: string;
}

/**
 * Plays the evening out of all nodes, each move from whoever owns most to whoever owns least, and gives back the moves
 * that are this node's: so two nodes that own too much do not both fill the same newcomer.
 *
 * @param load addresses owned, of every node that takes part.
 */
export function movesToBalance(self: string, load: ReadonlyMap<string, number>, movable: readonly Movable[]): Move[] {
  const played = new Map(load);
  // What hashes least with this node goes first: it is the most at home elsewhere.
  const left = movable.toSorted((a, b) => rendezvousWeight(a.vip, self) - rendezvousWeight(b.vip, self));
  const moves: Move[] = [];
  for (;;) {
    const byLoad = [...played].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
    const [source, most] = byLoad[0] ?? [self, 0];
    const leastFirst = byLoad.reverse().filter(([, owned]) => most - owned >= 2);
    if (leastFirst.length === 0) return moves;
    let to = leastFirst[0]![0];
    if (source === self) {
      const found = leastFirst
        .map(([node]) => ({ node, index: left.findIndex(({ targets }) => targets.includes(node)) }))
        .find(({ index }) => index >= 0);
      if (found === undefined) return moves;
      to = found.node;
      moves.push({ vip: left[found.index]!.vip, to });
      left.splice(found.index, 1);
    }
    played.set(source, most - 1);
    played.set(to, played.get(to)! + 1);
  }
}
