/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Room in a crowded flow table: src/dataplane/eviction.ts. A flow that nobody has answered goes, the first near by that has
 * been silent for a second; and as there may be no process that ends flows, one whose time after its end is over.
 */
#ifndef SLUICE_EVICTION_H
#define SLUICE_EVICTION_H

#include "new_row.h"
#include "outcome.h"

/* A row so many slots from its home says that there is little room left here. */
#define CROWDED (FLOW_PROBE_LIMIT / 2)

/* Seconds of silence after which a closed, reset or half-closed flow has ended whatever else it was: four minutes. */
#define ENDED_SECONDS 240

static __always_inline int is_unanswered(const struct row *row, __u32 tag)
{
	if (tag & FLOW_TAG_REPLY)
		return *row->packets == 0;
	return (tag & 0xff) != IPPROTO_UDP && !(*row->state & (TCP_ACK | TCP_FIN));
}

static __always_inline int is_victim(const struct row *row, __u32 now)
{
	__u32 tag = tag_of(row->tag);
	__s32 silent = now - *(volatile __u32 *)row->last_seen;

	if (!(tag & FLOW_TAG_LIVE) || silent < 1)
		return 0;
	return is_unanswered(row, tag) || (silent > ENDED_SECONDS && (*row->state & (TCP_FIN | TCP_RST)));
}

static __always_inline int evict_in(const int family, const struct settings *set, __u32 hash, __u32 now)
{
	if (!set)
		return 0;
	for (__u32 step = 0; step < FLOW_PROBE_LIMIT; step++) {
		__u32 slot = (hash + step) & mask_of(family, set);
		__u32 peer;
		struct row row;

		if (!row_at(family, slot, &row))
			return 0;
		if (!is_victim(&row, now))
			continue;
		peer = find_peer(family, set, slot);
		withdraw(family, set, slot, now);
		if (peer != NO_SLOT)
			withdraw(family, set, peer, now);
		count(OUTCOME_EVICTED);
		return 1;
	}
	return 0;
}

FOR_EITHER_FAMILY(int, evict, (const struct settings *set, __u32 hash, __u32 now), (set, hash, now))

/* As claim(), and makes room ahead where it is short: a row that is withdrawn must rest before it can be claimed. */
static __always_inline __u32 claim_row(const int family, const struct settings *set, __u32 hash,
				       __u32 protocol_and_direction, __u32 now)
{
	__u32 slot = family == 4 ? claim4(set, hash, protocol_and_direction, now) :
				   claim6(set, hash, protocol_and_direction, now);

	if (slot != NO_SLOT && ((slot - hash) & mask_of(family, set)) < CROWDED)
		return slot;
	if (family == 4)
		evict4(set, hash, now);
	else
		evict6(set, hash, now);
	return slot;
}

#endif
