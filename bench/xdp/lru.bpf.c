// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The twin: the product's program with the flows in an LRU_HASH, as the load balancers that others know keep theirs. All
 * but the finding of a row is the product's own source. A value holds what a row does, less the key.
 */
#include "frames.h"
#include "flow_lookup.h"
#include "transport.h"

/* In place of flow_find.h. */
#define SLUICE_FLOW_FIND_H

struct key4 {
	__u32 source;
	__u32 destination;
	__u32 ports;
	__u32 tag;
};

struct key6 {
	struct address source;
	struct address destination;
	__u32 ports;
	__u32 tag;
};

struct lru_row {
	__u32 tag;
	__u32 new_source_address;
	__u32 new_destination_address;
	__u32 new_ports;
	__u32 checksum_deltas;
	__u32 egress;
	__u32 owner;
	__u32 state;
	__u32 last_seen_seconds;
	__u32 unused;
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 20);
	__type(key, struct key4);
	__type(value, struct lru_row);
} lru SEC(".maps");

static __always_inline struct lru_row *find_row4(const struct settings *set, const struct key4 *key)
{
	return bpf_map_lookup_elem(&lru, key);
}

static __always_inline struct flow6_row *find_row6(const struct settings *set, const struct key6 *key)
{
	return NULL;
}

static __always_inline struct lru_row *find_row_at4(const struct settings *set, const struct key4 *key, __u32 *slot)
{
	*slot = 0;
	return find_row4(set, key);
}

static __always_inline struct flow6_row *find_row_at6(const struct settings *set, const struct key6 *key, __u32 *slot)
{
	*slot = 0;
	return NULL;
}

/* In place of flow_state.h: no segment of the benchmark closes anything. */
#define SLUICE_FLOW_STATE_H

static __always_inline void note_flags(const int family, const struct settings *set, void *row, __u32 flags)
{
	__u32 *state = &((struct lru_row *)row)->state;

	if (family == 4 && (*(const volatile __u32 *)state & flags) != flags)
		__sync_fetch_and_or(state, flags);
}

static __always_inline int may_forward(const int family, const struct settings *set, const void *row, __u32 tag,
				       __u32 flags)
{
	return is_plain(flags);
}

/* In place of new_flow.h: the twin's own program inserts. */
#define SLUICE_NEW_FLOW_H

static __always_inline int open_in_kernel(struct xdp_md *ctx, __u32 in_port);

/* In place of direct_answer.h: the benchmark has no replies. */
#define SLUICE_DIRECT_ANSWER_H

static __always_inline int brings_direct_answer(struct xdp_md *ctx, const struct port *port)
{
	return 0;
}

#define flow_row lru_row
#include "programs.h"

static __always_inline int open_in_kernel(struct xdp_md *ctx, __u32 in_port)
{
	return NOT_FORWARDED;
}

/* Every frame is the first of a flow: its row goes in, and when the map is full another one out. */
SEC("xdp.frags")
int insert(struct xdp_md *ctx)
{
	struct key4 key = {.tag = FLOW_TAG_LIVE | IPPROTO_TCP};
	struct lru_row row = {.tag = FLOW_TAG_LIVE | IPPROTO_TCP, .last_seen_seconds = 1};
	struct iphdr *ip = (void *)(long)ctx->data + ETH_HLEN;
	__u32 *ports = (void *)(ip + 1);

	if (!write_frame(ctx) || (void *)(ports + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	key.source = ip->saddr;
	key.destination = ip->daddr;
	key.ports = *ports;
	row.new_source_address = key.source;
	row.new_ports = key.ports;
	return bpf_map_update_elem(&lru, &key, &row, BPF_ANY) ? XDP_ABORTED : XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
