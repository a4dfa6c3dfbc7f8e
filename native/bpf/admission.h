/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How many new flows there may be: of one source in any mode, and of all together where they are opened here. Established
 * flows are found before anybody asks, so a flood costs them nothing but the processor's time.
 */
#ifndef SLUICE_ADMISSION_H
#define SLUICE_ADMISSION_H

#include <linux/bpf.h>
#include <linux/tcp.h>
#include <bpf/bpf_helpers.h>
#include "clock.h"
#include "flow_lookup.h"
#include "frame.h"
#include "maps.h"
#include "packet.h"
#include "transport.h"

/*
 * A source -> the nanosecond until which its allowance is used up (GCRA, ITU-T I.371 §A: a token bucket in one word, so
 * that CPUs can share it by compare-and-swap). An IPv6 source is its /64: whoever has one address has all of them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, struct address);
	__type(value, __u64);
} sources SEC(".maps");

/* A second's worth may come at once. */
static __always_inline int is_within_allowance(const struct address *source, __u32 interval)
{
	struct address key = *source;
	__u64 now = bpf_ktime_get_coarse_ns();
	__u64 *used, before, from;

	if (!is_mapped(&key))
		key.words[2] = key.words[3] = 0;
	used = bpf_map_lookup_elem(&sources, &key);
	if (!used) {
		from = now + interval;
		bpf_map_update_elem(&sources, &key, &from, BPF_ANY);
		return 1;
	}
	before = *(volatile __u64 *)used;
	from = (__s64)(before - now) > 0 ? before : now;
	if (from - now + interval > NANOSECONDS)
		return 0;
	/* Who loses against another CPU pays nothing: a limit may be a frame off. */
	__sync_val_compare_and_swap(used, before, from + interval);
	return 1;
}

/* Whether a packet to a served address is one flow too many of its source. */
static __always_inline int is_over_source_limit(const struct frame *frame, struct packet *packet)
{
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	__u8 flags;

	if (!set || !set->source_interval || !find_transport(frame, packet) ||
	    (packet->traits & PACKET_LATER_FRAGMENT))
		return 0;
	if (packet->key.protocol == IPPROTO_TCP) {
		if (!load(frame, packet->transport + 13, &flags, sizeof(flags)) ||
		    (flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
			return 0;
	} else if (packet->key.protocol != IPPROTO_UDP || is_live(set, &packet->key)) {
		return 0;
	}
	return !is_within_allowance(&packet->key.source, set->source_interval);
}

struct budget {
	__u32 second;
	__u32 opened;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct budget);
} budgets SEC(".maps");

/* Whether this CPU may open one more flow in this second. */
static __always_inline int is_within_budget(const struct settings *set, __u32 now)
{
	__u32 zero = 0;
	struct budget *budget = bpf_map_lookup_elem(&budgets, &zero);

	if (!budget || !set->new_flow_budget)
		return 1;
	if (budget->second != now) {
		budget->second = now;
		budget->opened = 0;
	}
	return budget->opened++ < set->new_flow_budget;
}

#endif
