/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * An IP packet of either family, read into one form. The same two steps read the packet of a frame, the packet in a
 * tunnel and the packet that an ICMP error quotes:
 *
 *   read_header(frame, offset, family, &packet)     addresses, fragmentation (IPv4), where the next header is
 *   find_transport(frame, &packet)                  walks IPv6 extension headers, reads the ports
 *
 * Lengths and checksums are not looked at: that is the worker's part.
 */
#ifndef SLUICE_PACKET_H
#define SLUICE_PACKET_H

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "flow_lookup.h"
#include "frame.h"

#define PACKET_MALFORMED (1u << 0)      /* version, header length or addresses cannot be: only the latter are known */
#define PACKET_MORE_FRAGMENTS (1u << 1) /* a fragment, and not the last one */
#define PACKET_LATER_FRAGMENT (1u << 2) /* has an offset, so no transport header */
#define PACKET_COMPLETE (1u << 3)       /* the ports are known already */

struct packet {
	struct flow_key key;
	__u32 transport; /* offset of the header that key.protocol names */
	__u32 fragment_id;
	__u32 traits;
};

/* Extension headers looked over: real packets have one or two, and each costs a load. */
#define IPV6_EXTENSION_LIMIT 8

static __always_inline void map_ipv4(struct address *address, __u32 ipv4)
{
	address->words[0] = 0;
	address->words[1] = 0;
	address->words[2] = bpf_htonl(0xffff);
	address->words[3] = ipv4;
}

static __always_inline void take_ipv4_header(const struct iphdr *header, __u32 at, struct packet *packet)
{
	__u32 header_bytes = (*(const __u8 *)header & 0xf) * 4;
	__u16 fragment = bpf_ntohs(header->frag_off);

	map_ipv4(&packet->key.source, header->saddr);
	map_ipv4(&packet->key.destination, header->daddr);
	packet->key.family = 4;
	packet->key.protocol = header->protocol;
	packet->fragment_id = header->id;
	packet->transport = at + header_bytes;
	if (*(const __u8 *)header >> 4 != 4 || header_bytes < sizeof(*header))
		packet->traits = PACKET_MALFORMED;
	else
		packet->traits = (fragment & 0x2000 ? PACKET_MORE_FRAGMENTS : 0) |
				 (fragment & 0x1fff ? PACKET_LATER_FRAGMENT : 0);
}

static __always_inline int is_mapped(const struct address *address)
{
	return address->words[0] == 0 && address->words[1] == 0 && address->words[2] == bpf_htonl(0xffff);
}

static __always_inline void take_ipv6_header(const struct ipv6hdr *header, __u32 at, struct packet *packet)
{
	packet->key.source = *(const struct address *)&header->saddr;
	packet->key.destination = *(const struct address *)&header->daddr;
	packet->key.family = 6;
	packet->key.protocol = header->nexthdr;
	packet->transport = at + sizeof(*header);
	packet->traits = 0;
	/* Whoever sends mapped addresses wants to be taken for somebody else: they are only a form that our maps have. */
	if (*(const __u8 *)header >> 4 != 6 || is_mapped(&packet->key.source) || is_mapped(&packet->key.destination))
		packet->traits = PACKET_MALFORMED;
}

/* Fills a zeroed packet; 0 when the frame ends before the addresses do. */
static __always_inline int read_header(const struct frame *frame, __u32 at, __u8 family, struct packet *packet)
{
	if (family == 4) {
		struct iphdr header;

		if (!load(frame, at, &header, sizeof(header)))
			return 0;
		take_ipv4_header(&header, at, packet);
	} else {
		struct ipv6hdr header;

		if (!load(frame, at, &header, sizeof(header)))
			return 0;
		take_ipv6_header(&header, at, packet);
	}
	return 1;
}

static __always_inline int is_extension(__u8 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
	       protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_AH;
}

/* RFC 8200 §4, RFC 4302 §2.2. Ends at a later fragment: behind its header are bytes from the middle. */
static __always_inline int walk_extensions(const struct frame *frame, struct packet *packet)
{
	__u8 protocol = packet->key.protocol;
	__u32 at = packet->transport;

	for (int step = 0; step < IPV6_EXTENSION_LIMIT && is_extension(protocol); step++) {
		struct {
			__u8 next;
			__u8 length;
			__be16 fragment;
			__u32 fragment_id;
		} header;

		if (!load(frame, at, &header, sizeof(header)))
			return 0;
		if (protocol == IPPROTO_FRAGMENT) {
			packet->fragment_id = header.fragment_id;
			if (header.fragment & bpf_htons(0x0001))
				packet->traits |= PACKET_MORE_FRAGMENTS;
			if (header.fragment & bpf_htons(0xfff8)) {
				packet->traits |= PACKET_LATER_FRAGMENT;
				packet->key.protocol = header.next;
				return 1;
			}
			at += sizeof(header);
		} else if (protocol == IPPROTO_AH) {
			at += (header.length + 2) * 4;
		} else {
			at += (header.length + 1) * 8;
		}
		protocol = header.next;
	}
	packet->key.protocol = protocol;
	packet->transport = at;
	return 1;
}

static __always_inline int has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* 0 when the frame ends before the ports do. */
static __always_inline int find_transport(const struct frame *frame, struct packet *packet)
{
	if (packet->traits & PACKET_COMPLETE)
		return 1;
	if (packet->key.family == 6 && !walk_extensions(frame, packet))
		return 0;
	if (!has_ports(packet->key.protocol) || (packet->traits & PACKET_LATER_FRAGMENT))
		return 1;
	return load(frame, packet->transport, &packet->key.ports, sizeof(packet->key.ports));
}

/*
 * Both steps at once for an untagged frame without options or extension headers in XDP, read in place: each helper call
 * costs 10 ns, and nearly all frames are such. What else it meets it leaves to find_transport(). Not static: the
 * verifier then forgets which way the packet was filled, and does not go every later way twice.
 */
__noinline int read_untagged_packet(struct xdp_md *ctx, __u8 family, struct packet *packet)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *at = (void *)(long)ctx->data + ETH_HLEN;
	__u32 header_bytes = family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	__u32 *ports = at + header_bytes;

	if (!packet || (void *)ports > data_end)
		return 0;
	if (family == 4)
		take_ipv4_header(at, ETH_HLEN, packet);
	else
		take_ipv6_header(at, ETH_HLEN, packet);
	if (packet->transport == ETH_HLEN + header_bytes && has_ports(packet->key.protocol) &&
	    !(packet->traits & PACKET_LATER_FRAGMENT) && (void *)(ports + 1) <= data_end) {
		packet->key.ports = *ports;
		packet->traits |= PACKET_COMPLETE;
	}
	return 1;
}

#endif
