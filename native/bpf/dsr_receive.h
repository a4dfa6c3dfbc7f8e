/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Direct server return, the receiving side, for flows that are established at the pod's node: the packet is taken out of
 * its tunnel, or its option out of it, and is forwarded as any other. The door has seen already that it is for us, from a
 * permitted source (tunnel.h, dsr_option.h); here only what is plain is opened:
 *
 *   option   IPv4 with this one alone; IPv6 with it right before TCP or UDP
 *   IPIP     an outer header without options or extension headers, no fragment, no padding behind it
 *   GUE      likewise, variant 1 or a plain header; the UDP checksum zero, or over IPv6 as its sender can know it
 *   Geneve   likewise, without options or with this one alone
 *
 * What is opened here and not forwarded is closed again, to the byte.
 */
#ifndef SLUICE_DSR_RECEIVE_H
#define SLUICE_DSR_RECEIVE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "checksum.h"
#include "dress.h"
#include "dsr_option.h"
#include "dsr_send.h"
#include "kernel_features.h"
#include "packet.h"
#include "reshape.h"
#include "tunnel.h"

#define WRAPPED_NOT 0
#define WRAPPED_BY_OPTION 1
#define WRAPPED_BY_TUNNEL 2

/* What was overwritten. */
struct unwrapped {
	__u32 bytes; /* that the frame became shorter by */
	__u32 family;
	__u32 words[7];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwrapped);
} unwrappings SEC(".maps");

static __always_inline int take_option4(struct xdp_md *ctx, struct unwrapped *was)
{
	__u8 *data = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(data + ETH_HLEN);
	__u32 *words = (void *)ip;
	__u64 sum = 0;

	if ((__u8 *)(words + 7) > (__u8 *)(long)ctx->data_end || *(__u8 *)ip != 0x47 ||
	    bpf_ntohs(ip->tot_len) < 7 * sizeof(*words))
		return 0;
	for (int word = 0; word < 7; word++) {
		was->words[word] = words[word];
		sum += words[word];
	}
	if (fold(fold(sum & 0xffffffff) + fold(sum >> 32)) != 0xffff)
		return 0;
	*(__u8 *)ip = 0x45;
	ip->tot_len = bpf_htons(bpf_ntohs(ip->tot_len) - DSR_OPTION4_BYTES);
	ip->check = 0;
	ip->check = ~sum_ipv4_header(words);
	for (int word = 6; word >= 2; word--)
		words[word] = words[word - 2];
	was->bytes = DSR_OPTION4_BYTES;
	*(__u16 *)(data + DSR_OPTION4_BYTES + 12) = bpf_htons(ETH_P_IP);
	move_macs(data + DSR_OPTION4_BYTES, data);
	return bpf_xdp_adjust_head(ctx, DSR_OPTION4_BYTES) == 0;
}

static __always_inline void give_option4(struct xdp_md *ctx, const struct unwrapped *was)
{
	__u8 *data;
	__u32 *words;

	if (bpf_xdp_adjust_head(ctx, -DSR_OPTION4_BYTES))
		return;
	data = (void *)(long)ctx->data;
	words = (void *)(data + ETH_HLEN);
	if ((__u8 *)(words + 7) > (__u8 *)(long)ctx->data_end)
		return;
	move_macs(data, data + DSR_OPTION4_BYTES);
	*(__u16 *)(data + 12) = bpf_htons(ETH_P_IP);
	for (int word = 0; word < 7; word++)
		words[word] = was->words[word];
}

static __always_inline int take_option6(struct xdp_md *ctx, struct unwrapped *was)
{
	__u8 *data = (void *)(long)ctx->data;
	struct ipv6hdr *ip = (void *)(data + ETH_HLEN);
	__u32 *words = (void *)ip;
	__u32 *option = (void *)(ip + 1);

	if ((__u8 *)(option + 6) > (__u8 *)(long)ctx->data_end || ip->nexthdr != IPPROTO_DSTOPTS ||
	    bpf_ntohs(ip->payload_len) < DSR_OPTION6_BYTES)
		return 0;
	for (int word = 0; word < 6; word++)
		was->words[word] = option[word];
	ip->nexthdr = option[0];
	ip->payload_len = bpf_htons(bpf_ntohs(ip->payload_len) - DSR_OPTION6_BYTES);
	for (int word = 15; word >= 6; word--)
		words[word] = words[word - 6];
	was->bytes = DSR_OPTION6_BYTES;
	*(__u16 *)(data + DSR_OPTION6_BYTES + 12) = bpf_htons(ETH_P_IPV6);
	move_macs(data + DSR_OPTION6_BYTES, data);
	return bpf_xdp_adjust_head(ctx, DSR_OPTION6_BYTES) == 0;
}

