/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The maximum segment size in a SYN that is forwarded here: src/dataplane/segment-size.ts, for the SYNs that nearly all hosts
 * send, without options or with the MSS as the first. Others are the worker's.
 */
#ifndef SLUICE_SEGMENT_SIZE_H
#define SLUICE_SEGMENT_SIZE_H

#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include "checksum.h"
#include "transport.h"
#include "ways.h"

#define TCP_OPTION_MSS 0x0204 /* kind and length (RFC 9293 §3.2) */

struct mss_option {
	__be16 kind_and_length;
	__be16 value;
};

/* What segments have room for on the way between two ports. */
static __always_inline __u32 mss_limit(__u32 mtu, __u32 other_mtu, __u32 ip_header_bytes)
{
	return (mtu < other_mtu ? mtu : other_mtu) - ip_header_bytes - sizeof(struct tcphdr);
}

/* Whether a SYN may go on as it is. */
static __always_inline int has_modest_mss(const struct tcphdr *tcp, const void *end, __u32 limit)
{
	const struct mss_option *option = (const void *)(tcp + 1);

	if (tcp_header_bytes(tcp) == sizeof(*tcp))
		return 1;
	return (const void *)(option + 1) <= end && option->kind_and_length == bpf_htons(TCP_OPTION_MSS) &&
	       bpf_ntohs(option->value) <= limit;
}

/* Lowers it in place where that is needed; 0 when the worker must look. */
static __always_inline int limit_segment_size(struct tcphdr *tcp, const void *end, __u32 limit)
{
	struct mss_option *option = (void *)(tcp + 1);
	__u16 before;

	if (has_modest_mss(tcp, end, limit))
		return 1;
	if ((void *)(option + 1) > end || option->kind_and_length != bpf_htons(TCP_OPTION_MSS))
		return 0;
	before = option->value;
	option->value = bpf_htons(limit);
	tcp->check = apply_delta(tcp->check, word_delta(before, option->value));
	return 1;
}

#endif
