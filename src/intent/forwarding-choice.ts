/** How requests reach backends and replies come back, in the operator's words: for everything, and for one Service. */

/**
 * - `snat`: translated here, and replies come back this way.
 * - `dsr`: direct server return, the backend's side answers clients itself.
 */
export const FORWARDING_CHOICES = ["snat", "dsr"] as const;
export type ForwardingChoice = (typeof FORWARDING_CHOICES)[number];

/** What Services get that ask for nothing: `hybrid` is `dsr` for TCP and `snat` for the rest, `annotation` is `snat`. */
export const FORWARDING_DEFAULTS = ["snat", "dsr", "hybrid", "annotation"] as const;
export type ForwardingDefault = (typeof FORWARDING_DEFAULTS)[number];

/**
 * How the backend's side learns whom to answer for. By an option of the IP header (`opt`) or of Geneve (`geneve`), or from
 * the client's untouched packet: in a tunnel (`ipip`, `gue`), or over a link that the backend or its node shares (`l2`).
 */
export const DSR_DISPATCHES = ["opt", "ipip", "geneve", "gue", "l2"] as const;
export type DsrDispatch = (typeof DSR_DISPATCHES)[number];

/**
 * Whose address backends see. `none`: the client's. `node`: the gateway's. `hairpin`: the gateway's only for a backend that
 * asks itself. `remote`: the gateway's wherever replies would not come back this way.
 */
export const SOURCE_NAT_CHOICES = ["none", "node", "hairpin", "remote"] as const;
export type SourceNatChoice = (typeof SOURCE_NAT_CHOICES)[number];
