/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The rows of the two flow tables, shared with the TypeScript workers: 64 bytes (one cache line) for IPv4, 128 (two) for
 * IPv6.
 *
 * Who writes what. Whoever claims a row, by compare-and-swap on its tag, fills and publishes it: a worker, or the XDP program
 * where it opens flows (new_row.h). TypeScript reroutes rows; both withdraw them. The programs write four words of a
 * live row, and only when its tag says OFFLOADED: they add to packets and bytes, set last seen, and add TCP flags to
 * state. A worker does the same with the few frames of such a row that are left to it. Both add atomically. OFFLOADED is
 * set once, by TypeScript when a flow is established or by the program that opens it, and goes with the row; in that very
 * moment another worker may be counting a frame as in a row of its own, and one that is counted here beside it is missing.
 *
 * A row that a program has found is read after its tag: LIVE was set when the rest had been filled. It may be withdrawn
 * meanwhile, but is not filled anew for two seconds (GRACE_SECONDS in src/dataplane/flow-table.ts), and a program ends in
 * a microsecond. `egress` is one word, so a frame goes the old way or the new one.
 *
 * Addresses and ports are bytes as they are on the wire (a raw load, no byte swap), so a key is compared without
 * converting it. A row is valid only while LIVE is set in its tag; the tag is written last and cleared first. The key
 * and the tag of an IPv6 row lie in its first line: a probe that does not match touches no second one.
 *
 *   word   0         1         2         3        4..6          7         8       9      10     11         12-13    14-15
 *   IPv4 +---------+---------+---------+--------+-------------+---------+-------+------+------+----------+--------+-------+
 *        | source  | destin. | ports   | tag    | new address | sums'   | egress| owner| state| last     | packets| bytes |
 *        | address | address | src dst |        | src dst port| deltas  |       |      |      | seen     |        |       |
 *        +---------+---------+---------+--------+-------------+---------+-------+------+------+----------+--------+-------+
 *
 *   word   0..3      4..7      8         9        10      11     12     13         14        15
 *   IPv6 +---------+---------+---------+--------+-------+------+------+----------+---------+---------+
 *        | source  | destin. | ports   | tag    | egress| owner| state| last     | sum's   | new     |
 *        | address | address | src dst |        |       |      |      | seen     | delta   | ports   |
 *        +---------+---------+---------+--------+-------+------+------+----------+---------+---------+
 *          16..19    20..23    24-25     26-27    28..31
 *        +---------+---------+---------+--------+----------+
 *        | new     | new     | packets | bytes  | reserved |
 *        | source  | destin. |         |        |          |
 *        +---------+---------+---------+--------+----------+
 *
 *   state: src/dataplane/state-word.ts
 *   tag:  | overflow 31..24 | LOCKED 23 | generation 22..12 | OFFLOADED 11 | REPLY 10 | CLAIMED 9 | LIVE 8 | IP protocol 7..0 |
 */
#ifndef SLUICE_FLOW_ROW_H
#define SLUICE_FLOW_ROW_H

#include <linux/types.h>

#define FLOW_TAG_LIVE (1u << 8)
#define FLOW_TAG_REPLY (1u << 10)
#define FLOW_TAG_OFFLOADED (1u << 11)
#define FLOW_TAG_MATCH_MASK 0x1ffu /* LIVE and the protocol */
#define FLOW_TAG_OVERFLOW_SHIFT 24

/* Longest probe: beyond it the writer refuses the insert, so the reader may stop. */
#define FLOW_PROBE_LIMIT 64

/* src/dataplane/egress.ts */
#define EGRESS_PORT 0xffu
#define EGRESS_PAIR (1u << 8)
#define EGRESS_KEEP_MAC (1u << 9)
#define EGRESS_DECREMENT_TTL (1u << 10)
#define EGRESS_CHECK_TTL (1u << 11)
#define EGRESS_DSR (1u << 12)
#define EGRESS_DSR_KIND_SHIFT 13
#define EGRESS_NEIGHBOR_SHIFT 16

/* DsrKind in src/dataplane/egress.ts. */
#define DSR_OPTION 0
#define DSR_IPIP 1
#define DSR_GUE 2
#define DSR_GENEVE 3
#define DSR_LINK 4
#define DSR_RECEIVED 5

struct flow_row {
	__u32 source_address;
	__u32 destination_address;
	__u32 ports;
	__u32 tag;
	__u32 new_source_address;
	__u32 new_destination_address;
	__u32 new_ports;
	__u32 checksum_deltas;
	__u32 egress;
	__u32 owner;
	__u32 state;
	__u32 last_seen_seconds;
	__u64 packets;
	__u64 bytes;
};

_Static_assert(sizeof(struct flow_row) == 64, "a row is one cache line");

struct flow6_row {
	__u32 source_address[4];
	__u32 destination_address[4];
	__u32 ports;
	__u32 tag;
	__u32 egress;
	__u32 owner;
	__u32 state;
	__u32 last_seen_seconds;
	__u32 checksum_delta;
	__u32 new_ports;
	__u32 new_source_address[4];
	__u32 new_destination_address[4];
	__u64 packets;
	__u64 bytes;
	__u32 reserved[4];
};

_Static_assert(sizeof(struct flow6_row) == 128, "a row is two cache lines");

#endif
