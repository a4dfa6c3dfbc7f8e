/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Writing rows of the flow tables: what src/dataplane/flow-table.ts does for the workers, by the same rules and in the same
 * order, so that both may do it at once. A row is claimed by compare-and-swap on its tag, filled, and published last; a
 * withdrawn one rests for GRACE_SECONDS; whoever opens a flow holds the lock of its home slot.
 *
 * Each function is written once for both families, with `family` a constant, and compiled for either. What loops is compiled
 * as a function of its own, not static, so that the verifier looks at each loop once and not again for each way to it.
 */
#ifndef SLUICE_NEW_ROW_H
#define SLUICE_NEW_ROW_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "checksum.h"
#include "flow_find.h"
#include "flow_lookup.h"
#include "flow_row.h"
#include "forwarding_table.h"
#include "maps.h"
#include "row_fields.h"
#include "transport.h"

#define GRACE_SECONDS 2

#define FLOW_TAG_CLAIMED (1u << 9)
#define FLOW_TAG_GENERATION_ONE (1u << 12)
#define FLOW_TAG_GENERATION (0x7ffu << 12)
#define FLOW_TAG_LOCKED (1u << 23)
#define FLOW_TAG_OVERFLOW (0xffu << 24)
#define FLOW_TAG_OVERFLOW_ONE (1u << 24)

/*
 * A holder on another CPU needs a microsecond; a worker may have been preempted, and then the frame waits with it. One that
 * has had a lock for a tenth of a second stands still or is dead, and the lock is taken from it: should it go on, it finds
 * the flow that has been opened meanwhile. When a lock was first in the way is remembered, for a few at a time.
 */
#define LOCK_ATTEMPTS 64
#define STUCK_PLACES 64
#define STUCK_NANOSECONDS 100000000ull
/* What was in the way so long ago says nothing; a SYN comes again after a second. */
#define STUCK_FORGOTTEN_NANOSECONDS 10000000000ull

struct stuck_lock {
	__u32 slot;
	__u32 family;
	__u64 since; /* nanoseconds of the monotonic clock */
};

static struct stuck_lock stuck_locks[STUCK_PLACES];

/* Whether a lock that could not be had has been held for too long. */
static __always_inline int is_stuck(__u32 family, __u32 slot)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	volatile struct stuck_lock *seen = &stuck_locks[slot % STUCK_PLACES];

	if (seen->slot != slot || seen->family != family || now - seen->since > STUCK_FORGOTTEN_NANOSECONDS) {
		seen->slot = slot;
		seen->family = family;
		seen->since = now;
		return 0;
	}
	return now - seen->since > STUCK_NANOSECONDS;
}

static __always_inline int lock_home(const int family, const struct settings *set, __u32 hash)
{
	__u32 slot = hash & mask_of(family, set);
	__u32 *tag = tag_at(family, slot);

	if (!tag)
		return 0;
	for (int attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
		if (!(__sync_fetch_and_or(tag, FLOW_TAG_LOCKED) & FLOW_TAG_LOCKED))
			return 1;
	}
	return is_stuck(family, slot);
}

static __always_inline void unlock_home(const int family, const struct settings *set, __u32 hash)
{
	__u32 *tag = tag_at(family, hash & mask_of(family, set));

	if (tag)
		__sync_fetch_and_and(tag, ~FLOW_TAG_LOCKED);
}

static __always_inline int claim_slot(const struct row *row, __u32 protocol_and_direction, __u32 now)
{
	__u32 tag = tag_of(row->tag);
	__u32 generation = tag & FLOW_TAG_GENERATION;
	__u32 next;

	if (tag & (FLOW_TAG_LIVE | FLOW_TAG_CLAIMED))
		return 0;
	if (generation && (__s32)(now - *(volatile __u32 *)row->last_seen) < GRACE_SECONDS)
		return 0;
	next = (generation + FLOW_TAG_GENERATION_ONE) & FLOW_TAG_GENERATION;
	next = next ? next : FLOW_TAG_GENERATION_ONE;
	next |= (tag & (FLOW_TAG_OVERFLOW | FLOW_TAG_LOCKED)) | FLOW_TAG_CLAIMED | protocol_and_direction;
	return __sync_val_compare_and_swap(row->tag, tag, next) == tag;
}

