/** Plain tables for terminals: columns as wide as they need, never wider in sum than the line. */

const GAP = "  ";

/** Rows under a heading; where they would be too wide, the widest columns are cut with an ellipsis. */
export function textTable(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  lineWidth: number,
): string[] {
  const widths = heading.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const available = lineWidth - GAP.length * (heading.length - 1);
  while (sum(widths) > available) {
    const widest = widths.indexOf(Math.max(...widths));
    widths[widest] = widths[widest]! - 1;
  }
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cut(cell, widths[column]!).padEnd(widths[column]!))
      .join(GAP)
      .trimEnd();
  return [heading, ...rows].map(line);
}

/**
 * Breaks text between words; continued lines are indented. A word that is longer than the line is broken. What the text is
 * indented by it keeps.
 */
export function wrapText(text: string, lineWidth: number): string[] {
  const indent = "    ";
  const lead = /^ */.exec(text)![0];
  const lines: string[] = [];
  let line = "";
  for (let word of text.slice(lead.length).split(" ")) {
    const joined = line === "" ? lead + word : `${line} ${word}`;
    if (joined.length <= lineWidth) {
      line = joined;
      continue;
    }
    if (line !== "") lines.push(line);
    while (indent.length + word.length > lineWidth) {
      lines.push(indent + word.slice(0, lineWidth - indent.length));
      word = word.slice(lineWidth - indent.length);
    }
    line = indent + word;
  }
  return line === "" ? lines : [...lines, line];
}

function cut(cell: string, width: number): string {
  return cell.length <= width ? cell : `${cell.slice(0, Math.max(0, width - 1))}…`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
