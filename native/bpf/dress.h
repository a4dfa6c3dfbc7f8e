/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What is written in front of a packet that leaves longer than it came (reshape.h): its link header with the tags of the
 * port, and what direct server return puts there, as src/dataplane/dsr-send.ts does.
 *
 *   option   the IP header moves away from the transport's, and the option goes between them
 *   tunnel   outer IP | UDP | Geneve, option, Ethernet |
 */
#ifndef SLUICE_DRESS_H
#define SLUICE_DRESS_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "checksum.h"
#include "dsr_send.h"
#include "reshape.h"
#include "tunnel.h"

#define GENEVE_CRITICAL 0x8000
#define OUTER_TTL 64
/* Dynamic ports (RFC 6335 §6): the source port of a tunnel only tells flows apart. */
#define FIRST_SOURCE_PORT 0xc000

/* The link header, and the EtherType of what follows it. */
static __always_inline void write_link(__u8 *data, const struct reshaping *shape, __u32 family)
{
	__u16 type = family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);

	*(struct ethernet_words *)data = shape->ethernet;
	if (!shape->given_bytes) {
		*(__u16 *)(data + 12) = type;
		return;
	}
	*(__u32 *)(data + 12) = shape->given[0];
	if (shape->given_bytes == VLAN_TAG_BYTES) {
		*(__u16 *)(data + 16) = type;
		return;
	}
	*(__u32 *)(data + 16) = shape->given[1];
	*(__u16 *)(data + 20) = type;
}

/* The packet's first place, once the link header is written; data + ETH_HLEN + the tags. */
static __always_inline __u8 *packet_start(__u8 *data, const struct reshaping *shape)
{
	return data + ETH_HLEN + (shape->given_bytes & (2 * VLAN_TAG_BYTES | VLAN_TAG_BYTES));
}

static __always_inline int insert_option4(__u8 *at, void *end, const struct reshaping *shape)
{
	__u32 *words = (void *)at;
	struct iphdr *ip = (void *)at;
	__u32 port = shape->served_port;
	__u32 address = shape->served.words[3];
	__u64 sum = 0;

	if (at + sizeof(*ip) + DSR_OPTION4_BYTES > (__u8 *)end)
		return 0;
	for (int word = 0; word < 5; word++)
		words[word] = words[word + 2];
	if (!shape->is_network_order) {
		port = bpf_htons(port);
		address = bpf_htonl(address);
	}
	words[5] = bpf_htons(DSR_OPTION4) | port << 16;
	words[6] = address;
	*(__u8 *)ip = 0x47;
	ip->tot_len = bpf_htons(bpf_ntohs(ip->tot_len) + DSR_OPTION4_BYTES);
	ip->check = 0;
	for (int word = 0; word < 7; word++)
		sum += words[word];
	ip->check = ~fold(fold(sum & 0xffffffff) + fold(sum >> 32));
	return 1;
}

static __always_inline int insert_option6(__u8 *at, void *end, const struct reshaping *shape)
{
	__u32 *words = (void *)at;
	struct ipv6hdr *ip = (void *)at;
	__u32 *option = (void *)(ip + 1);

	if ((__u8 *)(ip + 1) + DSR_OPTION6_BYTES > (__u8 *)end)
		return 0;
	for (int word = 0; word < 10; word++)
		words[word] = words[word + 6];
	option[0] = ip->nexthdr | DSR_HEADER6_LENGTH << 8 | DSR_OPTION6 << 16 | DSR_OPTION6_LENGTH << 24;
	for (int word = 0; word < 4; word++)
		option[1 + word] = shape->served.words[word];
	option[5] = shape->served_port;
	ip->nexthdr = IPPROTO_DSTOPTS;
	ip->payload_len = bpf_htons(bpf_ntohs(ip->payload_len) + DSR_OPTION6_BYTES);
	return 1;
}

/*
 * The sum of a packet of so many half words of header, of which nothing else is read: the transport's is what its
 * pseudo-header of addresses, protocol and length lacks.
 */
