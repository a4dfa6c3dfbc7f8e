/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The ways out of a flow that is opened here: src/dataplane/way-out.ts, for plain NAT between a wire and a wire or the
 * node's own stack. Clients of the node itself, and what has no route or neighbour, are the worker's.
 */
#ifndef SLUICE_NEW_WAY_H
#define SLUICE_NEW_WAY_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "address_hash.h"
#include "flow_row.h"
#include "maps.h"
#include "packet.h"
#include "ways.h"

#define ROUTE_ON_LINK 0xfffffffeu

struct route {
	__u32 port;
	__u32 gateway; /* its index among the neighbours, or ROUTE_ON_LINK */
	__u32 length_bits; /* of the prefix that matched */
};

/* The FIB: src/dataplane/fib.ts, by difference (src/agent/route-map.ts). */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 17);
	__type(key, struct prefix_key);
	__type(value, struct route);
} routes SEC(".maps");

#define NO_NEIGHBOR 0xffffffffu
#define NO_WAY 0xffffffffu
#define NEIGHBOR_ROWS (1 << 12)
#define NEIGHBOR_PROBE_LIMIT 32
#define NEIGHBOR_USED (1u << 3)
#define NEIGHBOR_PORT_SHIFT 8
#define MAPPED_LENGTH_BITS 96

static __always_inline const struct route *find_route(const struct address *address)
{
	struct prefix_key key = {.length_bits = 128, .address = *address};
	const struct route *route = bpf_map_lookup_elem(&routes, &key);

	/* The IPv6 default route holds the mapped addresses too, but no IPv4 packet goes by it. */
	return route && is_mapped(address) && route->length_bits < MAPPED_LENGTH_BITS ? NULL : route;
}

static __always_inline __u32 find_neighbor(const struct address *address, __u32 port)
{
	__u32 index = mix_address(address, port);

	for (int step = 0; step < NEIGHBOR_PROBE_LIMIT; step++, index++) {
		__u32 place = index & (NEIGHBOR_ROWS - 1);
		struct neighbor *row = bpf_map_lookup_elem(&neighbors, &place);
		__u32 state;

		if (!row)
			return NO_NEIGHBOR;
		state = *(volatile __u32 *)&row->state;
		if (!(state & NEIGHBOR_USED))
			return NO_NEIGHBOR;
		if (state >> NEIGHBOR_PORT_SHIFT == port && same_address(row->address, address))
			return place;
	}
	return NO_NEIGHBOR;
}

/* By route and next hop. */
static __always_inline __u32 way_to(const struct address *address, const struct route *route)
{
	__u32 neighbor = route->gateway == ROUTE_ON_LINK ? find_neighbor(address, route->port) : route->gateway;

	if (neighbor == NO_NEIGHBOR)
		return NO_WAY;
	return neighbor << EGRESS_NEIGHBOR_SHIFT | EGRESS_DECREMENT_TTL | EGRESS_CHECK_TTL | route->port;
}

/* The way of requests to a backend, for what came in by a wire. */
static __always_inline __u32 way_to_backend(const struct address *backend, const struct port_row *in)
{
	const struct route *route = find_route(backend);
	struct address stack = {};
	__u32 neighbor;

	if (in->pair >= MAX_PORTS || (route && route->port != in->pair))
		return route ? way_to(backend, route) : NO_WAY;
	neighbor = find_neighbor(&stack, in->pair);
	return neighbor == NO_NEIGHBOR ? NO_WAY :
					 neighbor << EGRESS_NEIGHBOR_SHIFT | EGRESS_PAIR | EGRESS_CHECK_TTL;
}

/* The way of replies to a client. */
static __always_inline __u32 way_to_client(const struct address *client, const struct port_row *in,
					   __u32 request_egress)
{
	const struct route *route = find_route(client);

	/* The node itself or a pod of it. */
	if (in->pair < MAX_PORTS && route && route->port == in->pair)
		return NO_WAY;
	if (request_egress & EGRESS_PAIR)
		return EGRESS_PAIR | EGRESS_KEEP_MAC;
	return route ? way_to(client, route) : NO_WAY;
}

#endif
