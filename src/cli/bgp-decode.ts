/**
 * `sluice bgp decode` and `sluice bgp encode`: messages as hex to JSON and back, one per line.
 *
 *     decode   {"type":"UPDATE","withdrawn":[],"attributes":{…},"nlri":["192.168.10.100/32"]}
 *              {"error":{"action":"session-reset","code":1,"subcode":2,"message":"…"}}
 *              {"type":"UPDATE",…,"error":{"action":"treat-as-withdraw",…}}
 *
 * Beside an error that leaves the session up, the fields are those of the message as it is to be treated (RFC 7606). The
 * JSON is described in `src/bgp/message-json.ts`.
 *
 * AS numbers in AS_PATH and AGGREGATOR have two or four octets, which only the OPENs of the session tell. `--as4` says
 * four. Without it each path is read with four where that fits and else with two: few byte strings are both.
 */
import { gravest } from "../bgp/fault.ts";
import { INITIAL_WIRE_SESSION, type WireSession } from "../bgp/message.ts";
import { decodeMessage, encodeMessage } from "../bgp/message-codec.ts";
import { messageFromJson, messageToJson } from "../bgp/message-json.ts";
import { formatHex, parseHex } from "../bgp/octets.ts";

interface BgpDecodeOptions {
  /** AS numbers have four octets. */
  readonly as4?: boolean;
  /** Prefixes carry path identifiers (RFC 7911). */
  readonly addpath?: boolean;
  /** The messages come from a peer in our own AS. */
  readonly ibgp?: boolean;
}

/** One JSON line for each line of hex; blank lines are passed over. */
export function* bgpDecode(lines: Iterable<string>, options: BgpDecodeOptions = {}): Generator<string> {
  for (const line of lines) if (line.trim() !== "") yield bgpDecodeLine(line, options);
}

export function bgpDecodeLine(line: string, options: BgpDecodeOptions = {}): string {
  const bytes = parseHex(line.trim());
  if (bytes === null) return JSON.stringify({ error: { message: "not a line of hex" } });
  const { message, faults } = decodeMessage(bytes, sessionOf(options, "guess"));
  const worst = gravest(faults);
  const error =
    worst === null
      ? {}
      : {
          error: {
            action: worst.action,
            code: worst.code,
            subcode: worst.subcode,
            message: worst.message,
            ...(worst.data.length === 0 ? {} : { data: formatHex(worst.data) }),
          },
        };
  return JSON.stringify({ ...(message === null ? {} : messageToJson(message)), ...error });
}

/** One line of hex for each line of JSON. A line that is no message gives `{"error":{"message":…}}`. */
export function* bgpEncode(lines: Iterable<string>, options: BgpDecodeOptions = {}): Generator<string> {
  for (const line of lines) if (line.trim() !== "") yield bgpEncodeLine(line, options);
}

export function bgpEncodeLine(line: string, options: BgpDecodeOptions = {}): string {
  const failed = (message: string) => JSON.stringify({ error: { message } });
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return failed("not a line of JSON");
  }
  const message = messageFromJson(json);
  if (typeof message === "string") return failed(message);
  const bytes = encodeMessage(message, sessionOf(options, true));
  if (bytes.length > 0xffff) return failed(`the message would have ${bytes.length} octets, at most 65535 fit`);
  return formatHex(bytes);
}

function sessionOf({ as4, addpath = false, ibgp = false }: BgpDecodeOptions, unsaid: true | "guess"): WireSession {
  return {
    ...INITIAL_WIRE_SESSION,
    fourOctetAs: as4 ?? unsaid,
    addPathIpv4: addpath,
    addPathIpv6: addpath,
    external: !ibgp,
  };
}
