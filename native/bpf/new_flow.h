/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Opening a flow without the worker: the VIP's backend by Maglev, the ways out, both rows; then the frame is forwarded as
 * any other. What the workers would make of the same frame, to the word (test/native/differential-opening.test.ts).
 *
 * Only what is plain: TCP that begins with a SYN, and UDP, translated by plain NAT. Affinity, source ranges, policies,
 * other ways of balancing, direct server return, translated sources, clients on the node, segments of flows that nobody
 * knows, fragments, options and VLANs are the worker's, whatever its state. A row that a worker has opened and not
 * marked yet is marked here, so a handshake that it had begun comes to its end without it.
 */
#ifndef SLUICE_NEW_FLOW_H
#define SLUICE_NEW_FLOW_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "admission.h"
#include "clock.h"
#include "eviction.h"
#include "flow_state.h"
#include "forward.h"
#include "forward_reshaped.h"
#include "forwarding_table.h"
#include "kernel_features.h"
#include "maps.h"
#include "new_row.h"
#include "new_way.h"
#include "outcome.h"
#include "packet.h"
#include "traffic.h"
#include "transport.h"

enum opening {
	LEFT,	/* to the worker */
	OPENED, /* its frame may be forwarded now */
	REFUSED,
};

/* Everything about the flow that is being opened; too large for the stack. */
struct new_flow {
	struct flow_key request;    /* as the client sends it */
	struct flow_key translated; /* as the backend gets it */
	struct flow_key reply;      /* as the backend sends it */
	struct flow_key answer;     /* as the client gets it */
	struct choice choice;
	__u32 hash; /* of the request's key, */
	__u32 reply_hash;
	__u32 flags; /* TCP */
	__u32 request_egress;
	__u32 reply_egress;
	__u32 now;
	__u32 in_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct new_flow);
} new_flows SEC(".maps");

/* No host outside has such an address: src/dataplane/admission.ts. */
static __always_inline int is_martian(const struct address *source, __u8 family)
{
	__u32 first = source->words[family == 4 ? 3 : 0] & 0xff;

	if (family == 4)
		return first == 0 || first == 127 || first >= 224;
	if (first == 0xff || is_mapped(source))
		return 1;
	return !(source->words[0] | source->words[1] | source->words[2]) &&
	       (source->words[3] == 0 || source->words[3] == bpf_htonl(1));
}

static __always_inline int is_same(const struct address *a, const struct address *b)
{
	return same_address(a->words, b);
}

/* Reads the frame, when it is whole, plain and to this port; its flags too. */
__noinline int read_opening(struct xdp_md *ctx, const struct port_row *in, __u32 family, struct new_flow *flow)
{
	struct packet packet = {};
	__u32 header_bytes = family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	__u32 length = frame_bytes(ctx);
	void *end, *transport;
	struct iphdr *ip;
	__u32 total, ttl;

	if (!in || !flow || !read_untagged_packet(ctx, family, &packet) || packet.traits != PACKET_COMPLETE)
		return 0;
	ip = (void *)(long)ctx->data + ETH_HLEN;
	end = (void *)(long)ctx->data_end;
	transport = (void *)ip + header_bytes;
	if (transport + sizeof(struct udphdr) > end || !is_to_port((void *)(long)ctx->data, in))
		return 0;
	if (family == 4) {
		if (sum_ipv4_header((void *)ip) != 0xffff)
			return 0;
		total = bpf_ntohs(ip->tot_len);
		ttl = ip->ttl;
	} else {
		total = bpf_ntohs(((struct ipv6hdr *)ip)->payload_len) + sizeof(struct ipv6hdr);
		ttl = ((struct ipv6hdr *)ip)->hop_limit;
	}
	/* What ends here is answered by the worker. */
	if (ttl <= 1 || total + ETH_HLEN > length || total < header_bytes + sizeof(struct udphdr))
		return 0;
	flow->request = packet.key;
	flow->flags = 0;
	if (packet.key.protocol == IPPROTO_UDP)
		return is_sound_datagram(transport, total - header_bytes);
	if (packet.key.protocol != IPPROTO_TCP || transport + sizeof(struct tcphdr) > end ||
	    !is_whole_segment(transport, total - header_bytes))
		return 0;
	flow->flags = tcp_flags(transport);
	return is_plain(flow->flags) || is_valid(flow->flags);
}

