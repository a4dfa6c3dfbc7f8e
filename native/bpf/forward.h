/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Forwarding of established flows in XDP: what src/dataplane/forward.ts does with a frame whose row is OFFLOADED, to the
 * byte (test/native/differential.test.ts holds the two together).
 *
 * Only the plain case is done here: to the port's MAC, no options or extension headers, no fragment, TCP or UDP, all of it
 * right. Whatever else a frame is, nothing has been changed and it goes on as if this did not exist: the worker knows what
 * to do. Nearly all that are plain take the short way of fast_path.h, which comes first. The same source is compiled twice:
 * for frames that stay as long as they are, and for those that VLAN tags or direct server return make longer or shorter
 * (forward_reshaped.h).
 */
#ifndef SLUICE_FORWARD_H
#define SLUICE_FORWARD_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "checksum.h"
#include "clock.h"
#include "dsr_send.h"
#include "fast_path.h"
#include "flow_find.h"
#include "flow_state.h"
#include "kernel_features.h"
#include "maps.h"
#include "reshape.h"
#include "segment_size.h"
#include "traffic.h"
#include "translate.h"
#include "transport.h"
#include "way_out.h"

/* `shape` is NULL, and known to be when compiling, or the work place of a frame that changes its length. */
static __always_inline int forward_ipv4(struct xdp_md *ctx, const struct settings *set, const struct port_row *in,
					__u32 in_port, struct reshaping *shape)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	struct tcphdr *tcp = (void *)(ip + 1);
	struct udphdr *udp = (void *)(ip + 1);
	__u32 *words = (void *)ip;
	__u32 *ports = (void *)(ip + 1);
	__u32 length = end - data;
	__u32 total, payload, delta, egress;
	struct flow_row *row;
	struct key4 key;
	struct way way;
	__u32 tag, slot;
	int found;

	if ((void *)(udp + 1) > end || (*(__u8 *)ip) != 0x45 || (ip->frag_off & bpf_htons(0x3fff)))
		return NOT_FORWARDED;
	key.source = ip->saddr;
	key.destination = ip->daddr;
	key.ports = *ports;
	key.tag = FLOW_TAG_LIVE | ip->protocol;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return NOT_FORWARDED;
	row = shape ? find_row_at4(set, &key, &slot) : find_row4(set, &key);
	if (!row)
		return NOT_FORWARDED;
	tag = tag_of(&row->tag);
	if (!(tag & FLOW_TAG_OFFLOADED) || !is_to_port(data, in) || sum_ipv4_header(words) != 0xffff)
		return NOT_FORWARDED;
	total = bpf_ntohs(ip->tot_len);
	if (total + ETH_HLEN > length) {
		length = frame_bytes(ctx);
		if (total + ETH_HLEN > length)
			return NOT_FORWARDED;
	}
	if (total < sizeof(*ip) + sizeof(*udp))
		return NOT_FORWARDED;
	payload = total - sizeof(*ip);
	if (ip->protocol == IPPROTO_TCP) {
		if ((void *)(tcp + 1) > end || !is_whole_segment(tcp, payload) ||
		    !may_forward(4, set, row, tag, tcp_flags(tcp)))
			return NOT_FORWARDED;
	} else if (!is_sound_datagram(udp, payload)) {
		return NOT_FORWARDED;
	}
	egress = *(volatile __u32 *)&row->egress;
	if (shape) {
		shape->request = (struct request){egress, row->owner, slot * (sizeof(*row) / 4), row->state, row->packets,
						  0, ip->protocol, total + shape->stripped_bytes, 0};
		if (ip->protocol == IPPROTO_TCP && (void *)(tcp + 1) <= end)
			shape->request.flags = tcp_flags(tcp);
		map_ipv4(&shape->served, key.destination);
		shape->served_port = key.ports >> 16;
		if (!plan_dress() ||
		    (is_to_be_sealed(shape) && !is_sealable(ip->protocol, tcp, end, payload, row->checksum_deltas >> 16)))
			return NOT_FORWARDED;
		total += shape->stripped_bytes + shape->growth_bytes;
	}
	found = find_way(egress, in, ip->ttl, total, &way, shape);
	if (found)
		return found;
	if (ip->protocol == IPPROTO_TCP && (void *)(tcp + 1) <= end && (tcp_flags(tcp) & TCP_SYN) &&
	    !(shape && sends_dsr(egress)) &&
	    !limit_segment_size(tcp, end, mss_limit(in->mtu, way.mtu, sizeof(*ip))))
		return NOT_FORWARDED;
	if (shape) {
		if (!make_room(ctx, shape, length - ETH_HLEN - payload - sizeof(*ip)))
			return NOT_FORWARDED;
		length += shape->stripped_bytes;
		data = behind_room(ctx, shape);
		end = (void *)(long)ctx->data_end;
		ip = data + ETH_HLEN;
		tcp = (void *)(ip + 1);
		udp = (void *)(ip + 1);
		ports = (void *)(ip + 1);
		if ((void *)(udp + 1) > end)
			return XDP_DROP;
	}

	delta = translate4(ip, ports, row, egress);
	/* The verifier has forgotten that the header is there. */
	if (ip->protocol == IPPROTO_TCP && (void *)(tcp + 1) <= end) {
		tcp->check = apply_delta(tcp->check, delta);
		note_flags(4, set, row, tcp_flags(tcp));
	} else {
		update_udp_checksum(udp, delta);
	}
	count_row(&row->packets, &row->bytes, &row->last_seen_seconds, 1, length, now_seconds());
	count_vip(row->owner, tag, 1, length);
	return shape ? leave_dressed(ctx, &way, in, in_port) : leave_by(&way, data, in, in_port);
}

