/** What a process keeps in memory, in megabytes. */
import { readFileSync } from "node:fs";

export interface Memory {
  /** All of it, the pages of programs and libraries that are shared with others included. */
  readonly resident: number;
  /** What only this process has. */
  readonly own: number;
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const megabytes = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
  return { resident: megabytes("VmRSS"), own: megabytes("RssAnon") };
}