/* Where the flow goes, both ways; 0 when the worker must say. */
__noinline int find_ways(const struct settings *set, struct new_flow *flow, const struct port_row *in)
{
	if (!set || !flow || !in || !choose_backend(&flow->request, flow->hash, &flow->choice))
		return 0;
	if (is_mapped(&flow->choice.address) != (flow->request.family == 4))
		return 0;
	flow->translated = flow->request;
	flow->translated.destination = flow->choice.address;
	flow->translated.ports = (flow->request.ports & 0xffff) | flow->choice.port << 16;
	flow->request_egress = way_to_backend(&flow->choice.address, in);
	if (flow->request_egress == NO_WAY)
		return 0;
	/* A backend that is the client itself, or that would answer past us: the source has to be ours. */
	if (flow->choice.source_nat != SOURCE_NAT_NONE && is_same(&flow->request.source, &flow->choice.address))
		return 0;
	if (flow->choice.source_nat == SOURCE_NAT_REMOTE && in->pair < MAX_PORTS &&
	    !(flow->request_egress & EGRESS_PAIR))
		return 0;
	flow->reply_egress = way_to_client(&flow->request.source, in, flow->request_egress);
	if (flow->reply_egress == NO_WAY)
		return 0;
	reverse_key(&flow->reply, &flow->translated);
	reverse_key(&flow->answer, &flow->request);
	flow->reply_hash = flow->request.family == 4 ? hash_of(4, set, &flow->reply) : hash_of(6, set, &flow->reply);
	return 1;
}

static __always_inline int is_same_key(const struct flow_key *a, const struct flow_key *b)
{
	return is_same(&a->source, &b->source) && is_same(&a->destination, &b->destination) && a->ports == b->ports;
}

static __always_inline void mark_offloaded(const int family, __u32 slot)
{
	__u32 *tag = tag_at(family, slot);

	if (tag)
		__sync_fetch_and_or(tag, FLOW_TAG_OFFLOADED);
}

/* Fills a claimed row and makes it visible, as one whose frames are forwarded here. */
static __always_inline int publish_in(const int family, __u32 slot, struct new_flow *flow, __u32 is_reply)
{
	struct row row;

	if (!flow || !row_at(family, slot, &row))
		return 0;
	if (family == 4)
		fill4(slot, is_reply ? &flow->reply : &flow->request, is_reply ? &flow->answer : &flow->translated);
	else
		fill6(slot, is_reply ? &flow->reply : &flow->request, is_reply ? &flow->answer : &flow->translated);
	*row.egress = is_reply ? flow->reply_egress : flow->request_egress;
	*row.owner = flow->choice.owner;
	*row.state = ((is_reply ? flow->now >> STATE_OPENED_BITS : flow->now) & STATE_OPENED_MASK) << STATE_OPENED_SHIFT;
	*row.last_seen = flow->now;
	*row.packets = 0;
	*row.bytes = 0;
	__sync_fetch_and_xor(row.tag, FLOW_TAG_LIVE | FLOW_TAG_CLAIMED | FLOW_TAG_OFFLOADED);
	return 1;
}

FOR_EITHER_FAMILY(int, publish, (__u32 slot, struct new_flow *flow, __u32 is_reply), (slot, flow, is_reply))

static __always_inline void publish(const int family, __u32 slot, struct new_flow *flow, __u32 is_reply)
{
	if (family == 4)
		publish4(slot, flow, is_reply);
	else
		publish6(slot, flow, is_reply);
}