static __always_inline __u32 sum_packet(const __u16 *header, const __u32 half_words, const __u32 addresses,
					__u32 protocol, __u32 payload_bytes)
{
	__u32 pseudo = bpf_htons(payload_bytes) + bpf_htons(protocol);
	__u32 sum = 0;

	for (__u32 at = 0; at < half_words; at++) {
		sum += header[at];
		if (at >= addresses)
			pseudo += header[at];
	}
	return fold(sum) + (~fold(pseudo) & 0xffff);
}

static __always_inline int sum_inner(const struct reshaping *shape, const __u8 *inner, void *end, __u32 *sum)
{
	const struct iphdr *ip = (const void *)inner;
	const struct ipv6hdr *ip6 = (const void *)inner;

	if (shape->family == 4) {
		if ((void *)(ip + 1) > end)
			return 0;
		*sum = sum_packet((const void *)ip, 10, 6, shape->protocol, bpf_ntohs(ip->tot_len) - sizeof(*ip));
		return 1;
	}
	if ((void *)(ip6 + 1) > end)
		return 0;
	*sum = sum_packet((const void *)ip6, 20, 4, shape->protocol, bpf_ntohs(ip6->payload_len));
	return 1;
}

static __always_inline __u32 sum_address(const struct address *address)
{
	__u64 sum = (__u64)address->words[0] + address->words[1] + address->words[2] + address->words[3];

	return fold(fold(sum & 0xffffffff) + (sum >> 32));
}

static __always_inline __u32 sum_words(const __u32 *words, __u32 count)
{
	__u64 sum = 0;

	for (__u32 word = 0; word < 8 && word < count; word++)
		sum += words[word];
	return fold(fold(sum & 0xffffffff) + (sum >> 32));
}

/* Geneve's header, option and Ethernet header. Adds what they sum up to. 0 when they do not fit. */
static __always_inline int write_geneve(__u8 *at, void *end, const struct reshaping *shape, __u32 *sum)
{
	__u32 option_bytes = !shape->informs ? 0 : shape->family == 4 ? GENEVE_OPTION4_BYTES : GENEVE_OPTION6_BYTES;
	__u16 type = shape->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	__u32 *header = (void *)at;
	__u16 *ethernet;

	if (at + GENEVE_HEADER_BYTES + GENEVE_OPTION6_BYTES + ETH_HLEN > (__u8 *)end)
		return 0;
	header[0] = option_bytes / 4 | (__u32)bpf_htons(ETH_P_TEB) << 16;
	header[1] = bpf_htonl(shape->vni << 8);
	if (option_bytes) {
		header[2] = bpf_htonl(GENEVE_DSR_OPTION | GENEVE_CRITICAL | (option_bytes - 4) / 4);
		if (shape->family == 4) {
			header[3] = shape->served.words[3];
			header[4] = shape->served_port;
		} else {
			for (int word = 0; word < 4; word++)
				header[3 + word] = shape->served.words[word];
			header[7] = shape->served_port;
		}
	}
	ethernet = (void *)(at + GENEVE_HEADER_BYTES + option_bytes);
	AS_IT_IS(ethernet);
	if ((void *)(ethernet + ETH_HLEN / 2) > end)
		return 0;
	ethernet[0] = ethernet[1] = ethernet[2] = 0;
	ethernet[3] = shape->mac_first;
	ethernet[4] = shape->mac_first >> 16;
	ethernet[5] = shape->mac_last;
	ethernet[6] = type;
	*sum += sum_words(header, 2 + option_bytes / 4) + fold(shape->mac_first) + (shape->mac_last & 0xffff) + type;
	return 1;
}

/* Its checksum is zero, as a tunnel over IPv4 may have it (RFC 768, RFC 8926 §3.3), until it is sealed. */
static __always_inline int write_udp(struct udphdr *udp, void *end, const struct reshaping *shape, __u32 bytes)
{
	if ((void *)(udp + 1) > end)
		return 0;
	udp->source = bpf_htons(FIRST_SOURCE_PORT | (shape->entropy & 0x3fff));
	udp->dest = shape->tunnel_port;
	udp->len = bpf_htons(bytes);
	udp->check = 0;
	return 1;
}

