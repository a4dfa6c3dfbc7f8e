/**
 * Keeps a QUIC connection on its backend when the client changes address (RFC 9000 §9). Servers say which of them they
 * are in the connection IDs that they give out, as an unsigned number at a fixed place (like QUIC-LB's plaintext
 * algorithm, draft-ietf-quic-load-balancers); the client puts that ID into its packets as the destination's.
 *
 * The first packet of a connection has an ID that the client made up: its number names no server, or any; a long header
 * is therefore left to balancing, and only short headers (RFC 8999 §5.2) are routed by the ID.
 */
import { Continue, definePolicy } from "sluice/policy";

interface Options {
  readonly offset: number;
  readonly bytes: number;
  readonly servers: readonly { readonly id: number; readonly address: string }[];
}

/** RFC 8999 §5.1: the top bit of the first byte says that the header is long. */
const LONG_HEADER = 0x80;
/** In a short header the connection ID begins right after the first byte. */
const ID_AT = 1;

export default definePolicy<Options>({
  version: "1",
  options: {
    type: "object",
    additionalProperties: false,
    required: ["servers"],
    properties: {
      offset: {
        type: "integer",
        minimum: 0,
        maximum: 18,
        default: 1,
        description: "Where in the ID the server's number is.",
      },
      bytes: { type: "integer", minimum: 1, maximum: 4, default: 2, description: "How long the number is." },
      servers: {
        type: "array",
        minItems: 1,
        items: {
          type: "object",
          additionalProperties: false,
          required: ["id", "address"],
          properties: { id: { type: "integer", minimum: 0 }, address: { type: "string" } },
        },
      },
    },
  },
  create({ options: { offset, bytes, servers }, state }) {
    const addressOf = new Map(
      servers.map(({ id, address }) => [id, state.prefixes(`server ${id}`, { prefixes: [address] })]),
    );
    return {
      onNewFlow: (flow) => {
        const end = ID_AT + offset + bytes;
        if (flow.protocol !== "UDP" || flow.payloadLength < end) return Continue;
        if ((flow.payload(0) & LONG_HEADER) !== 0) return Continue;
        let id = 0;
        for (let at = ID_AT + offset; at < end; at++) id = id * 256 + flow.payload(at);
        const server = addressOf.get(id);
        if (server === undefined) return Continue;
        for (let index = 0; index < flow.backendCount; index++) {
          if (server.has(flow.backendAddress(index))) return flow.useBackend(index);
        }
        return Continue;
      },
    };
  },
});
