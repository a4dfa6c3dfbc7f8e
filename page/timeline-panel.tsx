/** What has happened, newest first. */
import type { TimelineEntry } from "../src/agent/timeline.ts";
import { Panel } from "./panel.tsx";
import { clock } from "./words.ts";

export function TimelinePanel({ entries }: { entries: readonly TimelineEntry[] }) {
  return (
    <Panel id="timeline" title="Timeline">
      {entries.length === 0 ? (
        <p class="empty">Nothing has happened yet.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard
        <ol class="timeline" tabIndex={0} aria-label="Events, newest first">
          {entries.map(({ number, time, level, message, details }) => (
            <li key={number} class={level}>
              <time dateTime={new Date(time).toISOString()}>{clock(time)}</time>
              <span>
                {level === "info" ? null : <strong>{level}: </strong>}
                {message} {details === "" ? null : <span class="quiet">{details}</span>}
              </span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}