static __always_inline void give_option6(struct xdp_md *ctx, const struct unwrapped *was)
{
	__u8 *data;
	struct ipv6hdr *ip;
	__u32 *words, *option;

	if (bpf_xdp_adjust_head(ctx, -DSR_OPTION6_BYTES))
		return;
	data = (void *)(long)ctx->data;
	ip = (void *)(data + ETH_HLEN);
	words = (void *)ip;
	option = (void *)(ip + 1);
	if ((__u8 *)(option + 6) > (__u8 *)(long)ctx->data_end)
		return;
	move_macs(data, data + DSR_OPTION6_BYTES);
	*(__u16 *)(data + 12) = bpf_htons(ETH_P_IPV6);
	for (int word = 0; word < 10; word++)
		words[word] = words[word + 6];
	for (int word = 0; word < 6; word++)
		option[word] = was->words[word];
	ip->nexthdr = IPPROTO_DSTOPTS;
	ip->payload_len = bpf_htons(bpf_ntohs(ip->payload_len) + DSR_OPTION6_BYTES);
}

/* The family of the packet behind a GUE header, 0 when it is not plain; with the header's length. */
static __always_inline __u32 open_plain_gue(const __u8 *at, void *end, __u32 *header_bytes)
{
	if (at + GUE_HEADER_BYTES > (__u8 *)end)
		return 0;
	if (at[0] >> 6 == 1) {
		*header_bytes = 0;
		return at[0] >> 4 == 4 || at[0] >> 4 == 6 ? at[0] >> 4 : 0;
	}
	*header_bytes = GUE_HEADER_BYTES;
	return at[0] == 0 ? family_of_protocol(at[1]) : 0;
}

/* Likewise of Geneve, its Ethernet header included. */
static __always_inline __u32 open_plain_geneve(const __u8 *at, void *end, __u32 *header_bytes)
{
	const __u32 *header = (const void *)at;
	__u32 option_bytes;
	__be16 type;

	if (at + GENEVE_HEADER_BYTES + GENEVE_OPTION6_BYTES + ETH_HLEN > (__u8 *)end || at[0] >> 6 || (at[1] & 0x80) ||
	    *(const __be16 *)(at + 2) != bpf_htons(ETH_P_TEB))
		return 0;
	option_bytes = (at[0] & 0x3f) * 4;
	if (option_bytes != 0 && option_bytes != GENEVE_OPTION4_BYTES && option_bytes != GENEVE_OPTION6_BYTES)
		return 0;
	/* The one option, as long as all of them. */
	if (option_bytes && ((header[2] & bpf_htonl(GENEVE_DSR_OPTION_MASK)) != bpf_htonl(GENEVE_DSR_OPTION) ||
			     (at[GENEVE_HEADER_BYTES + 3] & 0x1f) * 4u + 4 != option_bytes))
		return 0;
	type = *(const __be16 *)(at + GENEVE_HEADER_BYTES + option_bytes + 12);
	*header_bytes = GENEVE_HEADER_BYTES + option_bytes + ETH_HLEN;
	return type == bpf_htons(ETH_P_IP) ? 4 : type == bpf_htons(ETH_P_IPV6) ? 6 : 0;
}

/* Congestion that the tunnel has met must be told on (RFC 6040 §4.2): the worker does. */
static __always_inline int has_met_congestion(const __u8 *packet, __u32 family)
{
	return (traffic_class(packet, family) & 3) == 3;
}

/* Bytes of an outer header, and what is in it; 0 when it is not plain. */
static __always_inline __u32 outer_header(const struct xdp_md *ctx, __u32 frame_bytes, __u32 *protocol)
{
	__u8 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = (void *)(data + ETH_HLEN);
	struct ipv6hdr *ip6 = (void *)ip;

	if ((void *)(ip + 1) > end)
		return 0;
	if (*(__u16 *)(data + 12) == bpf_htons(ETH_P_IP)) {
		if (*(__u8 *)ip != 0x45 || (ip->frag_off & bpf_htons(0x3fff)) || sum_ipv4_header((void *)ip) != 0xffff ||
		    bpf_ntohs(ip->tot_len) + ETH_HLEN != frame_bytes || has_met_congestion((void *)ip, 4))
			return 0;
		*protocol = ip->protocol;
		return sizeof(*ip);
	}
	if ((void *)(ip6 + 1) > end || *(__u16 *)(data + 12) != bpf_htons(ETH_P_IPV6) || *(__u8 *)ip6 >> 4 != 6 ||
	    bpf_ntohs(ip6->payload_len) + sizeof(*ip6) + ETH_HLEN != frame_bytes || has_met_congestion((void *)ip6, 6))
		return 0;
	*protocol = ip6->nexthdr;
	return sizeof(*ip6);
}

