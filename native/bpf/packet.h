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

static __always_inline int read_ipv4_header(const struct frame *frame, __u32 at, struct packet *packet)
{
	struct iphdr header;
	__u32 header_bytes;
	__u16 fragment;

	if (!load(frame, at, &header, sizeof(header)))
		return 0;
	map_ipv4(&packet->key.source, header.saddr);
	map_ipv4(&packet->key.destination, header.daddr);
	packet->key.protocol = header.protocol;
	packet->fragment_id = header.id;
	header_bytes = (*(__u8 *)&header & 0xf) * 4;
	packet->transport = at + header_bytes;
	fragment = bpf_ntohs(header.frag_off);
	if (*(__u8 *)&header >> 4 != 4 || header_bytes < sizeof(header))
		packet->traits = PACKET_MALFORMED;
	else
		packet->traits = (fragment & 0x2000 ? PACKET_MORE_FRAGMENTS : 0) |
				 (fragment & 0x1fff ? PACKET_LATER_FRAGMENT : 0);
	return 1;
}

static __always_inline int is_mapped(const struct address *address)
{
	return address->words[0] == 0 && address->words[1] == 0 && address->words[2] == bpf_htonl(0xffff);
}

static __always_inline int read_ipv6_header(const struct frame *frame, __u32 at, struct packet *packet)
{
	struct ipv6hdr header;

	if (!load(frame, at, &header, sizeof(header)))
		return 0;
	__builtin_memcpy(&packet->key.source, &header.saddr, sizeof(packet->key.source));
	__builtin_memcpy(&packet->key.destination, &header.daddr, sizeof(packet->key.destination));
	packet->key.protocol = header.nexthdr;
	packet->transport = at + sizeof(header);
	packet->fragment_id = 0;
	packet->traits = 0;
	/* Whoever sends mapped addresses wants to be taken for somebody else: they are only a form that our maps have. */
	if (*(__u8 *)&header >> 4 != 6 || is_mapped(&packet->key.source) || is_mapped(&packet->key.destination))
		packet->traits = PACKET_MALFORMED;
	return 1;
}

/* 0 when the frame ends before the addresses do. */
static __always_inline int read_header(const struct frame *frame, __u32 at, __u8 family, struct packet *packet)
{
	packet->key.family = family;
	packet->key.ports = 0;
	packet->key.unused = 0;
	return family == 4 ? read_ipv4_header(frame, at, packet) : read_ipv6_header(frame, at, packet);
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
	if (packet->key.family == 6 && !walk_extensions(frame, packet))
		return 0;
	if (!has_ports(packet->key.protocol) || (packet->traits & PACKET_LATER_FRAGMENT))
		return 1;
	return load(frame, packet->transport, &packet->key.ports, sizeof(packet->key.ports));
}

#endif