/* A free slot of the key's window, claimed; NO_SLOT when all are taken. Its distance is what a probe has to go. */
static __always_inline __u32 claim_in(const int family, const struct settings *set, __u32 hash,
				      __u32 protocol_and_direction, __u32 now)
{
	__u32 mask;

	if (!set)
		return NO_SLOT;
	mask = mask_of(family, set);
	for (__u32 step = 0; step < FLOW_PROBE_LIMIT; step++) {
		__u32 slot = (hash + step) & mask;
		struct row row;

		if (!row_at(family, slot, &row))
			return NO_SLOT;
		if (!claim_slot(&row, protocol_and_direction, now))
			continue;
		for (__u32 passed = 0; passed < FLOW_PROBE_LIMIT && passed < step; passed++) {
			__u32 *tag = tag_at(family, (hash + passed) & mask);

			if (tag)
				__sync_fetch_and_add(tag, FLOW_TAG_OVERFLOW_ONE);
		}
		return slot;
	}
	return NO_SLOT;
}

FOR_EITHER_FAMILY(__u32, claim, (const struct settings *set, __u32 hash, __u32 protocol_and_direction, __u32 now),
		  (set, hash, protocol_and_direction, now))

static __always_inline void fill4(__u32 slot, const struct flow_key *key, const struct flow_key *translated)
{
	struct flow_row *row = bpf_map_lookup_elem(&flows, &slot);
	__u32 header;

	if (!row)
		return;
	row->source_address = ipv4_of(&key->source);
	row->destination_address = ipv4_of(&key->destination);
	row->ports = key->ports;
	row->new_source_address = ipv4_of(&translated->source);
	row->new_destination_address = ipv4_of(&translated->destination);
	row->new_ports = translated->ports;
	header = fold(word_delta(row->source_address, row->new_source_address) +
		      word_delta(row->destination_address, row->new_destination_address));
	row->checksum_deltas = header | fold(header + word_delta(row->ports, row->new_ports)) << 16;
}

static __always_inline void fill6(__u32 slot, const struct flow_key *key, const struct flow_key *translated)
{
	struct flow6_row *row = bpf_map_lookup_elem(&flows6, &slot);
	__u32 delta;

	if (!row)
		return;
	delta = word_delta(key->ports, translated->ports);
	for (int word = 0; word < 4; word++)
		delta = fold(delta + word_delta(key->source.words[word], translated->source.words[word]));
	for (int word = 0; word < 4; word++)
		delta = fold(delta + word_delta(key->destination.words[word], translated->destination.words[word]));
	*(struct address *)row->source_address = key->source;
	*(struct address *)row->destination_address = key->destination;
	row->ports = key->ports;
	*(struct address *)row->new_source_address = translated->source;
	*(struct address *)row->new_destination_address = translated->destination;
	row->new_ports = translated->ports;
	row->checksum_delta = delta;
}

/* Ends a live row; 0 when somebody else has. */
static __always_inline int withdraw_in(const int family, const struct settings *set, __u32 slot, __u32 now)
{
	struct flow_key key = {};
	__u32 tag, distance, home, mask;
	struct row row;

	if (!set || !row_at(family, slot, &row))
		return 0;
	mask = mask_of(family, set);
	/* Before the atomic operation, which waits for what is on its way from memory and lets nothing else set out. */
	if (!load_key(family, slot, 0, &key))
		return 0;
	home = hash_of(family, set, &key) & mask;
	*(volatile __u32 *)row.last_seen = now;
	tag = __sync_fetch_and_and(row.tag, ~FLOW_TAG_LIVE);
	if (!(tag & FLOW_TAG_LIVE))
		return 0;
	distance = (slot - home) & mask;
	for (__u32 passed = 0; passed < FLOW_PROBE_LIMIT && passed < distance; passed++) {
		__u32 *over = tag_at(family, (home + passed) & mask);

		if (over)
			__sync_fetch_and_add(over, -FLOW_TAG_OVERFLOW_ONE);
	}
	if (!(tag & FLOW_TAG_REPLY)) {
		__u32 *load = load_of(*row.owner);

		if (load)
			__sync_fetch_and_add(load, -1);
	}
	return 1;
}

FOR_EITHER_FAMILY(int, withdraw, (const struct settings *set, __u32 slot, __u32 now), (set, slot, now))

static __always_inline int withdraw(const int family, const struct settings *set, __u32 slot, __u32 now)
{
	return family == 4 ? withdraw4(set, slot, now) : withdraw6(set, slot, now);
}

#endif
