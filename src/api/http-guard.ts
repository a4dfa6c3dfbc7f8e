/**
 * Who may read by HTTP on a TCP address: whoever knows the token, where there is one.
 *
 * A browser that is fooled into asking this address under another name (DNS rebinding) must not be answered: without a
 * token only requests are that name an address, or localhost. Probes need no token, for a kubelet has none.
 */
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { readOptionFile } from "../config/file-fault.ts";

/** What `sluice run --http` is given beside the address. */
export interface HttpSecrets {
  /** File with the token; `null` for none. */
  readonly tokenFile: string | null;
  /** Files with certificate and key in PEM; `null` for HTTP without TLS. */
  readonly tls: { readonly certificate: string; readonly key: string } | null;
}

export const NO_SECRETS: HttpSecrets = { tokenFile: null, tls: null };

const OPEN_PATHS = ["/livez", "/readyz"];

export interface Refusal {
  readonly status: 401 | 403;
  readonly message: string;
}

export class HttpGuard {
  readonly #token: Buffer | null;

  /** Throws when the token's file can't be read, or is empty. */
  constructor(tokenFile: string | null) {
    this.#token = tokenFile === null ? null : readToken(tokenFile);
  }

  /** @returns why the request is refused; `null` when it is not. */
  refusal(request: IncomingMessage): Refusal | null {
    const path = (request.url ?? "/").split("?")[0]!;
    if (OPEN_PATHS.includes(path)) return null;
    if (this.#token === null) {
      const host = request.headers.host ?? "";
      return isAddress(host)
        ? null
        : { status: 403, message: `without a token this is answered by address or as localhost, not as ${host}` };
    }
    const given = tokenIn(request.headers.authorization ?? "");
    return given.length === this.#token.length && timingSafeEqual(given, this.#token)
      ? null
      : { status: 401, message: "a token is needed: as a bearer token, or as the password of any user" };
  }
}

function readToken(file: string): Buffer {
  const token = Buffer.from(readOptionFile("--http-token", file).toString("utf8").trim());
  if (token.length === 0) throw new Error(`--http-token ${file}: the file is empty`);
  return token;
}

function isAddress(host: string): boolean {
  const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  return name === "localhost" || isIP(name) !== 0;
}

/** Of `Bearer TOKEN`, or of `Basic` with the token as password, which is how a browser asks people for one. */
function tokenIn(authorization: string): Buffer {
  const [scheme, value = ""] = authorization.split(" ");
  if (scheme?.toLowerCase() === "bearer") return Buffer.from(value);
  if (scheme?.toLowerCase() !== "basic") return Buffer.alloc(0);
  const pair = Buffer.from(value, "base64").toString();
  return Buffer.from(pair.slice(pair.indexOf(":") + 1));
}
