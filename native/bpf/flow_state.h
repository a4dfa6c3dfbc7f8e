/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a forwarded segment says about its flow's state: src/dataplane/flow-tracking.ts, as far as segments come here. A
 * row keeps the flags of its direction; the first direction to close is marked, for its host keeps the TIME-WAIT.
 */
#ifndef SLUICE_FLOW_STATE_H
#define SLUICE_FLOW_STATE_H

#include "flow_find.h"
#include "transport.h"

#define STATE_CLOSED_FIRST (1u << 8)

static __always_inline __u32 swap_ports(__u32 ports)
{
	return ports << 16 | ports >> 16;
}

/* The flags to add to a row for its first FIN. The other direction's row is found by what this one's frames become. */
__noinline __u32 closing_flags4(const struct settings *set, const struct flow_row *row)
{
	struct key4 key;
	struct flow_row *peer;
	__u32 slot;

	if (!set || !row)
		return 0;
	key.source = row->new_destination_address;
	key.destination = row->new_source_address;
	key.ports = swap_ports(row->new_ports);
	key.tag = row->tag & FLOW_TAG_MATCH_MASK;
	slot = find_slot4(set, &key);
	peer = bpf_map_lookup_elem(&flows, &slot);
	return peer && (peer->state & TCP_FIN) ? 0 : STATE_CLOSED_FIRST;
}

__noinline __u32 closing_flags6(const struct settings *set, const struct flow6_row *row)
{
	struct flow6_row *peer;
	struct key6 key;
	__u32 slot;

	if (!set || !row)
		return 0;
	key.source = *(struct address *)row->new_destination_address;
	key.destination = *(struct address *)row->new_source_address;
	key.ports = swap_ports(row->new_ports);
	key.tag = row->tag & FLOW_TAG_MATCH_MASK;
	slot = find_slot6(set, &key);
	peer = bpf_map_lookup_elem(&flows6, &slot);
	return peer && (peer->state & TCP_FIN) ? 0 : STATE_CLOSED_FIRST;
}

static __always_inline int is_news(const __u32 *state, __u32 flags)
{
	return (*(const volatile __u32 *)state & flags) != flags;
}

static __always_inline void note_flags4(const struct settings *set, struct flow_row *row, __u32 flags)
{
	if (is_news(&row->state, flags))
		__sync_fetch_and_or(&row->state,
				    flags | (flags & ~row->state & TCP_FIN ? closing_flags4(set, row) : 0));
}

static __always_inline void note_flags6(const struct settings *set, struct flow6_row *row, __u32 flags)
{
	if (is_news(&row->state, flags))
		__sync_fetch_and_or(&row->state,
				    flags | (flags & ~row->state & TCP_FIN ? closing_flags6(set, row) : 0));
}

#endif
