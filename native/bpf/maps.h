/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The maps of the datapath, with the struct of each key and value: what the kernel and user space agree on. (The
 * counters are in outcome.h.)
 *
 * Addresses, ports and VLAN tags are in network order (raw loads), everything else in host order. An address that may be
 * of either family is a `struct address`: IPv6, or IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2). User space writes all
 * maps but `reply_fragments`, `proven_sources`, `xdp_counters` and `vip_traffic`; the programs only read, but for a few words of flow rows
 * (flow_row.h).
 */
#ifndef SLUICE_MAPS_H
#define SLUICE_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "flow_row.h"

struct address {
	__u32 words[4];
};

/* Conntrack. The loader sets the real sizes, powers of two; settings has each size less one as a mask. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << 20);
	__type(key, __u32);
	__type(value, struct flow_row);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* a gateway without IPv6 pays nothing for it */
	__type(key, __u32);
	__type(value, struct flow6_row);
} flows6 SEC(".maps");

struct settings {
	__u32 hash_key0;
	__u32 hash_key1;
	__u32 flow_mask;
	__u32 flow6_mask;
	__u32 gue_port; /* UDP ports of tunnels, as on the wire, in the low half; 0 = none */
	__u32 geneve_port;
	__u32 flags;
	__u32 layout; /* of all structs here: SETTINGS_LAYOUT_NOW in src/xdp/door-maps.ts */
	__u32 sample_every; /* one of so many frames is sampled (sample.h), a power of two; 0 = none */
	__u32 source_interval; /* nanoseconds between new flows of one source; 0 = as many as it likes */
	__u32 new_flow_budget; /* flows that one CPU opens in a second; 0 = as many as come */
	__u32 reserved[5];
};

#define SETTINGS_FORWARD (1u << 0)	/* rows that are OFFLOADED are forwarded here */
#define SETTINGS_OPEN (1u << 1)		/* flows are opened here (new_flow.h) */
#define SETTINGS_OPEN_PRESSED (1u << 2) /* the same where the worker does not keep up (pressure.h) */
#define SETTINGS_CHALLENGE (1u << 3)	/* who sends a SYN must be real (challenge.h) */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

#define PORT_DROP_OTHERS (1u << 0) /* the port is ours alone (sl1): what is not for a socket is dropped */

/*
 * `vlan` has the tags that the port's frames carry, the outer one first, 0 for none. A tag is its four bytes on the
 * wire, with the three bits of priority and the DEI bit 0: 81 00 00 64 is VLAN 100.
 */
struct port {
	__u32 ifindex; /* 0 = a free place */
	__u32 id;
	__u32 flags;
	__u32 vlan[2];
	__u32 pair_ifindex; /* host-stack inside: where sluice_egress sends this uplink's replies; 0 = nowhere */
	__u32 unused[2];
};

#define PORT_PLACES 256
#define PORT_PROBE_LIMIT 16

/*
 * The port of an interface is at the interface's index modulo the size, or at one of the next places, up to the first free
 * one (src/xdp/door-ports.ts). Every frame looks here first, and a hash map, which is four function calls, takes 8 ns of 50
 * (bench/forward).
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PORT_PLACES);
	__type(key, __u32);
	__type(value, struct port);
} ports SEC(".maps");

/* NULL for an interface that is no port: its frames pass. */
static __always_inline struct port *find_port(__u32 ifindex)
{
	for (__u32 probe = 0; probe < PORT_PROBE_LIMIT; probe++) {
		__u32 place = (ifindex + probe) % PORT_PLACES;
		struct port *port = bpf_map_lookup_elem(&ports, &place);

		if (!port || !port->ifindex)
			return NULL;
		if (port->ifindex == ifindex)
			return port;
	}
	return NULL;
}

#define OWNED_SERVE (1u << 0)       /* all traffic to the address goes to the socket */
#define OWNED_RESOLVE_ALL (1u << 1) /* ARP or NDP for it is answered on every port */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} owned4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct address);
	__type(value, __u32);
} owned6 SEC(".maps");

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

struct ndp6_key {
	struct address address;
	__u32 ifindex;
};

/* NDP answered on one interface only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct ndp6_key);
	__type(value, __u8);
} ndp6 SEC(".maps");

/* What the fragments of one packet have in common (RFC 791, RFC 8200 §4.5). */
struct fragment_key {
	struct address source;
	struct address destination;
	__u32 id;      /* as on the wire: 16 bits for IPv4 */
	__u8 protocol; /* 0 for IPv6, where it is no part of the key */
	__u8 family;   /* 4 or 6 */
	__u16 unused;
};

/* Packets whose first fragment was a reply -> the second of the monotonic clock in which it came. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct fragment_key);
	__type(value, __u32);
} reply_fragments SEC(".maps");

/* An overlay of the pod network ends at the address too: only Geneve with a DSR option is for us. */
#define TUNNEL_SHARED (1u << 0)

/* Our own addresses to which other gateways may tunnel requests -> TUNNEL_* flags. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct address);
	__type(value, __u8);
} tunnels SEC(".maps");

struct prefix_key {
	__u32 length_bits; /* of the 128: an IPv4 prefix has 96 more than written */
	struct address address;
};

/* Who may. The value means nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct prefix_key);
	__type(value, __u8);
} tunnel_sources SEC(".maps");

/* Addresses of local pods to which other gateways send requests with a DSR option. The value means nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct address);
	__type(value, __u8);
} dsr_backends SEC(".maps");

/* port id * QUEUES_PER_PORT + receive queue -> socket. Port ids are 0..255 (8 bits in a flow row's egress word). */
#define QUEUES_PER_PORT 64

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 256 * QUEUES_PER_PORT);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

#endif
