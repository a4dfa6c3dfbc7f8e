/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A frame as both programs see it: bytes at offsets, and the packet behind the Ethernet header and the port's VLAN tags.
 *
 * Bytes are copied by helpers, not read through pointers into the packet: the same parser then serves XDP and tc,
 * offsets may vary without tiring the verifier, and headers in a later part of a frame (multi-buffer, superframes) are
 * found too. Only the most frequent frames are read in place as well, by XDP.
 */
#ifndef SLUICE_FRAME_H
#define SLUICE_FRAME_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "kernel_features.h"
#include "maps.h"

/* Which kind of context: known when compiling, so that each program keeps only the helper that its hook has. */
#define IN_XDP 0
#define IN_TC 1

struct frame {
	void *ctx;
	__u32 hook;
	__u32 network; /* offset of the packet, once network_protocol() has found it */
};

/* Copies bytes of the frame; 0 when it ends before them. */
static __always_inline int load(const struct frame *frame, __u32 offset, void *into, __u32 length_bytes)
{
	if (frame->hook == IN_XDP)
		return load_xdp(frame->ctx, offset, into, length_bytes);
	return bpf_skb_load_bytes(frame->ctx, offset, into, length_bytes) == 0;
}

/* The bits of a tag that name a VLAN: its EtherType and its number (IEEE 802.1Q §9.6). */
#define VLAN_TAG_MASK bpf_htonl(0xffff0fff)

/*
 * The EtherType behind exactly the tags of the port, in network order; 0 when the frame carries others. `lifted` is a
 * tag that the kernel keeps beside the frame, or 0.
 */
static __always_inline __u16 network_protocol(struct frame *frame, const struct port *port, __u32 lifted)
{
	__u32 at = 2 * ETH_ALEN;
	__u16 protocol;

	if (frame->hook == IN_XDP && !port->vlan[0]) {
		struct xdp_md *ctx = frame->ctx;
		struct ethhdr *ethernet = (void *)(long)ctx->data;

		frame->network = sizeof(*ethernet);
		return (void *)(ethernet + 1) <= (void *)(long)ctx->data_end ? ethernet->h_proto : 0;
	}
	if (port->vlan[0]) {
		__u32 outer = lifted;

		if (!lifted) {
			if (!load(frame, at, &outer, sizeof(outer)))
				return 0;
			at += sizeof(outer);
		}
		if ((outer & VLAN_TAG_MASK) != port->vlan[0])
			return 0;
		if (port->vlan[1]) {
			__u32 inner;

			if (!load(frame, at, &inner, sizeof(inner)) || (inner & VLAN_TAG_MASK) != port->vlan[1])
				return 0;
			at += sizeof(inner);
		}
	} else if (lifted) {
		return 0;
	}
	if (!load(frame, at, &protocol, sizeof(protocol)))
		return 0;
	frame->network = at + sizeof(protocol);
	return protocol;
}

#endif
