/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071) and its change by a delta (RFC 1624 eqn. 3), as in src/wire/checksum.ts: a delta is
 * the folded sum of ~old + new over raw words.
 */
#ifndef SLUICE_CHECKSUM_H
#define SLUICE_CHECKSUM_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

/* By the TTL byte falling by one: as a raw word, `ttl | protocol << 8` falls by one. */
#define TTL_DECREMENT_DELTA 0xfffe

static __always_inline __u32 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* The delta of one raw word that changes. */
static __always_inline __u32 word_delta(__u32 from, __u32 to)
{
	return fold((~from & 0xffff) + (~from >> 16) + (to & 0xffff) + (to >> 16));
}

static __always_inline __u16 apply_delta(__u16 checksum, __u32 delta)
{
	return ~fold((~checksum & 0xffff) + delta);
}

/* Of a header without options: 0xffff when its checksum is right. */
static __always_inline __u32 sum_ipv4_header(const __u32 *words)
{
	__u64 sum = (__u64)words[0] + words[1] + words[2] + words[3] + words[4];

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return fold(sum);
}

#endif
