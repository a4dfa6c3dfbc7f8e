// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The programs around what is measured: one that makes frames, one that counts them at the end, and the simplest
 * forwarders there can be. bench/forward/generator.c runs the first on frames that the kernel then really sends.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FRAME_BYTES 64
#define FIRST_CLIENT 0x0b000000
#define PORTS_PER_CLIENT 16384
#define FIRST_PORT 1024

struct plan {
	__u32 flows;
	__u32 ifindex;
	__u32 ip_sum;
	__u32 tcp_sum;
	__u32 next;
	__u32 random; /* 1: every frame is a SYN of a new client */
	__u8 frame[FRAME_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct plan);
} plans SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} arrived SEC(".maps"); /* frames, bytes */

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} way_out SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

static __always_inline __u16 folded(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* The pages of sent frames come back as they were left, so each frame is written whole. */
SEC("xdp")
int generate(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 zero = 0, flow, client, port, flags;
	struct plan *plan = bpf_map_lookup_elem(&plans, &zero);
	__u8 *frame = data;

	if (!plan || data + FRAME_BYTES > end)
		return XDP_ABORTED;
	if (plan->random) {
		flow = bpf_get_prandom_u32();
		flags = 0x02;
	} else {
		flow = plan->next;
		plan->next = flow + 617 >= plan->flows ? flow + 617 - plan->flows : flow + 617;
		flags = 0x10;
	}
	client = plan->random ? (flow >> 14) & 0x3ffff : flow / PORTS_PER_CLIENT;
	port = flow % PORTS_PER_CLIENT;
	__builtin_memcpy(frame, plan->frame, FRAME_BYTES);
	/* The address adds its halves to the sums; the template's client is 11.0.0.0. */
	*(__be16 *)(frame + 24) = bpf_htons(~folded(plan->ip_sum + (client >> 16) + (client & 0xffff)));
	*(__be32 *)(frame + 26) = bpf_htonl(FIRST_CLIENT + client);
	*(__be16 *)(frame + 34) = bpf_htons(FIRST_PORT + port);
	frame[47] = flags;
	*(__be16 *)(frame + 50) =
		bpf_htons(~folded(plan->tcp_sum + (client >> 16) + (client & 0xffff) + port + flags - 0x10));
	return bpf_redirect(plan->ifindex, 0);
}

static __always_inline void count(struct xdp_md *ctx)
{
	__u32 frames = 0, bytes = 1;
	__u64 *value = bpf_map_lookup_elem(&arrived, &frames);

	if (value)
		*value += 1;
	value = bpf_map_lookup_elem(&arrived, &bytes);
	if (value)
		*value += ctx->data_end - ctx->data;
}

/* What interfaces say by themselves (ARP, IPv6) is nobody's to forward. */
static __always_inline int is_ours(struct xdp_md *ctx)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;

	return (void *)(ethernet + 1) <= (void *)(long)ctx->data_end && ethernet->h_proto == bpf_htons(ETH_P_IP);
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	if (!is_ours(ctx))
		return XDP_PASS;
	count(ctx);
	return XDP_DROP;
}

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
	return is_ours(ctx) ? bpf_redirect_map(&way_out, 0, XDP_DROP) : XDP_PASS;
}

SEC("xdp")
int to_socket(struct xdp_md *ctx)
{
	return is_ours(ctx) ? bpf_redirect_map(&sockets, 0, XDP_DROP) : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
