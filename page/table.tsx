/** A table that a narrow screen can scroll sideways, and that says so when it is empty. */
import type { ComponentChildren } from "preact";

interface TableProps {
  /** What the table shows, for those who do not see the heading above it. */
  readonly caption: string;
  readonly columns: readonly (string | { readonly name: string; readonly isNumber: true })[];
  readonly empty: string;
  readonly rows: readonly { readonly key: string; readonly cells: readonly ComponentChildren[] }[];
}

export function Table({ caption, columns, empty, rows }: TableProps) {
  if (rows.length === 0) return <p class="empty">{empty}</p>;
  const isNumber = columns.map((column) => typeof column !== "string");
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard
    <section class="scroll" tabIndex={0} aria-label={caption}>
      <table>
        <caption class="for-readers">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column, at) => (
              <th key={at} scope="col" class={isNumber[at] ? "number" : undefined}>
                {typeof column === "string" ? column : column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells }) => (
            <tr key={key}>
              {cells.map((cell, at) => (
                <td key={at} class={isNumber[at] ? "number" : undefined}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