static __always_inline int forward_ipv6(struct xdp_md *ctx, const struct settings *set, const struct port_row *in,
					__u32 in_port, struct reshaping *shape)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip = data + ETH_HLEN;
	struct tcphdr *tcp = (void *)(ip + 1);
	struct udphdr *udp = (void *)(ip + 1);
	__u32 *ports = (void *)(ip + 1);
	__u32 length = end - data;
	struct flow6_row *row;
	struct key6 own_key;
	struct key6 *key = shape ? &shape->key : &own_key; /* there is little room on the stack */
	struct way way;
	__u32 payload, egress, tag, slot, total, delta;
	int found;

	if ((void *)(udp + 1) > end || (*(__u8 *)ip >> 4) != 6 ||
	    (ip->nexthdr != IPPROTO_TCP && ip->nexthdr != IPPROTO_UDP))
		return NOT_FORWARDED;
	key->source = *(struct address *)&ip->saddr;
	key->destination = *(struct address *)&ip->daddr;
	key->ports = *ports;
	key->tag = FLOW_TAG_LIVE | ip->nexthdr;
	row = shape ? find_row_at6(set, key, &slot) : find_row6(set, key);
	if (!row)
		return NOT_FORWARDED;
	tag = tag_of(&row->tag);
	if (!(tag & FLOW_TAG_OFFLOADED) || !is_to_port(data, in))
		return NOT_FORWARDED;
	payload = bpf_ntohs(ip->payload_len);
	if (payload + sizeof(*ip) + ETH_HLEN > length) {
		length = frame_bytes(ctx);
		if (payload + sizeof(*ip) + ETH_HLEN > length)
			return NOT_FORWARDED;
	}
	if (ip->nexthdr == IPPROTO_TCP) {
		if ((void *)(tcp + 1) > end || !is_whole_segment(tcp, payload) ||
		    !may_forward(6, set, row, tag, tcp_flags(tcp)))
			return NOT_FORWARDED;
	} else if (!is_sound_datagram(udp, payload)) {
		return NOT_FORWARDED;
	}
	egress = *(volatile __u32 *)&row->egress;
	total = payload + sizeof(*ip);
	if (shape) {
		shape->request = (struct request){egress, row->owner, slot * (sizeof(*row) / 4), row->state, row->packets,
						  0, ip->nexthdr, total + shape->stripped_bytes, 0};
		if (ip->nexthdr == IPPROTO_TCP && (void *)(tcp + 1) <= end)
			shape->request.flags = tcp_flags(tcp);
		shape->served = key->destination;
		shape->served_port = key->ports >> 16;
		if (!plan_dress() ||
		    (is_to_be_sealed(shape) && !is_sealable(ip->nexthdr, tcp, end, payload, row->checksum_delta)))
			return NOT_FORWARDED;
		total += shape->stripped_bytes + shape->growth_bytes;
	}
	found = find_way(egress, in, ip->hop_limit, total, &way, shape);
	if (found)
		return found;
	if (ip->nexthdr == IPPROTO_TCP && (void *)(tcp + 1) <= end && (tcp_flags(tcp) & TCP_SYN) &&
	    !(shape && sends_dsr(egress)) &&
	    !limit_segment_size(tcp, end, mss_limit(in->mtu, way.mtu, sizeof(*ip))))
		return NOT_FORWARDED;
	if (shape) {
		if (!make_room(ctx, shape, length - ETH_HLEN - payload - sizeof(*ip)))
			return NOT_FORWARDED;
		length += shape->stripped_bytes;
		data = behind_room(ctx, shape);
		end = (void *)(long)ctx->data_end;
		ip = data + ETH_HLEN;
		tcp = (void *)(ip + 1);
		udp = (void *)(ip + 1);
		ports = (void *)(ip + 1);
		if ((void *)(udp + 1) > end)
			return XDP_DROP;
	}

	delta = translate6(ip, ports, row, egress);
	/* The verifier has forgotten that the header is there. */
	if (ip->nexthdr == IPPROTO_TCP && (void *)(tcp + 1) <= end) {
		tcp->check = apply_delta(tcp->check, delta);
		note_flags(6, set, row, tcp_flags(tcp));
	} else {
		update_udp_checksum(udp, delta);
	}
	count_row(&row->packets, &row->bytes, &row->last_seen_seconds, 1, length, now_seconds());
	count_vip(row->owner, tag, 1, length);
	return shape ? leave_dressed(ctx, &way, in, in_port) : leave_by(&way, data, in, in_port);
}