static __always_inline int leads_back_in(const int family, __u32 slot, struct new_flow *flow)
{
	struct flow_key becomes = {};

	return flow && load_key(family, slot, 1, &becomes) && is_same_key(&becomes, &flow->answer);
}

FOR_EITHER_FAMILY(int, leads_back, (__u32 slot, struct new_flow *flow), (slot, flow))

/* The reply row: a new one, or one that an earlier opening of the same flow has left. NO_SLOT when there can be none. */
static __always_inline __u32 open_reply_in(const int family, const struct settings *set, struct new_flow *flow)
{
	__u32 slot;

	if (!set || !flow)
		return NO_SLOT;
	slot = find_other(family, set, &flow->reply, flow->reply_hash, NO_SLOT);
	if (slot != NO_SLOT) {
		if (!(family == 4 ? leads_back4(slot, flow) : leads_back6(slot, flow)))
			return NO_SLOT;
		mark_offloaded(family, slot);
		return slot;
	}
	slot = claim_row(family, set, flow->reply_hash, flow->request.protocol | FLOW_TAG_REPLY, flow->now);
	if (slot == NO_SLOT)
		return NO_SLOT;
	publish(family, slot, flow, 1);
	/* Another VIP's flow may have been given this key at the same moment. */
	if (find_other(family, set, &flow->reply, flow->reply_hash, slot) == NO_SLOT)
		return slot;
	withdraw(family, set, slot, flow->now);
	return NO_SLOT;
}

FOR_EITHER_FAMILY(__u32, open_reply, (const struct settings *set, struct new_flow *flow), (set, flow))

static __always_inline int open_request_in(const int family, const struct settings *set, struct new_flow *flow,
					   __u32 reply)
{
	__u32 request, twin;
	__u32 *load;

	if (!set || !flow)
		return 0;
	request = claim_row(family, set, flow->hash, flow->request.protocol, flow->now);
	if (request == NO_SLOT) {
		withdraw(family, set, reply, flow->now);
		return 0;
	}
	load = load_of(flow->choice.owner);
	if (load)
		__sync_fetch_and_add(load, 1);
	publish(family, request, flow, 0);
	/* The lock was taken from us, and the flow has been opened: so it stays, as in src/dataplane/flow-rows.ts. */
	twin = find_other(family, set, &flow->request, flow->hash, request);
	if (twin != NO_SLOT) {
		withdraw(family, set, request, flow->now);
		if (find_peer(family, set, twin) != reply)
			withdraw(family, set, reply, flow->now);
		return 0;
	}
	count_opened(flow->choice.owner);
	count(OUTCOME_OPEN);
	return 1;
}

FOR_EITHER_FAMILY(int, open_request, (const struct settings *set, struct new_flow *flow, __u32 reply),
		  (set, flow, reply))

/*
 * A flow that there is already: its rows are marked, so that it needs the worker no more. A client's SYN after both sides
 * have closed ends it, and after a reset it begins again with the same backend (src/dataplane/flow-tracking.ts).
 */
static __always_inline int take_over_in(const int family, const struct settings *set, struct new_flow *flow)
{
	struct row row, back;
	__u32 slot, peer;

	if (!set || !flow)
		return REFUSED;
	slot = find_other(family, set, &flow->request, flow->hash, NO_SLOT);
	if (slot == NO_SLOT || !row_at(family, slot, &row))
		return LEFT;
	if ((*row.egress & EGRESS_DSR) || (*row.tag & FLOW_TAG_REPLY) || (*row.state & STATE_WATCHED))
		return REFUSED;
	peer = find_peer(family, set, slot);
	if (peer == NO_SLOT || !row_at(family, peer, &back))
		return REFUSED;
	if (is_clients_syn(0, flow->flags) && may_begin_again(*row.state, *back.state)) {
		if (*row.state & *back.state & TCP_FIN) {
			withdraw(family, set, slot, flow->now);
			withdraw(family, set, peer, flow->now);
			return LEFT;
		}
		__sync_fetch_and_and(row.state, ~0xffu);
		__sync_fetch_and_and(back.state, ~0xffu);
	}
	mark_offloaded(family, peer);
	mark_offloaded(family, slot);
	return OPENED;
}

