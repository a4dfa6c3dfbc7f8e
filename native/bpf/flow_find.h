/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The row of a packet that is read in place, as fast as can be: the home slot inline, the rest of the probe in a function
 * that most packets never call. It gives a slot and not a row, for a function that the verifier looks at alone can give
 * numbers only.
 */
#ifndef SLUICE_FLOW_FIND_H
#define SLUICE_FLOW_FIND_H

#include "flow_lookup.h"

#define NO_SLOT 0xffffffffu

struct key4 {
	__u32 source;
	__u32 destination;
	__u32 ports;
	__u32 tag; /* what the row's must be, under FLOW_TAG_MATCH_MASK */
};

struct key6 {
	struct address source;
	struct address destination;
	__u32 ports;
	__u32 tag;
};

static __always_inline __u32 tag_of(const __u32 *tag)
{
	return *(const volatile __u32 *)tag;
}

static __always_inline int is_row4(const struct flow_row *row, __u32 tag, const struct key4 *key)
{
	return (tag & FLOW_TAG_MATCH_MASK) == key->tag && row->source_address == key->source &&
	       row->destination_address == key->destination && row->ports == key->ports;
}

static __always_inline int is_row6(const struct flow6_row *row, __u32 tag, const struct key6 *key)
{
	return (tag & FLOW_TAG_MATCH_MASK) == key->tag && row->ports == key->ports &&
	       same_address(row->source_address, &key->source) &&
	       same_address(row->destination_address, &key->destination);
}

/* From the slot behind home on. */
__noinline __u32 find_displaced4(const struct settings *set, const struct key4 *key, __u32 home)
{
	if (!set || !key)
		return NO_SLOT;
	for (__u32 step = 1; step < FLOW_PROBE_LIMIT; step++) {
		__u32 slot = (home + step) & set->flow_mask;
		struct flow_row *row = bpf_map_lookup_elem(&flows, &slot);
		__u32 tag;

		if (!row)
			return NO_SLOT;
		tag = tag_of(&row->tag);
		if (is_row4(row, tag, key))
			return slot;
		if (tag >> FLOW_TAG_OVERFLOW_SHIFT == 0)
			return NO_SLOT;
	}
	return NO_SLOT;
}

__noinline __u32 find_displaced6(const struct settings *set, const struct key6 *key, __u32 home)
{
	if (!set || !key)
		return NO_SLOT;
	for (__u32 step = 1; step < FLOW_PROBE_LIMIT; step++) {
		__u32 slot = (home + step) & set->flow6_mask;
		struct flow6_row *row = bpf_map_lookup_elem(&flows6, &slot);
		__u32 tag;

		if (!row)
			return NO_SLOT;
		tag = tag_of(&row->tag);
		if (is_row6(row, tag, key))
			return slot;
		if (tag >> FLOW_TAG_OVERFLOW_SHIFT == 0)
			return NO_SLOT;
	}
	return NO_SLOT;
}

static __always_inline struct flow_row *find_row4(const struct settings *set, const struct key4 *key)
{
	__u32 slot =
		flow_hash4(set, key->source, key->destination, key->ports, key->tag & 0xff) & set->flow_mask;
	struct flow_row *row = bpf_map_lookup_elem(&flows, &slot);
	__u32 tag;

	if (!row)
		return NULL;
	tag = tag_of(&row->tag);
	if (is_row4(row, tag, key))
		return row;
	if (tag >> FLOW_TAG_OVERFLOW_SHIFT == 0)
		return NULL;
	slot = find_displaced4(set, key, slot);
	return bpf_map_lookup_elem(&flows, &slot);
}

static __always_inline struct flow6_row *find_row6(const struct settings *set, const struct key6 *key)
{
	__u32 slot = flow_hash6(set, &key->source, &key->destination, key->ports, key->tag & 0xff) & set->flow6_mask;
	struct flow6_row *row = bpf_map_lookup_elem(&flows6, &slot);
	__u32 tag;

	if (!row)
		return NULL;
	tag = tag_of(&row->tag);
	if (is_row6(row, tag, key))
		return row;
	if (tag >> FLOW_TAG_OVERFLOW_SHIFT == 0)
		return NULL;
	slot = find_displaced6(set, key, slot);
	return bpf_map_lookup_elem(&flows6, &slot);
}

#endif
