/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Replies of local pods to established flows, translated where they leave the node: the other half of what forward.h
 * passes to the stack. The MACs are right and the TTL has been decremented: the stack has routed the packet.
 *
 * A frame here may be a superframe of many segments, and its transport checksum may be unfinished: then the field holds
 * the sum of the pseudo-header, in which only the addresses count. The kernel's helpers know which it is, so the row's
 * delta is split into that of the addresses (BPF_F_PSEUDO_HDR) and that of the ports.
 */
#ifndef SLUICE_EGRESS_FORWARD_H
#define SLUICE_EGRESS_FORWARD_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "checksum.h"
#include "clock.h"
#include "flow_find.h"
#include "flow_state.h"
#include "maps.h"
#include "segment_size.h"
#include "traffic.h"
#include "transport.h"
#include "ways.h"

struct outgoing {
	__u32 transport; /* offset */
	__u32 header_bytes; /* up to the payload */
	__u32 flags; /* TCP */
	__u8 protocol;
};

/* What the row's delta says, less what the ports' part of it is. */
static __always_inline __u32 address_delta(__u32 delta, __u32 ports_delta)
{
	return fold(delta + (~ports_delta & 0xffff));
}

/* The transport header of an outgoing packet, when it is one that is forwarded here. */
static __always_inline int read_outgoing(const struct __sk_buff *skb, __u32 transport, struct outgoing *out)
{
	void *at = (void *)(long)skb->data + transport;
	void *end = (void *)(long)skb->data_end;
	__u32 payload = skb->len - transport;

	out->transport = transport;
	if (out->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = at;

		if ((void *)(tcp + 1) > end || !is_whole_segment(tcp, payload))
			return 0;
		out->flags = tcp_flags(tcp);
		out->header_bytes = transport + tcp_header_bytes(tcp);
		return 1;
	}
	struct udphdr *udp = at;

	/* The length of a superframe is that of all its datagrams, or of none. */
	if ((void *)(udp + 1) > end || (skb->gso_segs <= 1 && !is_sound_datagram(udp, payload)))
		return 0;
	out->flags = 0;
	out->header_bytes = transport + sizeof(*udp);
	return 1;
}

/* Whether a reply that is a SYN may leave as it is: a worker lowers its segment size otherwise. */
static __always_inline int is_modest(const struct __sk_buff *skb, const struct outgoing *out)
{
	struct tcphdr *tcp = (void *)(long)skb->data + out->transport;
	void *end = (void *)(long)skb->data_end;
	__u32 ifindex = skb->ifindex;
	struct port *port = bpf_map_lookup_elem(&ports, &ifindex);
	struct port_row *uplink, *stack;

	if (!(out->flags & TCP_SYN))
		return 1;
	uplink = port ? bpf_map_lookup_elem(&port_rows, &port->id) : NULL;
	stack = uplink ? bpf_map_lookup_elem(&port_rows, &uplink->pair) : NULL;
	return stack && (void *)(tcp + 1) <= end &&
	       has_modest_mss(tcp, end, mss_limit(uplink->mtu, stack->mtu, out->transport - ETH_HLEN));
}

static __always_inline void change_checksum(struct __sk_buff *skb, const struct outgoing *out, __u32 addresses,
					    __u32 ports)
{
	__u32 at = out->transport + (out->protocol == IPPROTO_TCP ? offsetof(struct tcphdr, check) :
								     offsetof(struct udphdr, check));
	__u64 flags = out->protocol == IPPROTO_TCP ? 0 : BPF_F_MARK_MANGLED_0;

	bpf_l4_csum_replace(skb, at, 0, addresses, flags | BPF_F_PSEUDO_HDR);
	bpf_l4_csum_replace(skb, at, 0, ports, flags);
}

static __always_inline __u32 frames_of(const struct __sk_buff *skb)
{
	return skb->gso_segs > 1 ? skb->gso_segs : 1;
}

/* Bytes on the wire: each frame of a superframe has the headers. */
static __always_inline __u32 bytes_of(const struct __sk_buff *skb, const struct outgoing *out)
{
	return skb->len + (frames_of(skb) - 1) * out->header_bytes;
}

static __always_inline int is_forwarded_reply(__u32 tag, __u32 egress)
{
	const __u32 both = FLOW_TAG_REPLY | FLOW_TAG_OFFLOADED;

	return (tag & both) == both && (egress & EGRESS_KEEP_MAC) && !(egress & EGRESS_DSR);
}

