/** Two questions: why a Service is where it is, and what would become of a packet. Nothing is sent or changed by asking. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { PacketExplanation } from "../src/agent/packet-fate.ts";
import type { ServiceExplanation } from "../src/control/explain-service.ts";
import { ask } from "./ask.ts";
import { Mark, Panel } from "./panel.tsx";
import { clock } from "./words.ts";

/** @param asked a Service that was chosen elsewhere on the page, with a number that is another each time. */
export function ExplainPanel({ asked }: { asked: { readonly service: string; readonly time: number } | null }) {
  return (
    <Panel id="explain" title="Explain">
      <div class="halves">
        <ServiceQuestion asked={asked} />
        <PacketQuestion />
      </div>
    </Panel>
  );
}

function ServiceQuestion({ asked }: { asked: { readonly service: string; readonly time: number } | null }) {
  const [name, setName] = useState("");
  const [answer, setAnswer] = useState<ServiceExplanation | string | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const explain = async (service: string) => {
    const found = await ask<ServiceExplanation | null>("v1/explain/service", {
      name: service.includes("/") ? service : `default/${service}`,
    }).catch(({ message }: Error) => message);
    setAnswer(found ?? `There is no Service ${service}.`);
  };
  // Once for each time that somebody asks
  useEffect(() => {
    if (asked === null) return;
    setName(asked.service);
    void explain(asked.service);
    form.current?.scrollIntoView({ block: "center" });
    form.current?.querySelector("input")?.focus({ preventScroll: true });
  }, [asked]);
  return (
    <form
      ref={form}
      onSubmit={(event) => {
        event.preventDefault();
        void explain(name);
      }}
    >
      <h3>A Service</h3>
      <label>
        Name{" "}
        <input
          required
          value={name}
          onInput={({ currentTarget }) => setName(currentTarget.value)}
          placeholder="namespace/name"
        />
      </label>
      <button type="submit">Explain</button>
      <div role="status">
        {answer === null ? null : typeof answer === "string" ? <p>{answer}</p> : <ServiceAnswer {...answer} />}
      </div>
    </form>
  );
}

function ServiceAnswer({ service, ingress, pool, source, because, backends, pools, nodes }: ServiceExplanation) {
  return (
    <div class="answer">
      <p>
        <strong>{service}</strong>:{" "}
        {ingress.length === 0 ? <Mark mood="bad">no address</Mark> : <code>{ingress.join(" ")}</code>}
        {pool === null ? "" : ` from pool ${pool}`}, {ingress.length === 0 ? "to be given by" : "given by"} {source}.
      </p>
      {because.map((one) => (
        <p key={one} class="remedy">
          {one}
        </p>
      ))}
      <p>
        Endpoints: {backends.ready} ready, {backends.serving} finishing, {backends.draining} draining.
      </p>
      <ul>
        {Object.entries(pools).map(([name, why]) => (
          <li key={name}>
            Pool {name}: {why ?? "serves it"}
          </li>
        ))}
        {Object.entries(nodes).map(([node, { notEligible, sessions, links }]) => (
          <li key={node}>
            Node {node}: {notEligible ?? "may attract its traffic"}
            <ul>
              {sessions.map(({ peer, routes, because: why, trouble }) => (
                <li key={peer}>
                  to {peer}: {why === null ? routes.map(({ prefix }) => prefix).join(" ") : `nothing, because ${why}`}
                  {trouble === null ? null : (
                    <p class="remedy">
                      <Mark mood="bad">{trouble.state}</Mark> since {clock(Date.parse(trouble.since))}, so it has not
                      heard of it
                      {trouble.why === null ? "" : `: ${trouble.why}`}
                      {trouble.hint === null ? null : <em> {trouble.hint}</em>}
                    </p>
                  )}
                </li>
              ))}
              {links.map(({ address, interfaces, because: why }) => (
                <li key={address}>
                  {why === null ? `answers for ${address} on ${interfaces.join(", ")}` : `not for ${address}: ${why}`}
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </div>
  );
}

const FIELDS = [
  { name: "source", label: "From address", placeholder: "203.0.113.10", mode: "text" },
  { name: "sourcePort", label: "From port", placeholder: "40000", mode: "numeric" },
  { name: "destination", label: "To address", placeholder: "192.0.2.1", mode: "text" },
  { name: "destinationPort", label: "To port", placeholder: "80", mode: "numeric" },
] as const;

function PacketQuestion() {
  const [answer, setAnswer] = useState<PacketExplanation | string | null>(null);
  const explain = async (form: HTMLFormElement) => {
    const words = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
    setAnswer(await ask<PacketExplanation>("v1/explain/packet", words).catch(({ message }: Error) => message));
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void explain(event.currentTarget);
      }}
    >
      <h3>A packet</h3>
      <div class="fields">
        {FIELDS.map(({ name, label, placeholder, mode }) => (
          <label key={name}>
            {label} <input name={name} required inputMode={mode} placeholder={placeholder} />
          </label>
        ))}
        <label>
          Protocol{" "}
          <select name="protocol">
            <option value="tcp">TCP</option>
            <option value="udp">UDP</option>
          </select>
        </label>
      </div>
      <button type="submit">Explain</button>
      <div role="status">
        {answer === null ? null : typeof answer === "string" ? <p>{answer}</p> : <PacketAnswer {...answer} />}
      </div>
    </form>
  );
}

function PacketAnswer({
  verdict,
  reason,
  meaning,
  service,
  flow,
  becomes,
  leavesBy,
  from,
  asksPolicies,
}: PacketExplanation) {
  return (
    <div class="answer">
      <p>
        In by <code>{from}</code>: <Mark mood={verdict === "forwarded" ? "good" : "odd"}>{verdict}</Mark>
        {service === null ? "" : ` for ${service}`}.
      </p>
      {reason === null ? null : (
        <p>
          <code>{reason}</code>: {meaning}.
        </p>
      )}
      <p>
        {flow === null
          ? "No live flow has it: it would be the first packet of a new one."
          : `It belongs to a live flow (${flow.state}), as a ${flow.isReply ? "reply" : "request"}; the ${flow.by} forwards it.`}
      </p>
      {becomes === null ? null : (
        <p>
          It becomes <code>{`${becomes.source} > ${becomes.destination}`}</code>
          {leavesBy === null ? "" : ` and leaves by ${leavesBy.interface} to ${leavesBy.mac}`}.
        </p>
      )}
      {asksPolicies ? <p>Policies are asked about each new flow of this Service, and may decide otherwise.</p> : null}
    </div>
  );
}
