/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What became of a frame, and how often: the index into `xdp_counters`. src/xdp/xdp-counters.ts names the outcomes in the
 * same order.
 */
#ifndef SLUICE_OUTCOME_H
#define SLUICE_OUTCOME_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum outcome {
	/* Left to the kernel, or dropped on a port that is ours alone (OUTCOME_DROP_NOT_OURS then). */
	OUTCOME_PASS_UNKNOWN_PORT,
	OUTCOME_PASS_NOT_OURS,
	OUTCOME_PASS_STRANGER, /* a tunnel to us from a source that may not send us one */
	OUTCOME_DROP_NOT_OURS, /* PORT_DROP_OTHERS */
	OUTCOME_NO_SOCKET,     /* ours, but no socket on that queue: passed, or dropped when it is to a served address */
	OUTCOME_REDIRECT_ARP,
	OUTCOME_REDIRECT_NDP,
	OUTCOME_REDIRECT_OWNED,
	OUTCOME_REDIRECT_TUNNEL,
	OUTCOME_REDIRECT_TUNNEL_ERROR,
	OUTCOME_REDIRECT_DSR_OPTION,
	/* In the order of enum reply_kind. */
	OUTCOME_REDIRECT_REPLY,
	OUTCOME_REDIRECT_REPLY_ERROR,
	OUTCOME_REDIRECT_REPLY_FRAGMENT,
	/* The same, taken from the stack by sluice_egress. */
	OUTCOME_EGRESS_REPLY,
	OUTCOME_EGRESS_REPLY_ERROR,
	OUTCOME_EGRESS_REPLY_FRAGMENT,
	/* Of an established flow: translated and sent on without the worker. */
	OUTCOME_FORWARD,
	OUTCOME_EGRESS_FORWARD,
	OUTCOME_SAMPLE_LOST, /* forwarded as well; its sample found no room */
	/* A flow that was opened without the worker; its frame counts as forwarded. And what stood in the way of others. */
	OUTCOME_OPEN,
	OUTCOME_EVICTED, /* a flow, for want of room */
	OUTCOME_DROP_SOURCE_LIMIT,
	OUTCOME_DROP_BUDGET,
	/* SYN cookies: a SYN that was answered with the question, the answer to one, and a SYN that is nobody's. */
	OUTCOME_CHALLENGE,
	OUTCOME_PROVEN,
	OUTCOME_DROP_UNPROVEN,
	OUTCOMES,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OUTCOMES);
	__type(key, __u32);
	__type(value, __u64);
} xdp_counters SEC(".maps");

static __always_inline void count(__u32 outcome)
{
	__u64 *counter = bpf_map_lookup_elem(&xdp_counters, &outcome);

	if (counter)
		*counter += 1;
}

#endif
