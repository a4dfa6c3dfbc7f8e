// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The product's XDP program behind the frames of the benchmark. */
#include "programs.h"

/* What finding a flow costs by itself. */
SEC("xdp.frags")
int lookup(struct xdp_md *ctx)
{
	struct key4 key = {.tag = FLOW_TAG_LIVE | IPPROTO_TCP};
	struct iphdr *ip = (void *)(long)ctx->data + ETH_HLEN;
	__u32 *ports = (void *)(ip + 1);
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	struct flow_row *row;

	if (!set || !write_frame(ctx) || (void *)(ports + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	key.source = ip->saddr;
	key.destination = ip->daddr;
	key.ports = *ports;
	row = find_row4(set, &key);
	return row && row->owner != ~0u ? XDP_TX : XDP_ABORTED;
}

/*
 * Every frame is the first of a flow: a row goes in as the product's program writes it, the half of a flow. Rows go out as
 * they do in the product, not here: expiry looks over the table between two runs (bench/xdp.ts).
 */
SEC("xdp.frags")
int insert(struct xdp_md *ctx)
{
	struct iphdr *ip = (void *)(long)ctx->data + ETH_HLEN;
	__u32 *ports = (void *)(ip + 1);
	__u32 zero = 0, slot, hash;
	struct bench *of = bpf_map_lookup_elem(&bench, &zero);
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	struct new_flow *flow = bpf_map_lookup_elem(&new_flows, &zero);

	if (!of || !set || !flow || !write_frame(ctx) || (void *)(ports + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	map_ipv4(&flow->reply.source, ip->saddr);
	map_ipv4(&flow->reply.destination, ip->daddr);
	flow->reply.ports = *ports;
	flow->reply.protocol = IPPROTO_TCP;
	flow->answer = flow->reply;
	flow->answer.source.words[3] ^= 1;
	flow->now = of->now;
	hash = hash_of(4, set, &flow->reply);
	if (find_other4(set, &flow->reply, hash, NO_SLOT) != NO_SLOT)
		return XDP_ABORTED;
	slot = claim_row(4, set, hash, IPPROTO_TCP | FLOW_TAG_REPLY, flow->now);
	if (slot == NO_SLOT)
		return XDP_ABORTED;
	publish4(slot, flow, 1);
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
