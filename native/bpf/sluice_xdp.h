/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The door of the datapath, on every port. Frames of established flows it forwards itself (forward.h); for the others it
 * decides whether they go to the AF_XDP socket of their queue, and changes none of them; where the worker is not to open
 * flows, or can't, it opens them here (new_flow.h). Everything that is not ours goes to the kernel untouched, so SSH and the
 * kubelet live whatever Sluice does.
 *
 * Ours, of both families, is:
 *   - a question for the MAC address of an address answered here (resolution.h);
 *   - IP to a served address, whatever its protocol, port, fragment or length: the worker answers or drops it, for if
 *     it passed, the node would forward it back to the router;
 *   - what belongs to a backend's reply to a live flow (live_reply.h), and does not answer a connection past us
 *     (direct_answer.h);
 *   - a request of another gateway to a pod here, with a DSR option (dsr_option.h) or in a tunnel (tunnel.h);
 *   - a router's word that a packet in a tunnel of ours was too big (tunnel.h).
 *
 * On a port with VLAN tags only frames with exactly these are looked at, on one without only untagged ones. The
 * destination MAC is not looked at: the worker knows the port's address.
 */
#ifndef SLUICE_XDP_H
#define SLUICE_XDP_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "admission.h"
#include "challenge.h"
#include "direct_answer.h"
#include "dsr_option.h"
#include "forward.h"
#include "forward_reshaped.h"
#include "frame.h"
#include "live_reply.h"
#include "maps.h"
#include "new_flow.h"
#include "outcome.h"
#include "packet.h"
#include "pressure.h"
#include "resolution.h"
#include "sample.h"
#include "tunnel.h"

/* Clients on this node, behind the port that is ours alone, have addresses that are real. */
static __always_inline int asks_for_proof(const struct settings *set, const struct port *port)
{
	return set && (set->flags & SETTINGS_CHALLENGE) && !(port->flags & PORT_DROP_OTHERS);
}

static __always_inline enum outcome judge_packet(const struct frame *frame, __u8 family, const struct port *port,
						 __u32 ifindex)
{
	struct packet packet = {};
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	enum outcome tunnel;
	enum reply_kind reply;

	if (!(frame->network == ETH_HLEN && read_untagged_packet(frame->ctx, family, &packet)) &&
	    !read_header(frame, frame->network, family, &packet))
		return OUTCOME_PASS_NOT_OURS;
	if (is_served(&packet.key.destination, family))
		return !asks_for_proof(set, port) && is_over_source_limit(frame, &packet) ? OUTCOME_DROP_SOURCE_LIMIT :
											      OUTCOME_REDIRECT_OWNED;
	if (packet.traits & PACKET_MALFORMED)
		return OUTCOME_PASS_NOT_OURS;
	if (asks_by_ndp(frame, &packet, ifindex))
		return OUTCOME_REDIRECT_NDP;
	if (carries_dsr_option(frame, &packet))
		return OUTCOME_REDIRECT_DSR_OPTION;
	if (!set || !find_transport(frame, &packet))
		return OUTCOME_PASS_NOT_OURS;
	tunnel = judge_tunnel(frame, &packet, set);
	if (tunnel != OUTCOME_PASS_NOT_OURS)
		return tunnel;
	if (is_tunnel_too_big(frame, &packet, set))
		return OUTCOME_REDIRECT_TUNNEL_ERROR;
	reply = find_live_reply(frame, &packet, set);
	return reply == NO_REPLY ? OUTCOME_PASS_NOT_OURS : OUTCOME_REDIRECT_REPLY + (reply - REPLY);
}

/* Not static, for its share of the stack is free again when flows are opened. */
__noinline int judge(struct xdp_md *ctx, const struct port *port, __u32 ifindex)
{
	struct frame frame = {.ctx = ctx, .hook = IN_XDP};

	if (!port)
		return OUTCOME_PASS_NOT_OURS;
	switch (network_protocol(&frame, port, 0)) {
	case bpf_htons(ETH_P_IP):
		return judge_packet(&frame, 4, port, ifindex);
	case bpf_htons(ETH_P_IPV6):
		return judge_packet(&frame, 6, port, ifindex);
	case bpf_htons(ETH_P_ARP):
		return asks_by_arp(&frame, ifindex) ? OUTCOME_REDIRECT_ARP : OUTCOME_PASS_NOT_OURS;
	default:
		return OUTCOME_PASS_NOT_OURS;
	}
}