FOR_EITHER_FAMILY(int, take_over, (const struct settings *set, struct new_flow *flow), (set, flow))

/* Under the lock of the flow's home, so that nobody opens it twice. */
static __always_inline enum opening open_locked(const struct settings *set, struct new_flow *flow,
						const struct port_row *in)
{
	int is_ipv4 = flow->request.family == 4;
	enum opening found = is_ipv4 ? take_over4(set, flow) : take_over6(set, flow);
	__u32 reply;

	/* REFUSED: there is such a flow, and it is the worker's. */
	if (found != LEFT)
		return found == OPENED ? OPENED : LEFT;
	if (flow->request.protocol == IPPROTO_TCP && !is_clients_syn(0, flow->flags))
		return LEFT;
	if (!find_ways(set, flow, in))
		return LEFT;
	if (!is_within_budget(set, flow->now)) {
		count(OUTCOME_DROP_BUDGET);
		return REFUSED;
	}
	reply = is_ipv4 ? open_reply4(set, flow) : open_reply6(set, flow);
	if (reply == NO_SLOT)
		return LEFT;
	return (is_ipv4 ? open_request4(set, flow, reply) : open_request6(set, flow, reply)) ? OPENED : LEFT;
}

__noinline int open_flow(struct xdp_md *ctx, __u32 in_port, __u32 family)
{
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	struct new_flow *flow = bpf_map_lookup_elem(&new_flows, &zero);
	struct port_row *in = bpf_map_lookup_elem(&port_rows, &in_port);
	enum opening result;

	if (!set || !flow || !in || in->kind == PORT_STACK || in->tags[0] ||
	    !read_opening(ctx, in, family, flow))
		return LEFT;
	if (is_martian(&flow->request.source, family) ||
	    is_same(&flow->request.source, &flow->request.destination) || !(flow->request.ports & 0xffff))
		return LEFT;
	flow->now = now_seconds();
	if (family == 4) {
		flow->hash = hash_of(4, set, &flow->request);
		if (!lock_home(4, set, flow->hash))
			return LEFT;
		result = open_locked(set, flow, in);
		unlock_home(4, set, flow->hash);
	} else {
		flow->hash = hash_of(6, set, &flow->request);
		if (!lock_home(6, set, flow->hash))
			return LEFT;
		result = open_locked(set, flow, in);
		unlock_home(6, set, flow->hash);
	}
	return result;
}

__noinline int forward_opened(struct xdp_md *ctx, __u32 in_port)
{
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	int verdict = set ? forward(ctx, set, in_port) : NOT_FORWARDED;

	if (verdict != NOT_FORWARDED && verdict != TO_BE_RESHAPED)
		count(OUTCOME_FORWARD);
	return verdict;
}

/* The verdict on a frame whose flow has been opened here; NOT_FORWARDED for one that is left to the worker. */
static __always_inline int open_in_kernel(struct xdp_md *ctx, __u32 in_port)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;
	enum opening result;

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return NOT_FORWARDED;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP))
		result = open_flow(ctx, in_port, 4);
	else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6))
		result = open_flow(ctx, in_port, 6);
	else
		return NOT_FORWARDED;
	if (result == OPENED) {
		int verdict = forward_opened(ctx, in_port);

		if (verdict != TO_BE_RESHAPED)
			return verdict;
		verdict = forward_reshaped(ctx, in_port, WRAPPED_NOT);
		if (verdict != NOT_FORWARDED)
			count(OUTCOME_FORWARD);
		return verdict;
	}
	return result == REFUSED ? XDP_DROP : NOT_FORWARDED;
}

#endif
