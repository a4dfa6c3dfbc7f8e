/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Frames that change their length on the way: VLAN tags come off and go on, direct server return adds an option or a tunnel
 * (dsr_send.h), its receiving side takes them off (dsr_receive.h). What they have in common: room in front of the packet,
 * made before anything is changed, so that a frame without any is the worker's as it came; and the link header, written last.
 *
 *   as it came      | MACs | tags | type | ............... packet
 *   room made       | ................... | MACs | type | packet       tags of the port that it came by are off
 *   as it leaves    | MACs | tags | type | option or tunnel | packet
 */
#ifndef SLUICE_RESHAPE_H
#define SLUICE_RESHAPE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include "flow_find.h"
#include "frame.h"
#include "kernel_features.h"
#include "maps.h"
#include "ways.h"

#define VLAN_TAG_BYTES 4
/* Priority and drop eligibility in a raw tag: four bits that belong to the frame (IEEE 802.1Q §9.6). */
#define VLAN_PRIORITY_SHIFT 20
#define VLAN_PRIORITY 0xfu

/* The largest option, tunnel and tags together are 94 + 8 bytes. */
#define MAX_FRONT_BYTES 127

/*
 * The compiler must take a pointer into the packet as it is, and not compute it anew from what it was made of: the verifier
 * knows the bounds of the one that was compared only.
 */
#define AS_IT_IS(pointer) asm volatile("" : "+r"(pointer))

/* Not a DSR kind: the packet stays as it is. */
#define UNDRESSED 0xffu

/* A packet that is about to leave, of either family. */
struct request {
	__u32 egress;
	__u32 owner;
	__u32 row; /* index of its row's first word: a number of the flow's own */
	__u32 state;
	__u64 packets;
	__u32 flags; /* TCP */
	__u32 protocol;
	__u32 packet_bytes;
	__u32 unused;
};

/* What is known of the frame at hand, and what it is to become; too large for the stack. */
struct reshaping {
	__u32 taken[2];	       /* tags that it came with, */
	__u32 taken_bytes;
	__u32 stripped_bytes;  /* and an option that counts as part of it */
	__u32 given[2];	       /* tags that it leaves with */
	__u32 given_bytes;
	__u32 growth_bytes;    /* of option or tunnel */
	__u32 kind;	       /* DSR_*, or UNDRESSED */
	__u32 family;	       /* of the packet */
	struct request request;
	struct key6 key;
	struct ethernet_words ethernet;
	__u32 mac_first, mac_last; /* of the port that it leaves by */
	/* Where `kind` asks for them. */
	struct address served;
	__u32 served_port;
	__u32 informs; /* the option is wanted */
	struct address remote;
	struct address own;
	__u32 outer_family;
	__u32 tunnel_port; /* raw */
	__u32 vni;
	__u32 is_network_order; /* of the IPv4 option */
	__u32 entropy;
	__u32 protocol;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reshaping);
} reshapings SEC(".maps");

static __always_inline void move_macs(void *to, const void *from)
{
	struct ethernet_words macs = *(const struct ethernet_words *)from;

	*(struct ethernet_words *)to = macs;
}

/* Takes the tags of its port off a frame; 0 when it has others, and then it is as it was. */
static __always_inline int take_tags(struct xdp_md *ctx, const struct port_row *in, struct reshaping *shape)
{
	__u8 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 *tags = (void *)(data + 2 * ETH_ALEN);

	shape->taken_bytes = in->tags[0] ? (in->tags[1] ? 2 * VLAN_TAG_BYTES : VLAN_TAG_BYTES) : 0;
	shape->taken[0] = shape->taken[1] = 0;
	if (!shape->taken_bytes)
		return 1;
	if (data + ETH_HLEN + 2 * VLAN_TAG_BYTES > (__u8 *)end || (tags[0] & VLAN_TAG_MASK) != in->tags[0] ||
	    (in->tags[1] && (tags[1] & VLAN_TAG_MASK) != in->tags[1]))
		return 0;
	shape->taken[0] = tags[0];
	shape->taken[1] = tags[in->tags[1] ? 1 : 0];
	move_macs(data + (in->tags[1] ? 2 * VLAN_TAG_BYTES : VLAN_TAG_BYTES), data);
	return bpf_xdp_adjust_head(ctx, in->tags[1] ? 2 * VLAN_TAG_BYTES : VLAN_TAG_BYTES) == 0;
}

/* Undoes it, where nothing else has been changed. */
static __always_inline void return_tags(struct xdp_md *ctx, const struct reshaping *shape)
{
	__u32 *tags;
	__u8 *data;

	if (!shape->taken_bytes || bpf_xdp_adjust_head(ctx, -(int)shape->taken_bytes))
		return;
	data = (void *)(long)ctx->data;
	tags = (void *)(data + 2 * ETH_ALEN);
	if (data + ETH_HLEN + 2 * VLAN_TAG_BYTES > (__u8 *)(long)ctx->data_end)
		return;
	move_macs(data, data + (shape->taken_bytes == VLAN_TAG_BYTES ? VLAN_TAG_BYTES : 2 * VLAN_TAG_BYTES));
	tags[0] = shape->taken[0];
	if (shape->taken_bytes != VLAN_TAG_BYTES)
		tags[1] = shape->taken[1];
}

/* A tagged packet goes to the stack by way of the worker, whose veth has no tags. */
static __always_inline int may_pass(const struct port_row *in, const struct reshaping *shape)
{
	return !in->tags[0] && !shape->growth_bytes;
}

/* A frame keeps its priority from port to port. */
static __always_inline __u32 with_priority_of(__u32 tag, __u32 from)
{
	return tag | (from & VLAN_PRIORITY << VLAN_PRIORITY_SHIFT);
}

/* The link header that the frame leaves with. */
static __always_inline void set_link(struct reshaping *shape, const struct port_row *out,
				     const struct ethernet_words *ethernet)
{
	shape->ethernet = *ethernet;
	shape->mac_first = out->mac_first;
	shape->mac_last = out->mac_last;
	shape->given_bytes = out->tags[0] ? (out->tags[1] ? 2 * VLAN_TAG_BYTES : VLAN_TAG_BYTES) : 0;
	shape->given[0] = with_priority_of(out->tags[0], shape->taken[0]);
	shape->given[1] = with_priority_of(out->tags[1], shape->taken[1]);
}

/* Room for all that comes in front of the packet. `padding_bytes` behind the packet do not go into a tunnel. */
static __always_inline int make_room(struct xdp_md *ctx, const struct reshaping *shape, __u32 padding_bytes)
{
	__u32 front = shape->growth_bytes + shape->given_bytes;
	int is_tunnel = shape->kind != UNDRESSED && shape->kind != DSR_OPTION;

	if (front > MAX_FRONT_BYTES || (front && bpf_xdp_adjust_head(ctx, -(int)front)))
		return 0;
	if (!is_tunnel || !padding_bytes || bpf_xdp_adjust_tail(ctx, -(int)padding_bytes) == 0)
		return 1;
	if (front)
		bpf_xdp_adjust_head(ctx, front);
	return 0;
}

/* Where the old link header is, once there is room. */
static __always_inline void *behind_room(struct xdp_md *ctx, const struct reshaping *shape)
{
	return (void *)(long)ctx->data + ((shape->growth_bytes + shape->given_bytes) & MAX_FRONT_BYTES);
}

#endif
