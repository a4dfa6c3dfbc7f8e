/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The keyed hash of a flow: HalfSipHash-1-3 over addresses, ports and protocol (13 bytes for IPv4, 37 for IPv6), so that
 * nobody who does not know the key can aim flows at one slot. src/dataplane/ computes the same numbers; test/native/
 * holds the two together.
 */
#ifndef SLUICE_FLOW_HASH_H
#define SLUICE_FLOW_HASH_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include "maps.h"

static __always_inline __u32 rotate_left(__u32 value, int bits)
{
	return (value << bits) | (value >> (32 - bits));
}

struct sip_state {
	__u32 v0, v1, v2, v3;
};

static __always_inline struct sip_state sip_start(__u32 key0, __u32 key1)
{
	return (struct sip_state){key0, key1, 0x6c796765 ^ key0, 0x74656462 ^ key1};
}

static __always_inline struct sip_state sip_round(struct sip_state s)
{
	s.v0 += s.v1;
	s.v1 = rotate_left(s.v1, 5);
	s.v1 ^= s.v0;
	s.v0 = rotate_left(s.v0, 16);
	s.v2 += s.v3;
	s.v3 = rotate_left(s.v3, 8);
	s.v3 ^= s.v2;
	s.v0 += s.v3;
	s.v3 = rotate_left(s.v3, 7);
	s.v3 ^= s.v0;
	s.v2 += s.v1;
	s.v1 = rotate_left(s.v1, 13);
	s.v1 ^= s.v2;
	s.v2 = rotate_left(s.v2, 16);
	return s;
}

static __always_inline struct sip_state sip_block(struct sip_state s, __u32 message)
{
	s.v3 ^= message;
	s = sip_round(s);
	s.v0 ^= message;
	return s;
}

/* The last block has the protocol, the thirteenth or thirty-seventh byte, and in its top byte the length. */
static __always_inline __u32 sip_end(struct sip_state s, __u32 length_bytes, __u32 protocol)
{
	s = sip_block(s, (length_bytes << 24) | protocol);
	s.v2 ^= 0xff;
	s = sip_round(sip_round(sip_round(s)));
	return s.v1 ^ s.v3;
}

static __always_inline __u32 flow_hash4(const struct settings *set, __u32 source, __u32 destination, __u32 ports,
					__u32 protocol)
{
	struct sip_state s = sip_start(set->hash_key0, set->hash_key1);

	s = sip_block(s, source);
	s = sip_block(s, destination);
	s = sip_block(s, ports);
	return sip_end(s, 13, protocol);
}

static __always_inline __u32 flow_hash6(const struct settings *set, const struct address *source,
					const struct address *destination, __u32 ports, __u32 protocol)
{
	struct sip_state s = sip_start(set->hash_key0, set->hash_key1);

	for (int word = 0; word < 4; word++)
		s = sip_block(s, source->words[word]);
	for (int word = 0; word < 4; word++)
		s = sip_block(s, destination->words[word]);
	s = sip_block(s, ports);
	return sip_end(s, 37, protocol);
}

#endif