static __always_inline int forward_reply4(struct __sk_buff *skb, const struct settings *set)
{
	void *end = (void *)(long)skb->data_end;
	struct iphdr *ip = (void *)(long)skb->data + ETH_HLEN;
	__u32 *ports = (void *)(ip + 1);
	struct outgoing out = {};
	__u32 tag, ports_change, new_ports;
	__u32 addresses[2];
	struct flow_row *row;
	struct key4 key;

	if ((void *)(ports + 2) > end || *(__u8 *)ip != 0x45 || (ip->frag_off & bpf_htons(0x3fff)) || !ip->ttl ||
	    (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP))
		return 0;
	out.protocol = ip->protocol;
	key.source = ip->saddr;
	key.destination = ip->daddr;
	key.ports = *ports;
	key.tag = FLOW_TAG_LIVE | ip->protocol;
	row = find_row4(set, &key);
	if (!row)
		return 0;
	tag = tag_of(&row->tag);
	if (!is_forwarded_reply(tag, row->egress) || !read_outgoing(skb, ETH_HLEN + sizeof(*ip), &out) ||
	    (out.protocol == IPPROTO_TCP && (!may_forward(4, set, row, tag, out.flags) || !is_modest(skb, &out))))
		return 0;
	addresses[0] = row->new_source_address;
	addresses[1] = row->new_destination_address;
	new_ports = row->new_ports;
	ports_change = word_delta(key.ports, new_ports);
	count_row(&row->packets, &row->bytes, &row->last_seen_seconds, frames_of(skb), bytes_of(skb, &out),
		  now_seconds());
	note_flags(4, set, row, out.flags);
	count_vip(row->owner, tag, frames_of(skb), bytes_of(skb, &out));

	bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), 0, row->checksum_deltas & 0xffff, 0);
	change_checksum(skb, &out, row->checksum_deltas & 0xffff, ports_change);
	bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct iphdr, saddr), addresses, sizeof(addresses), 0);
	bpf_skb_store_bytes(skb, out.transport, &new_ports, sizeof(new_ports), 0);
	return 1;
}

static __always_inline int forward_reply6(struct __sk_buff *skb, const struct settings *set)
{
	void *end = (void *)(long)skb->data_end;
	struct ipv6hdr *ip = (void *)(long)skb->data + ETH_HLEN;
	__u32 *ports = (void *)(ip + 1);
	struct outgoing out = {};
	__u32 tag, ports_change, new_ports;
	struct address addresses[2];
	struct flow6_row *row;
	struct key6 key;

	if ((void *)(ports + 2) > end || *(__u8 *)ip >> 4 != 6 || !ip->hop_limit ||
	    (ip->nexthdr != IPPROTO_TCP && ip->nexthdr != IPPROTO_UDP))
		return 0;
	out.protocol = ip->nexthdr;
	key.source = *(struct address *)&ip->saddr;
	key.destination = *(struct address *)&ip->daddr;
	key.ports = *ports;
	key.tag = FLOW_TAG_LIVE | ip->nexthdr;
	row = find_row6(set, &key);
	if (!row)
		return 0;
	tag = tag_of(&row->tag);
	if (!is_forwarded_reply(tag, row->egress) || !read_outgoing(skb, ETH_HLEN + sizeof(*ip), &out) ||
	    (out.protocol == IPPROTO_TCP && (!may_forward(6, set, row, tag, out.flags) || !is_modest(skb, &out))))
		return 0;
	addresses[0] = *(struct address *)row->new_source_address;
	addresses[1] = *(struct address *)row->new_destination_address;
	new_ports = row->new_ports;
	ports_change = word_delta(key.ports, new_ports);
	count_row(&row->packets, &row->bytes, &row->last_seen_seconds, frames_of(skb), bytes_of(skb, &out),
		  now_seconds());
	note_flags(6, set, row, out.flags);
	count_vip(row->owner, tag, frames_of(skb), bytes_of(skb, &out));

	change_checksum(skb, &out, address_delta(row->checksum_delta, ports_change), ports_change);
	bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, saddr), addresses, sizeof(addresses), 0);
	bpf_skb_store_bytes(skb, out.transport, &new_ports, sizeof(new_ports), 0);
	return 1;
}

/* Whether the packet, which begins right behind the Ethernet header, has been translated and may leave. */
static __always_inline int forward_reply(struct __sk_buff *skb, const struct settings *set, __u16 protocol)
{
	__u32 headers = ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct tcphdr);

	if ((void *)(long)skb->data + headers > (void *)(long)skb->data_end)
		bpf_skb_pull_data(skb, skb->len < headers ? skb->len : headers);
	if (protocol == bpf_htons(ETH_P_IP))
		return forward_reply4(skb, set);
	return protocol == bpf_htons(ETH_P_IPV6) && forward_reply6(skb, set);
}

#endif
