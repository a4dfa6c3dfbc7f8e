/** A frame's event in one line: for `sluice monitor`, and as the comment of a packet in a capture. */
import type { FrameEvent } from "./frame-event.ts";

/** `10:32:07.123 eth0 TCP S 203.0.113.10:40000 > 192.168.10.100:80 74 forwarded by sl1 ...` */
export function monitorLine(event: FrameEvent): string {
  const { port, protocol, flags, source, destination, lengthBytes } = event;
  const time = new Date(event.time).toISOString().slice(11, 23);
  const what = flags === null ? protocol : `${protocol} ${flags}`;
  return `${time} ${port ?? "-"} ${what} ${source} > ${destination}, ${lengthBytes} bytes: ${fateOf(event)}`;
}

/** Without what a capture shows anyway. */
export function frameComment(event: FrameEvent): string {
  return `sluice: ${fateOf(event)}`;
}

function fateOf({
  verdict,
  reason,
  leavesBy,
  service,
  backend,
  policy,
  captured,
  becomes,
  direction,
  by,
  standsFor,
}: FrameEvent) {
  return [
    verdict === "passed" ? "left to the kernel" : verdict + (leavesBy === null ? "" : ` by ${leavesBy}`),
    ...(reason === null || reason === "None" ? [] : [`reason ${reason}`]),
    ...(becomes === null ? [] : [`as ${becomes.source} > ${becomes.destination}`]),
    ...(service === null ? [] : [`${direction ?? "to"} of ${service}`.replace("to of", "for")]),
    ...(backend === null ? [] : [`backend ${backend}`]),
    ...(policy === null ? [] : [policyWords(policy)]),
    ...(captured ? ["captured"] : []),
    ...(by === "worker" ? [] : [standsFor > 1 ? `in the kernel, one of ${standsFor}` : "in the kernel"]),
  ].join(", ");
}

function policyWords({ policy, answer, reason }: NonNullable<FrameEvent["policy"]>): string {
  if (answer === null) return `policy ${policy}`;
  return `policy ${policy} answered ${answer}${reason === null ? "" : ` (${reason})`}`;
}
