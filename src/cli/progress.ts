/**
 * How far something is that takes longer than a second: one line on standard error, written anew each second and taken away
 * at the end. Only on a terminal: in a script nobody watches, and a log is no place for it.
 */
const INTERVAL_MILLISECONDS = 1000;
const TAKE_AWAY = "\r\u001b[K";

/** What of a stream it needs; `process.stderr` is one. */
interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** @returns what ends it. */
export function showProgress(words: () => string, screen: Screen = process.stderr): () => void {
  if (screen.isTTY !== true) return () => {};
  const timer = setInterval(() => screen.write(`${TAKE_AWAY}${words()}`), INTERVAL_MILLISECONDS);
  return () => {
    clearInterval(timer);
    screen.write(TAKE_AWAY);
  };
}
