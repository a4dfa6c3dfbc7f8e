/** How addresses reach the network: BGP sessions, owners on links, and the pools that they come from. */

import type { Overview } from "../src/agent/overview.ts";
import type { MemberStatus, OwnerStatus } from "../src/announcer/announcer-message.ts";
import type { PeerStatus } from "../src/bgp/speaker-spec.ts";
import { Mark, type Mood, Panel } from "./panel.tsx";
import { Table } from "./table.tsx";
import { duration } from "./words.ts";

export function PeersPanel({ peers, now }: { peers: readonly PeerStatus[]; now: number }) {
  return (
    <Panel id="peers" title="BGP sessions">
      <Table
        caption="BGP sessions with their state and routes"
        columns={["Peer", "AS", "State", { name: "Sent", isNumber: true }, { name: "Received", isNumber: true }]}
        empty="No BGP session is configured on this node."
        rows={peers.map((peer) => ({
          key: `${peer.name} ${peer.address}`,
          cells: [
            <>
              {peer.name} {peer.name === peer.address ? null : <code class="quiet">{peer.address}</code>}
            </>,
            String(peer.asn),
            <SessionState peer={peer} now={now} />,
            String(peer.routesAdvertised),
            String(peer.routesReceived),
          ],
        }))}
      />
    </Panel>
  );
}

function SessionState({ peer, now }: { peer: PeerStatus; now: number }) {
  const { state, establishedAtMilliseconds: since, lastError, hint, bfd } = peer;
  const up = since === null ? "" : ` for ${duration((now - since) / 1000)}`;
  return (
    <>
      <Mark mood={state === "Established" ? "good" : "bad"}>{state + up}</Mark>
      {bfd === null ? null : <Mark mood={bfd === "Up" ? "good" : "odd"}>BFD {bfd}</Mark>}
      {state === "Established" || lastError === null ? null : (
        <p class="remedy">
          {lastError}
          {hint === null ? null : <em> {hint}</em>}
        </p>
      )}
    </>
  );
}

export function LinksPanel({ owners, members }: { owners: readonly OwnerStatus[]; members: readonly MemberStatus[] }) {
  const alive = members.filter((one) => one.alive).length;
  return (
    <Panel
      id="links"
      title="Addresses on links"
      aside={members.length === 0 ? undefined : `${alive} of ${members.length} nodes heard`}
    >
      <Table
        caption="Which node answers ARP and NDP for which address"
        columns={["Address", "Owner", "Service"]}
        empty="No address is announced on a link."
        rows={owners.map(({ address, owner, state, services, unseenBy }) => ({
          key: address,
          cells: [
            <code>{address}</code>,
            <>
              <Mark mood={MOOD_OF_OWNER[state]}>{owner ?? "nobody"}</Mark>
              {state === "moving" ? " moving" : ""}
              {unseenBy === null ? null : <Mark mood="bad">not seen by {unseenBy}</Mark>}
            </>,
            services.join(", "),
          ],
        }))}
      />
    </Panel>
  );
}

const MOOD_OF_OWNER: Readonly<Record<OwnerStatus["state"], Mood>> = { owned: "good", moving: "odd", nobody: "bad" };

export function PoolsPanel({ pools }: { pools: Overview["pools"] }) {
  return (
    <Panel id="pools" title="Address pools">
      <Table
        caption="Address pools and how full they are"
        columns={["Pool", "Used", { name: "Free", isNumber: true }]}
        empty="No address pool is configured."
        rows={Object.entries(pools).map(([name, { total, available, used, conflict }]) => ({
          key: name,
          cells: [
            name,
            <>
              <meter
                min={0}
                max={Number(total)}
                value={Number(used)}
                high={Number(total) * 0.9}
                aria-label={`${used} of ${total} used`}
              />{" "}
              {used} of {total}{" "}
              {conflict ? <Mark mood="bad">conflict</Mark> : available === "0" ? <Mark mood="bad">used up</Mark> : null}
            </>,
            available,
          ],
        }))}
      />
    </Panel>
  );
}
