/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Every map of the datapath, with the struct of each key and value: what the kernel and user space agree on.
 *
 * Addresses and ports are in network order (raw loads), everything else in host order. User space writes all of them
 * but `xdp_counters`; the programs only read.
 */
#ifndef SLUICE_MAPS_H
#define SLUICE_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "flow_row.h"

/* Conntrack. The loader sets the real size, a power of two; settings.flow_mask is that size less one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << 20);
	__type(key, __u32);
	__type(value, struct flow_row);
} flows SEC(".maps");

struct settings {
	__u32 hash_key0;
	__u32 hash_key1;
	__u32 flow_mask;
	__u32 inside_ifindex; /* host-stack inside: where sluice_egress sends replies; 0 = nowhere */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

#define PORT_DROP_OTHERS (1u << 0) /* the port is ours alone (sl1): what is not for a socket is dropped */

struct port {
	__u32 id;
	__u32 flags;
};

/* Interface index -> port. A frame of an interface that is not here passes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct port);
} ports SEC(".maps");

#define OWNED_SERVE (1u << 0)   /* all IPv4 traffic to the address goes to the socket */
#define OWNED_ARP_ALL (1u << 1) /* ARP for it is answered on every port */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} owned4 SEC(".maps");

struct arp4_key {
	__u32 address;
	__u32 ifindex;
};

/* ARP answered on one interface only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct arp4_key);
	__type(value, __u8);
} arp4 SEC(".maps");

/* port id * QUEUES_PER_PORT + receive queue -> socket. Port ids are 0..255 (8 bits in a flow row's egress word). */
#define QUEUES_PER_PORT 64

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 256 * QUEUES_PER_PORT);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

/* What became of a frame; the index into xdp_counters. src/xdp/xdp-counters.ts names them in the same order. */
enum outcome {
	OUTCOME_PASS_UNKNOWN_PORT,
	OUTCOME_PASS_NOT_OURS,
	OUTCOME_DROP_NOT_OURS, /* PORT_DROP_OTHERS */
	OUTCOME_NO_SOCKET,     /* ours, but no socket on that queue: passed */
	OUTCOME_REDIRECT_ARP,
	OUTCOME_REDIRECT_OWNED,
	OUTCOME_REDIRECT_REPLY,
	OUTCOME_EGRESS_REPLY, /* sluice_egress took it from the stack */
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
