/**
 * Joins the sheets of a statement to the heartbeat that comes after them. What a statement says depends on its version alone,
 * so a sheet that was lost is made good by the next time that the same version is told: all of it need never come through at
 * once. Pure.
 */
import { EMPTY_STATEMENT, type Heartbeat, type Statement } from "./heartbeat.ts";
import type { HeartbeatDatagram, StatementSheet } from "./heartbeat-codec.ts";

interface Open {
  readonly session: number;
  readonly version: number;
  readonly sheets: number;
  readonly have: Map<number, Statement>;
}

export class StatementAssembly {
  /** By sender, what has come of its latest statement. */
  readonly #open = new Map<string, Open>();

  /** The heartbeat, with its statement if all of that is here; `null` for a sheet. */
  add(datagram: HeartbeatDatagram | StatementSheet): Heartbeat | null {
    if (!("heartbeat" in datagram)) {
      this.#keep(datagram);
      return null;
    }
    const { heartbeat, onSheets } = datagram;
    const open = this.#open.get(heartbeat.from);
    if (!onSheets || open?.session !== heartbeat.session || open.version !== heartbeat.version) return heartbeat;
    if (open.have.size < open.sheets) return heartbeat;
    this.#open.delete(heartbeat.from);
    return { ...heartbeat, statement: joined(open) };
  }

  #keep({ from, session, version, sheet, sheets, statement }: StatementSheet): void {
    let open = this.#open.get(from);
    if (open?.session !== session || open.version !== version || open.sheets !== sheets) {
      // One that was overtaken on its way.
      if (open?.session === session && open.version > version) return;
      open = { session, version, sheets, have: new Map() };
      this.#open.set(from, open);
    }
    open.have.set(sheet, statement);
  }
}

function joined({ sheets, have }: Open): Statement {
  const parts = Array.from({ length: sheets }, (_, sheet) => have.get(sheet) ?? EMPTY_STATEMENT);
  return {
    claims: parts.flatMap(({ claims }) => claims),
    handovers: parts.flatMap(({ handovers }) => handovers),
    refused: parts.flatMap(({ refused }) => refused),
    poor: parts.flatMap(({ poor }) => poor),
    macs: parts.flatMap(({ macs }) => macs),
    unseen: parts.flatMap(({ unseen }) => unseen),
  };
}