static __always_inline __u32 traffic_class(const __u8 *packet, __u32 family)
{
	return family == 4 ? packet[1] : (packet[0] & 0xf) << 4 | packet[1] >> 4;
}

static __always_inline int wrap(__u8 *at, void *end, const struct reshaping *shape, __u32 frame_bytes)
{
	__u32 outer_bytes = shape->outer_family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	__u8 *inner = at + (shape->growth_bytes & MAX_FRONT_BYTES);
	/* Of all that is in the outer packet. */
	__u32 payload = frame_bytes - ETH_HLEN - shape->given_bytes - outer_bytes;
	__u32 protocol = shape->kind != DSR_IPIP ? IPPROTO_UDP : shape->family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	struct udphdr *udp = (void *)(at + outer_bytes);
	__u32 class, sum = 0;

	AS_IT_IS(inner);
	AS_IT_IS(udp);
	if (inner + 2 > (__u8 *)end || at + sizeof(struct ipv6hdr) > (__u8 *)end)
		return 0;
	class = traffic_class(inner, shape->family);
	if (shape->outer_family == 4) {
		__u32 *words = (void *)at;
		struct iphdr *ip = (void *)at;

		/* Never fragmented, so it needs no identification of its own (RFC 6864 §4.1). */
		words[0] = 0x45 | class << 8 | (__u32)bpf_htons(sizeof(*ip) + payload) << 16;
		words[1] = bpf_htonl(0x4000);
		words[2] = OUTER_TTL | protocol << 8;
		ip->saddr = shape->own.words[3];
		ip->daddr = shape->remote.words[3];
		ip->check = ~sum_ipv4_header(words);
	} else {
		struct ipv6hdr *ip = (void *)at;

		*(__u32 *)at = bpf_htonl(6u << 28 | class << 20 | shape->entropy);
		ip->payload_len = bpf_htons(payload);
		ip->nexthdr = protocol;
		ip->hop_limit = OUTER_TTL;
		*(struct address *)&ip->saddr = shape->own;
		*(struct address *)&ip->daddr = shape->remote;
	}
	if (shape->kind == DSR_IPIP)
		return 1;
	if (!write_udp(udp, end, shape, payload))
		return 0;
	if (shape->kind == DSR_GENEVE && !write_geneve((void *)(udp + 1), end, shape, &sum))
		return 0;
	if (shape->outer_family == 4)
		return 1;
	__u32 inner_sum;

	if (!sum_inner(shape, inner, end, &inner_sum) || (void *)(udp + 1) > end)
		return 0;
	sum += inner_sum + sum_address(&shape->own) + sum_address(&shape->remote) + bpf_htons(IPPROTO_UDP) + udp->len;
	sum += udp->source + udp->dest + udp->len;
	sum = ~fold(sum) & 0xffff;
	udp->check = sum ? sum : 0xffff;
	return 1;
}

/* Writes all that comes in front of a translated packet. Not static, so that the verifier looks at it once. */
__noinline int dress(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 zero = 0;
	struct reshaping *shape = bpf_map_lookup_elem(&reshapings, &zero);
	__u8 *at;

	if (!shape || data + ETH_HLEN + 2 * VLAN_TAG_BYTES > (__u8 *)end)
		return 0;
	write_link(data, shape, shape->kind == UNDRESSED || shape->kind == DSR_OPTION ? shape->family : shape->outer_family);
	at = packet_start(data, shape);
	AS_IT_IS(at);
	if (shape->kind == UNDRESSED || !shape->growth_bytes)
		return 1;
	if (shape->kind == DSR_OPTION)
		return shape->family == 4 ? insert_option4(at, end, shape) : insert_option6(at, end, shape);
	return wrap(at, end, shape, frame_bytes(ctx));
}

#endif
