/**
 * The part of the API about addresses on links.
 *
 *   GET /v1/l2/owners                     who owns what, as this node sees it
 *   GET /v1/l2/who?address=A              asks on the links
 *   POST /v1/l2/move?address=A&node=N     the owner hands the address over
 */
import type { ServerResponse } from "node:http";
import type { L2Status, WhoAnswer } from "../announcer/announcer-message.ts";
import { parseIpAddress } from "../net/ip-address.ts";

/** What the announcing part of the gateway answers. */
export interface L2Source {
  status(): Promise<L2Status>;
  who(address: string): Promise<readonly WhoAnswer[]>;
  move(address: string, to: string): Promise<void>;
}

/** @returns false when the path is none of these. */
export async function answerL2(source: L2Source, url: URL, response: ServerResponse): Promise<boolean> {
  if (url.pathname === "/v1/l2/owners") return json(response, 200, await source.status());
  if (url.pathname !== "/v1/l2/who") return false;
  const address = url.searchParams.get("address") ?? "";
  if (parseIpAddress(address) === null) {
    return json(response, 400, { error: `address ${address}: an IPv4 or IPv6 address expected` });
  }
  return json(response, 200, await source.who(address));
}

/** @returns false when the path is none of these. */
export async function changeL2(source: L2Source, url: URL, response: ServerResponse): Promise<boolean> {
  if (url.pathname !== "/v1/l2/move") return false;
  const address = url.searchParams.get("address") ?? "";
  const node = url.searchParams.get("node") ?? "";
  const known = (await source.status()).owners.find((one) => one.address === address);
  const error =
    known === undefined
      ? `${address} is announced on no link; \`sluice l2 owners\` lists those that are`
      : !known.candidates.includes(node)
        ? `${node} may not own ${address}; these may: ${known.candidates.join(", ")}`
        : known.owner === node
          ? `${node} owns ${address} already`
          : null;
  if (error !== null) return json(response, 400, { error });
  await source.move(address, node);
  return json(response, 200, { address, from: known!.owner, to: node });
}

function json(response: ServerResponse, status: number, value: unknown): boolean {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
  return true;
}
