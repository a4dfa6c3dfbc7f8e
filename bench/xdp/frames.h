/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Frames for a benchmark by BPF_PROG_TEST_RUN, which gives a program the same memory each time: a TCP segment of the next
 * flow is written over what the program made of the last one. Flows come in scattered order, so the cache can't guess.
 * Each object has the programs `frames`, which does nothing else, and those under test, which do this first.
 */
#ifndef BENCH_FRAMES_H
#define BENCH_FRAMES_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct bench {
	__u32 flows;
	__u32 next;
	__u32 ethernet[3];
	__u32 vip; /* the first one, in host order; flows take turns */
	__u32 checksum; /* of the header without addresses, not complemented or folded */
	__u32 vips;
	__u32 now; /* seconds, for rows that go in */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench);
} bench SEC(".maps");

/*
 * The words of an Ethernet, IPv4 and TCP header, from the MACs on: each as it will be read. What has just been written in
 * halves the processor can't hand on as a whole, and waits; frames of a network have been in memory for a while.
 */
static __always_inline int write_frame(struct xdp_md *ctx)
{
	__u16 *at = (void *)(long)ctx->data;
	__u32 zero = 0;
	struct bench *of = bpf_map_lookup_elem(&bench, &zero);
	__u32 flow, source, vip, sum;

	if (!of || (void *)(at + 27) > (void *)(long)ctx->data_end)
		return 0;
	flow = ((__u64)(of->next++ * 2654435761u) * of->flows) >> 32;
	source = bpf_htonl(0x0a000000 | flow >> 14);
	vip = bpf_htonl(of->vip + flow % of->vips);
	sum = of->checksum + (source & 0xffff) + (source >> 16) + (vip & 0xffff) + (vip >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	*(__u32 *)(at + 0) = of->ethernet[0];
	*(__u32 *)(at + 2) = of->ethernet[1];
	*(__u32 *)(at + 4) = of->ethernet[2];
	*(__u32 *)(at + 11) = bpf_htons(64 << 8 | 6) | (~sum & 0xffff) << 16;
	*(__u32 *)(at + 13) = source;
	*(__u32 *)(at + 15) = vip;
	*(__u32 *)(at + 17) = bpf_htons(1024 + (flow & 0x3fff)) | bpf_htons(80) << 16;
	return 1;
}

SEC("xdp.frags")
int empty(struct xdp_md *ctx)
{
	return XDP_TX;
}

SEC("xdp.frags")
int frames(struct xdp_md *ctx)
{
	return write_frame(ctx) ? XDP_TX : XDP_ABORTED;
}

#endif