static __always_inline int to_socket(struct xdp_md *ctx, const struct settings *set, const struct port *port,
				     enum outcome outcome)
{
	/* A queue beyond the port's share would land on another port's socket. */
	__u32 key = port->id * QUEUES_PER_PORT + ctx->rx_queue_index;
	/* To a served address, without anybody to serve it: the node would forward it back to the router, and so on. */
	long otherwise = outcome == OUTCOME_REDIRECT_OWNED ? XDP_DROP : XDP_PASS;
	int has_queue = ctx->rx_queue_index < QUEUES_PER_PORT;
	__u32 flags = set ? set->flags : 0;
	struct queue *queue = NULL;
	long verdict;

	if (has_queue && (flags & SETTINGS_OPEN_PRESSED))
		queue = bpf_map_lookup_elem(&queues, &key);
	if (outcome == OUTCOME_REDIRECT_OWNED && ((flags & SETTINGS_OPEN) || (queue && is_pressed(queue, key)))) {
		verdict = open_in_kernel(ctx, port->id);
		if (verdict != NOT_FORWARDED) {
			if (set && verdict != XDP_DROP && is_sampled(set))
				sample_xdp(ctx, port->id);
			return verdict;
		}
	}
	verdict = has_queue ? bpf_redirect_map(&xsks, key, otherwise) : otherwise;
	if (queue && verdict == XDP_REDIRECT)
		__sync_fetch_and_add(&queue->offered, 1);
	count(verdict == XDP_REDIRECT ? outcome : OUTCOME_NO_SOCKET);
	return verdict;
}

static __always_inline int forwarded(struct xdp_md *ctx, const struct settings *set, __u32 port, int verdict)
{
	count(OUTCOME_FORWARD);
	if (is_sampled(set))
		sample_xdp(ctx, port);
	return verdict;
}

static __always_inline int open_door(struct xdp_md *ctx)
{
	__u32 ifindex = ctx->ingress_ifindex;
	struct port *port = find_port(ifindex);
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	enum outcome outcome;
	int verdict;

	if (!port) {
		count(OUTCOME_PASS_UNKNOWN_PORT);
		return XDP_PASS;
	}
	if (set && (set->flags & SETTINGS_FORWARD)) {
		verdict = port->vlan[0] ? TO_BE_RESHAPED : forward(ctx, set, port->id);
		if (verdict == TO_BE_RESHAPED)
			verdict = forward_reshaped(ctx, port->id, WRAPPED_NOT);
		if (verdict != NOT_FORWARDED)
			return forwarded(ctx, set, port->id, verdict);
	}
	outcome = judge(ctx, port, ifindex);
	if (set && (set->flags & SETTINGS_FORWARD) &&
	    (outcome == OUTCOME_REDIRECT_TUNNEL || outcome == OUTCOME_REDIRECT_DSR_OPTION)) {
		verdict = forward_reshaped(ctx, port->id,
					   outcome == OUTCOME_REDIRECT_TUNNEL ? WRAPPED_BY_TUNNEL : WRAPPED_BY_OPTION);
		if (verdict != NOT_FORWARDED)
			return forwarded(ctx, set, port->id, verdict);
	}
	if (outcome == OUTCOME_REDIRECT_OWNED && asks_for_proof(set, port))
		outcome = judge_unproven(ctx, port);
	if (outcome == OUTCOME_REDIRECT_REPLY && brings_direct_answer(ctx, port))
		outcome = OUTCOME_PASS_NOT_OURS;
	switch (outcome) {
	case OUTCOME_CHALLENGE:
		verdict = challenge(ctx, port) ? XDP_TX : XDP_DROP;
		count(verdict == XDP_TX ? outcome : OUTCOME_DROP_UNPROVEN);
		return verdict;
	case OUTCOME_PROVEN:
	case OUTCOME_DROP_SOURCE_LIMIT:
		count(outcome);
		return XDP_DROP;
	default:
		break;
	}
	if (outcome > OUTCOME_NO_SOCKET)
		return to_socket(ctx, set, port, outcome);
	if (port->flags & PORT_DROP_OTHERS) {
		count(OUTCOME_DROP_NOT_OURS);
		return XDP_DROP;
	}
	count(outcome);
	return XDP_PASS;
}

SEC("xdp.frags")
int sluice_xdp(struct xdp_md *ctx)
{
	return open_door(ctx);
}

#endif
