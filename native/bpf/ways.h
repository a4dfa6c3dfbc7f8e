/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The ways out, in the memory that the workers use too: ports (src/dataplane/port-table.ts) and neighbours
 * (src/dataplane/neighbor-table.ts). The main thread keeps both as the kernel's tables are; programs only read.
 *
 * A neighbour has two copies of its Ethernet words. The one that is not in force is written, then the selector flips.
 */
#ifndef SLUICE_WAYS_H
#define SLUICE_WAYS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define MAX_PORTS 16

struct port_row {
	__u32 kind;
	__u32 mac_first; /* the first four bytes of the MAC, as on the wire */
	__u32 mac_last;	 /* the last two */
	__u32 mtu;
	__u32 pair; /* the port that takes over from this one; no port at all when none does */
	__u32 addresses[8];
	__u32 tags[2]; /* VLAN tags of its frames, 0 for none */
	__u32 unused;
};

#define PORT_STACK 2 /* kind: our veth into the node's own stack */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_PORTS + 1); /* the last one is the workers' */
	__type(key, __u32);
	__type(value, struct port_row);
} port_rows SEC(".maps");

#define NEIGHBOR_VALID (1u << 0)
#define NEIGHBOR_COPY_B (1u << 1)

/* Destination MAC, then source MAC: the first twelve bytes of a frame. */
struct ethernet_words {
	__u32 words[3];
};

struct neighbor {
	__u32 address[4];
	__u32 state;
	struct ethernet_words copies[2];
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << 12);
	__type(key, __u32);
	__type(value, struct neighbor);
} neighbors SEC(".maps");

/* Port id -> its interface. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, MAX_PORTS);
	__type(key, __u32);
	__type(value, __u32);
} devices SEC(".maps");

#endif