static __always_inline int open_tunnel(struct xdp_md *ctx, const struct settings *set, struct unwrapped *was)
{
	__u32 length = frame_bytes(ctx);
	__u32 protocol = 0, inner_bytes = 0, family;
	__u32 outer = outer_header(ctx, length, &protocol);
	__u8 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct udphdr *udp = (void *)(data + ETH_HLEN + (outer & 0x3f));

	if (!outer)
		return 0;
	family = family_of_protocol(protocol);
	was->bytes = outer;
	if (!family) {
		if (protocol != IPPROTO_UDP || (void *)(udp + 1) > end || udp->check ||
		    bpf_ntohs(udp->len) + ETH_HLEN + outer != length)
			return 0;
		family = udp->dest == set->gue_port ? open_plain_gue((void *)(udp + 1), end, &inner_bytes) :
						       open_plain_geneve((void *)(udp + 1), end, &inner_bytes);
		was->bytes += sizeof(*udp) + inner_bytes;
	}
	was->family = *(__u16 *)(data + 12) == bpf_htons(ETH_P_IP) ? 4 : 6;
	if (!family || was->bytes > MAX_FRONT_BYTES)
		return 0;
	/* The link header goes over the last bytes of what was in front of the packet. */
	__u8 *link = data + (was->bytes & MAX_FRONT_BYTES);

	if (link + ETH_HLEN + sizeof(struct iphdr) > (__u8 *)end ||
	    *(link + ETH_HLEN) >> 4 != family)
		return 0;
	*(struct ethernet_words *)was->words = *(struct ethernet_words *)link;
	was->words[3] = *(__u16 *)(link + 12);
	move_macs(link, data);
	*(__u16 *)(link + 12) = family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	return bpf_xdp_adjust_head(ctx, was->bytes & MAX_FRONT_BYTES) == 0;
}

static __always_inline void close_tunnel(struct xdp_md *ctx, const struct unwrapped *was)
{
	__u8 *data, *link;

	if (bpf_xdp_adjust_head(ctx, -(int)(was->bytes & MAX_FRONT_BYTES)))
		return;
	data = (void *)(long)ctx->data;
	link = data + (was->bytes & MAX_FRONT_BYTES);
	if (link + ETH_HLEN > (__u8 *)(long)ctx->data_end || data + ETH_HLEN > (__u8 *)(long)ctx->data_end)
		return;
	move_macs(data, link);
	*(__u16 *)(data + 12) = was->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	/* Behind them: both may overlap, as an outer header is longer than a link header. */
	*(struct ethernet_words *)link = *(const struct ethernet_words *)was->words;
	*(__u16 *)(link + 12) = was->words[3];
}

/* Takes off what is around a packet; 0 when that is the worker's, and then the frame is as it was. */
__noinline int unwrap(struct xdp_md *ctx, __u32 wrapping)
{
	__u8 *data = (void *)(long)ctx->data;
	__u32 zero = 0;
	struct unwrapped *was = bpf_map_lookup_elem(&unwrappings, &zero);
	struct reshaping *shape = bpf_map_lookup_elem(&reshapings, &zero);
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);

	if (wrapping == WRAPPED_NOT)
		return 1;
	if (!was || !shape || !set || data + ETH_HLEN > (__u8 *)(long)ctx->data_end)
		return 0;
	if (wrapping == WRAPPED_BY_TUNNEL)
		return open_tunnel(ctx, set, was);
	was->family = *(__u16 *)(data + 12) == bpf_htons(ETH_P_IP) ? 4 : 6;
	if (!(was->family == 4 ? take_option4(ctx, was) : take_option6(ctx, was)))
		return 0;
	shape->stripped_bytes = was->bytes;
	return 1;
}

/* Undoes it. */
__noinline int wrap_again(struct xdp_md *ctx, __u32 wrapping)
{
	__u32 zero = 0;
	struct unwrapped *was = bpf_map_lookup_elem(&unwrappings, &zero);

	if (!was || wrapping == WRAPPED_NOT)
		return 0;
	if (wrapping == WRAPPED_BY_TUNNEL)
		close_tunnel(ctx, was);
	else if (was->family == 4)
		give_option4(ctx, was);
	else
		give_option6(ctx, was);
	return 1;
}

#endif
