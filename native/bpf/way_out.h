/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The way out of a frame that is forwarded in XDP: from its row's egress word to the verdict.
 *
 *   the backend is ...                  a request leaves by
 *   on a wire                           the port in its row, by the devmap; or XDP_TX, when that is the one it came by
 *   behind the stack, as its client is  the veth that it came by, by the devmap
 *   behind the node's own stack         XDP_PASS: the stack routes it and decrements the TTL. Its replies are
 *                                       translated where they leave (sluice_egress.h)
 */
#ifndef SLUICE_WAY_OUT_H
#define SLUICE_WAY_OUT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "dress.h"
#include "flow_row.h"
#include "reshape.h"
#include "ways.h"

/* No verdict: the frame is as it was. */
#define NOT_FORWARDED -1
/* Likewise, but the frame is one for forward_reshaped.h. */
#define TO_BE_RESHAPED -2
/* Likewise, but it is no frame for fast_path.h. */
#define UNUSUAL -3

#define EGRESS_TO_STACK -2

struct way {
	__s32 port; /* or EGRESS_TO_STACK */
	__u32 mtu;
	const struct ethernet_words *ethernet; /* not where there is a `shape`, which has a copy */
};

/*
 * Whether a packet may take the way of `egress`, which is looked up: 0, or NOT_FORWARDED, or TO_BE_RESHAPED.
 * `shape` is NULL where no frame changes its length.
 */
static __always_inline int find_way(__u32 egress, const struct port_row *in, __u32 ttl, __u32 packet_bytes,
				    struct way *way, struct reshaping *shape)
{
	__u32 port = egress & EGRESS_PAIR ? in->pair : egress & EGRESS_PORT;
	struct port_row *out = bpf_map_lookup_elem(&port_rows, &port);
	__u32 index = egress >> EGRESS_NEIGHBOR_SHIFT;
	struct neighbor *neighbor;
	__u32 state;

	if (!out || packet_bytes > out->mtu || (egress & EGRESS_KEEP_MAC))
		return NOT_FORWARDED;
	if (!shape && (out->tags[0] || (egress & EGRESS_DSR)))
		return TO_BE_RESHAPED;
	if (ttl <= 1 && (ttl == 0 || (egress & EGRESS_CHECK_TTL)))
		return NOT_FORWARDED;
	/* A redirect out of our veth is native, and not every driver takes those: the worker sends them. */
	if (in->kind == PORT_STACK && out->kind != PORT_STACK)
		return NOT_FORWARDED;
	way->mtu = out->mtu;
	if (egress & EGRESS_PAIR) {
		way->port = EGRESS_TO_STACK;
		return in->kind == PORT_STACK || (shape && !may_pass(in, shape)) ? NOT_FORWARDED : 0;
	}
	neighbor = bpf_map_lookup_elem(&neighbors, &index);
	if (!neighbor)
		return NOT_FORWARDED;
	state = *(volatile __u32 *)&neighbor->state;
	way->port = port;
	if (shape)
		set_link(shape, out, state & NEIGHBOR_COPY_B ? &neighbor->copies[1] : &neighbor->copies[0]);
	else
		way->ethernet = state & NEIGHBOR_COPY_B ? &neighbor->copies[1] : &neighbor->copies[0];
	return state & NEIGHBOR_VALID ? 0 : NOT_FORWARDED;
}

static __always_inline int leave_through(const struct way *way, const struct port_row *in, __u32 in_port)
{
	/* A veth tells its other end of transmitted frames only where that has a program; of redirected ones GRO does. */
	if ((__u32)way->port == in_port && in->kind != PORT_STACK)
		return XDP_TX;
	return bpf_redirect_map(&devices, way->port, 0);
}

static __always_inline int leave_by(const struct way *way, struct ethernet_words *ethernet, const struct port_row *in,
				    __u32 in_port)
{
	if (way->port == EGRESS_TO_STACK)
		return XDP_PASS;
	*ethernet = *way->ethernet;
	return leave_through(way, in, in_port);
}

static __always_inline int leave_dressed(struct xdp_md *ctx, const struct way *way, const struct port_row *in,
					 __u32 in_port)
{
	if (way->port == EGRESS_TO_STACK)
		return XDP_PASS;
	/* There is room for all of it: what make_room() has given. */
	return dress(ctx) ? leave_through(way, in, in_port) : XDP_DROP;
}

static __always_inline int is_to_port(const __u32 *ethernet, const struct port_row *in)
{
	return in->kind == PORT_STACK ||
	       (ethernet[0] == in->mac_first && (ethernet[1] & 0xffff) == in->mac_last);
}

#endif
