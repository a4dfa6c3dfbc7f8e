/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finding a frame's row in the flow table: a keyed hash, then linear probing.
 *
 * The hash is HalfSipHash-1-3 over 13 bytes (both addresses, both ports, the protocol), so nobody who does not know the
 * key can aim flows at one slot. src/dataplane/ computes the same number; test/native/ holds the two together.
 */
#ifndef SLUICE_FLOW_LOOKUP_H
#define SLUICE_FLOW_LOOKUP_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include "maps.h"

static __always_inline __u32 rotate_left(__u32 value, int bits)
{
	return (value << bits) | (value >> (32 - bits));
}

#define SIP_ROUND                                                                                                      \
	do {                                                                                                           \
		v0 += v1;                                                                                              \
		v1 = rotate_left(v1, 5);                                                                               \
		v1 ^= v0;                                                                                              \
		v0 = rotate_left(v0, 16);                                                                              \
		v2 += v3;                                                                                              \
		v3 = rotate_left(v3, 8);                                                                               \
		v3 ^= v2;                                                                                              \
		v0 += v3;                                                                                              \
		v3 = rotate_left(v3, 7);                                                                               \
		v3 ^= v0;                                                                                              \
		v2 += v1;                                                                                              \
		v1 = rotate_left(v1, 13);                                                                              \
		v1 ^= v2;                                                                                              \
		v2 = rotate_left(v2, 16);                                                                              \
	} while (0)

static __always_inline __u32 flow_hash(__u32 key0, __u32 key1, __u32 source, __u32 destination, __u32 ports,
				       __u32 protocol)
{
	__u32 v0 = key0;
	__u32 v1 = key1;
	__u32 v2 = 0x6c796765 ^ key0;
	__u32 v3 = 0x74656462 ^ key1;
	__u32 last = (13u << 24) | protocol;

	v3 ^= source;
	SIP_ROUND;
	v0 ^= source;
	v3 ^= destination;
	SIP_ROUND;
	v0 ^= destination;
	v3 ^= ports;
	SIP_ROUND;
	v0 ^= ports;
	v3 ^= last;
	SIP_ROUND;
	v0 ^= last;
	v2 ^= 0xff;
	SIP_ROUND;
	SIP_ROUND;
	SIP_ROUND;
	return v1 ^ v3;
}

/* The live row of this key, or NULL. Stops early where nobody's probe ever went on (overflow count 0). */
static __always_inline struct flow_row *find_flow(const struct settings *set, __u32 source, __u32 destination,
						  __u32 ports, __u32 protocol)
{
	__u32 slot = flow_hash(set->hash_key0, set->hash_key1, source, destination, ports, protocol);

	for (int step = 0; step < FLOW_PROBE_LIMIT; step++, slot++) {
		__u32 index = slot & set->flow_mask;
		struct flow_row *row = bpf_map_lookup_elem(&flows, &index);
		__u32 tag;

		if (!row)
			return NULL;
		tag = *(volatile __u32 *)&row->tag;
		if ((tag & FLOW_TAG_MATCH_MASK) == (FLOW_TAG_LIVE | protocol) && row->source_address == source &&
		    row->destination_address == destination && row->ports == ports)
			return row;
		if (tag >> FLOW_TAG_OVERFLOW_SHIFT == 0)
			return NULL;
	}
	return NULL;
}

/*
 * Whether an IPv4 frame belongs to the backend->client direction of a live flow. Only TCP and UDP with a plain 20-byte
 * header and no fragmentation: ports are then at a fixed place, and everything else is a question for user space.
 */
static __always_inline int is_live_reply(struct ethhdr *ethernet, void *data_end)
{
	struct iphdr *ip = (void *)(ethernet + 1);
	__u32 *ports = (void *)(ip + 1);
	__u32 zero = 0;
	struct settings *set;
	struct flow_row *row;

	if ((void *)(ports + 1) > data_end)
		return 0;
	if (*(__u8 *)ip != 0x45 || (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP))
		return 0;
	if (ip->frag_off & bpf_htons(0x3fff)) /* more fragments, or an offset */
		return 0;
	set = bpf_map_lookup_elem(&settings, &zero);
	if (!set)
		return 0;
	row = find_flow(set, ip->saddr, ip->daddr, *ports, ip->protocol);
	return row && (row->tag & FLOW_TAG_REPLY);
}

#endif
