/** Numbers and times as people read them. */

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** `950`, `12.3 k`, `4.56 M`. */
export function amount(value: number): string {
  if (value < 10) return value === Math.floor(value) ? String(value) : value.toFixed(1);
  if (value < 10_000) return Math.round(value).toLocaleString("en-GB");
  return value < 1e6
    ? `${(value / 1e3).toFixed(1)} k`
    : value < 1e9
      ? `${(value / 1e6).toFixed(2)} M`
      : `${(value / 1e9).toFixed(2)} G`;
}

/** `48 s`, `12 min`, `3 h 20 min`, `5 d`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.floor(seconds)} s`;
  if (seconds < 5400) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export function clock(milliseconds: number): string {
  return TIME.format(milliseconds);
}