/* Not static, as what follows: the verifier looks at it once, and what is run seldom does not lie between what always is. */
__noinline int forward_unusual4(struct xdp_md *ctx, __u32 in_port)
{
	struct port_row *in = bpf_map_lookup_elem(&port_rows, &in_port);
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);

	return set && in ? forward_ipv4(ctx, set, in, in_port, NULL) : NOT_FORWARDED;
}

/* Both ways in one, for the stack has no room for more calls. */
__noinline int forward6(struct xdp_md *ctx, __u32 in_port)
{
	struct port_row *in = bpf_map_lookup_elem(&port_rows, &in_port);
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	int verdict;

	if (!set || !in)
		return NOT_FORWARDED;
	verdict = forward_usual6(ctx, set, in, in_port);
	return verdict == UNUSUAL ? forward_ipv6(ctx, set, in, in_port, NULL) : verdict;
}

/* The XDP verdict on a frame that is forwarded as long as it came; NOT_FORWARDED or TO_BE_RESHAPED for every other. */
static __always_inline int forward(struct xdp_md *ctx, const struct settings *set, __u32 in_port)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;
	struct port_row *in = bpf_map_lookup_elem(&port_rows, &in_port);
	int verdict;

	if (!in || (void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return NOT_FORWARDED;
	if (ethernet->h_proto == bpf_htons(ETH_P_IPV6))
		return forward6(ctx, in_port);
	if (ethernet->h_proto != bpf_htons(ETH_P_IP))
		return NOT_FORWARDED;
	verdict = forward_usual4(ctx, set, in, in_port);
	return verdict == UNUSUAL ? forward_unusual4(ctx, in_port) : verdict;
}

#endif
