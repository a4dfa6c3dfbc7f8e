/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finding the row of a key in the flow tables: hash, then linear probing. The probe stops early where nobody's ever went
 * on (overflow count 0).
 */
#ifndef SLUICE_FLOW_LOOKUP_H
#define SLUICE_FLOW_LOOKUP_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include "flow_hash.h"
#include "maps.h"

/* What identifies one direction of a flow, in either family. */
struct flow_key {
	struct address source;
	struct address destination;
	__u32 ports; /* source port first, as on the wire */
	__u8 protocol;
	__u8 family; /* 4 or 6 */
	__u16 unused;
};

/* The IPv4 address in an IPv4-mapped one. */
static __always_inline __u32 ipv4_of(const struct address *address)
{
	return address->words[3];
}

static __always_inline int same_address(const __u32 *words, const struct address *address)
{
	return words[0] == address->words[0] && words[1] == address->words[1] && words[2] == address->words[2] &&
	       words[3] == address->words[3];
}

/* The tag of the live row of an IPv4 key, or 0. */
static __always_inline __u32 live_tag4(const struct settings *set, const struct flow_key *key)
{
	__u32 source = ipv4_of(&key->source);
	__u32 destination = ipv4_of(&key->destination);
	__u32 slot = flow_hash4(set, source, destination, key->ports, key->protocol);

	for (int step = 0; step < FLOW_PROBE_LIMIT; step++, slot++) {
		__u32 index = slot & set->flow_mask;
		struct flow_row *row = bpf_map_lookup_elem(&flows, &index);
		__u32 tag;

		if (!row)
			return 0;
		tag = *(volatile __u32 *)&row->tag;
		if ((tag & FLOW_TAG_MATCH_MASK) == (FLOW_TAG_LIVE | key->protocol) && row->source_address == source &&
		    row->destination_address == destination && row->ports == key->ports)
			return tag;
		if (tag >> FLOW_TAG_OVERFLOW_SHIFT == 0)
			return 0;
	}
	return 0;
}

static __always_inline __u32 live_tag6(const struct settings *set, const struct flow_key *key)
{
	__u32 slot = flow_hash6(set, &key->source, &key->destination, key->ports, key->protocol);

	for (int step = 0; step < FLOW_PROBE_LIMIT; step++, slot++) {
		__u32 index = slot & set->flow6_mask;
		struct flow6_row *row = bpf_map_lookup_elem(&flows6, &index);
		__u32 tag;

		if (!row)
			return 0;
		tag = *(volatile __u32 *)&row->tag;
		if ((tag & FLOW_TAG_MATCH_MASK) == (FLOW_TAG_LIVE | key->protocol) && row->ports == key->ports &&
		    same_address(row->source_address, &key->source) &&
		    same_address(row->destination_address, &key->destination))
			return tag;
		if (tag >> FLOW_TAG_OVERFLOW_SHIFT == 0)
			return 0;
	}
	return 0;
}

/* Whether there is a live flow of a key. Not static: see below. */
__noinline int is_live(const struct settings *set, const struct flow_key *key)
{
	if (!set || !key)
		return 0;
	return (key->family == 4 ? live_tag4(set, key) : live_tag6(set, key)) != 0;
}

/*
 * Whether a key is that of the backend->client direction of a live flow. Not static: the verifier then looks at the long
 * probes once, and not again for each way that leads to them.
 */
__noinline int is_live_reply(const struct settings *set, const struct flow_key *key)
{
	__u32 tag;

	if (!set || !key)
		return 0;
	tag = key->family == 4 ? live_tag4(set, key) : live_tag6(set, key);
	return (tag & FLOW_TAG_REPLY) != 0;
}

#endif
