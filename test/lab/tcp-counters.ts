/** What a namespace's TCP has counted: /proc/net/netstat, a line of names and a line of numbers for each group. */
import type { Namespace } from "./namespace.ts";

/** SYNs and SYN-ACKs that had to be sent again. */
export function synRetransmissions(namespace: Namespace): number {
  const lines = namespace.run(["cat", "/proc/net/netstat"]).split("\n");
  const [names, values] = lines.filter((line) => line.startsWith("TcpExt:")).map((line) => line.split(" "));
  const at = names!.indexOf("TCPSynRetrans");
  if (at < 0) throw new Error("this kernel does not count TCPSynRetrans");
  return Number(values![at]);
}
