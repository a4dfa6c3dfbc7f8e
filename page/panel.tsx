/** A part of the page with its heading, and the small marks that stand in its lines. */
import type { ComponentChildren } from "preact";

export function Panel({
  id,
  title,
  aside,
  children,
}: {
  id: string;
  title: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class="panel" id={id} aria-labelledby={`${id}-title`}>
      <header>
        <h2 id={`${id}-title`}>{title}</h2>
        {aside === undefined ? null : <p class="aside">{aside}</p>}
      </header>
      {children}
    </section>
  );
}

/** Good, worth a look, or bad; the word says it too, for colours are not for everybody. */
export type Mood = "good" | "odd" | "bad" | "plain";

export function Mark({ mood, children }: { mood: Mood; children: ComponentChildren }) {
  return <span class={`mark ${mood}`}>{children}</span>;
}
