/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the programs forward, by VIP and direction: the counterpart of the workers' counters (src/dataplane/counters.ts). */
#ifndef SLUICE_TRAFFIC_H
#define SLUICE_TRAFFIC_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "flow_row.h"

struct direction_traffic {
	__u64 packets;
	__u64 bytes;
};

struct vip_traffic {
	struct direction_traffic request;
	struct direction_traffic reply;
	__u64 opened; /* flows, without a worker */
};

/* VIP id (the upper half of a row's owner word) -> its traffic. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << 16);
	__type(key, __u32);
	__type(value, struct vip_traffic);
} vip_traffic SEC(".maps");

static __always_inline void count_vip(__u32 owner, __u32 tag, __u32 packets, __u32 bytes)
{
	__u32 vip = owner >> 16;
	struct vip_traffic *traffic = bpf_map_lookup_elem(&vip_traffic, &vip);

	if (traffic) {
		struct direction_traffic *direction = tag & FLOW_TAG_REPLY ? &traffic->reply : &traffic->request;

		direction->packets += packets;
		direction->bytes += bytes;
	}
}

static __always_inline void count_opened(__u32 owner)
{
	__u32 vip = owner >> 16;
	struct vip_traffic *traffic = bpf_map_lookup_elem(&vip_traffic, &vip);

	if (traffic)
		traffic->opened++;
}

#endif
