/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finding the row of a key in the flow tables: hash, then linear probing. The probe stops early where nobody's ever went
 * on (overflow count 0). Written once for both families, with `family` a constant; flow_find.h has the same in a hurry.
 */
#ifndef SLUICE_FLOW_LOOKUP_H
#define SLUICE_FLOW_LOOKUP_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include "flow_hash.h"
#include "maps.h"

#define NO_SLOT 0xffffffffu

/* NAME4() and NAME6() of what is written once, as functions of their own: the verifier looks at the loop in each only once. */
#define FOR_EITHER_FAMILY(type, name, parameters, arguments) \
	__noinline type name##4 parameters { return name##_in(4, STRIP arguments); } \
	__noinline type name##6 parameters { return name##_in(6, STRIP arguments); }
#define STRIP(...) __VA_ARGS__

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

static __always_inline __u32 tag_of(const __u32 *tag)
{
	return *(const volatile __u32 *)tag;
}

static __always_inline __u32 mask_of(const int family, const struct settings *set)
{
	return family == 4 ? set->flow_mask : set->flow6_mask;
}

static __always_inline __u32 hash_of(const int family, const struct settings *set, const struct flow_key *key)
{
	if (family == 4)
		return flow_hash4(set, ipv4_of(&key->source), ipv4_of(&key->destination), key->ports, key->protocol);
	return flow_hash6(set, &key->source, &key->destination, key->ports, key->protocol);
}

/* Whether a slot has the live row of a key; its tag in any case, 0 for a slot that is none. */
static __always_inline int has_key(const int family, __u32 slot, const struct flow_key *key, __u32 *tag)
{
	if (family == 4) {
		struct flow_row *row = bpf_map_lookup_elem(&flows, &slot);

		*tag = row ? tag_of(&row->tag) : 0;
		return row && (*tag & FLOW_TAG_MATCH_MASK) == (FLOW_TAG_LIVE | key->protocol) &&
		       row->source_address == ipv4_of(&key->source) &&
		       row->destination_address == ipv4_of(&key->destination) && row->ports == key->ports;
	}
	struct flow6_row *row = bpf_map_lookup_elem(&flows6, &slot);

	*tag = row ? tag_of(&row->tag) : 0;
	return row && (*tag & FLOW_TAG_MATCH_MASK) == (FLOW_TAG_LIVE | key->protocol) && row->ports == key->ports &&
	       same_address(row->source_address, &key->source) &&
	       same_address(row->destination_address, &key->destination);
}

/* The slot of the live row of a key, other than `except`; or NO_SLOT. */
static __always_inline __u32 find_other_in(const int family, const struct settings *set, const struct flow_key *key,
					   __u32 hash, __u32 except)
{
	__u32 mask;

	if (!set || !key)
		return NO_SLOT;
	mask = mask_of(family, set);
	for (__u32 step = 0; step < FLOW_PROBE_LIMIT; step++) {
		__u32 slot = (hash + step) & mask;
		__u32 tag;

		if (has_key(family, slot, key, &tag) && slot != except)
			return slot;
		if (tag >> FLOW_TAG_OVERFLOW_SHIFT == 0)
			return NO_SLOT;
	}
	return NO_SLOT;
}

FOR_EITHER_FAMILY(__u32, find_other,
		  (const struct settings *set, const struct flow_key *key, __u32 hash, __u32 except),
		  (set, key, hash, except))

static __always_inline __u32 find_other(const int family, const struct settings *set, const struct flow_key *key,
					__u32 hash, __u32 except)
{
	return family == 4 ? find_other4(set, key, hash, except) : find_other6(set, key, hash, except);
}

/* The slot of the live row of a key; or NO_SLOT. */
static __always_inline __u32 find_live(const int family, const struct settings *set, const struct flow_key *key)
{
	return find_other(family, set, key, hash_of(family, set, key), NO_SLOT);
}

static __always_inline __u32 live_tag_in(const int family, const struct settings *set, const struct flow_key *key)
{
	__u32 tag;

	return has_key(family, find_live(family, set, key), key, &tag) ? tag : 0;
}

/* The tag of the live row of a key, or 0. Not static: the verifier then looks once, and not again for each way to it. */
__noinline __u32 live_tag(const struct settings *set, const struct flow_key *key)
{
	if (!set || !key)
		return 0;
	return key->family == 4 ? live_tag_in(4, set, key) : live_tag_in(6, set, key);
}

/* Whether there is a live flow of a key. */
static __always_inline int is_live(const struct settings *set, const struct flow_key *key)
{
	return live_tag(set, key) != 0;
}

/* Whether a key is that of the backend->client direction of a live flow. */
static __always_inline int is_live_reply(const struct settings *set, const struct flow_key *key)
{
	return (live_tag(set, key) & FLOW_TAG_REPLY) != 0;
}

#endif
