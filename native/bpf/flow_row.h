/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One row of the flow table: 64 bytes, one cache line, shared with the TypeScript workers, which are its only writers.
 *
 * Words 0..2 and 4..6 hold bytes as they are on the wire (a raw load, no byte swap), so a key is compared without
 * converting it. A row is valid only while LIVE is set in its tag; the tag is written last and cleared first.
 *
 *   word   0         1         2         3        4..6          7         8       9      10     11         12-13    14-15
 *        +---------+---------+---------+--------+-------------+---------+-------+------+------+----------+--------+-------+
 *        | source  | destin. | ports   | tag    | new address | sums'   | egress| owner| state| last     | packets| bytes |
 *        | address | address | src dst |        | src dst port| deltas  |       |      |      | seen     |        |       |
 *        +---------+---------+---------+--------+-------------+---------+-------+------+------+----------+--------+-------+
 *
 *   tag:  | overflow 31..24 | generation 23..11 | REPLY 10 | CLAIMED 9 | LIVE 8 | IP protocol 7..0 |
 */
#ifndef SLUICE_FLOW_ROW_H
#define SLUICE_FLOW_ROW_H

#include <linux/types.h>

#define FLOW_TAG_LIVE (1u << 8)
#define FLOW_TAG_REPLY (1u << 10)
#define FLOW_TAG_MATCH_MASK 0x1ffu /* LIVE and the protocol */
#define FLOW_TAG_OVERFLOW_SHIFT 24

/* Longest probe: beyond it the writer refuses the insert, so the reader may stop. */
#define FLOW_PROBE_LIMIT 64

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

#endif
