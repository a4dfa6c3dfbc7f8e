/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A request that another gateway sends to this node in a tunnel, the packet of the client inside:
 *
 *   IPIP     outer IP (protocol 4 or 41) | inner IP
 *   GUE      outer IP | UDP | 4-byte header, fields of 4 * hlen bytes | inner IP     (variant 0)
 *            outer IP | UDP | inner IP                                               (variant 1)
 *   Geneve   outer IP | UDP | 8-byte header, options of 4 * optlen bytes | inner Ethernet | inner IP
 *
 * It is ours when it comes to one of our tunnel addresses, from a permitted source, and what is inside goes to an
 * address that we serve or to a local pod. We never decapsulate for strangers: whoever can make a node do that, reaches
 * what only the node should reach (CVE-2020-10136).
 */
#ifndef SLUICE_TUNNEL_H
#define SLUICE_TUNNEL_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "dsr_option.h"
#include "frame.h"
#include "live_reply.h"
#include "maps.h"
#include "outcome.h"
#include "packet.h"

#define UDP_HEADER_BYTES 8
#define GUE_HEADER_BYTES 4
#define GENEVE_HEADER_BYTES 8

/* Class and type, critical bit aside, of the Geneve option with the served address and port: first of the options. */
#define GENEVE_DSR_OPTION 0x014b0100
#define GENEVE_DSR_OPTION_MASK 0xffff7f00

struct tunnelled {
	__u32 at; /* offset of the inner packet */
	__u8 family;
	__u8 has_dsr_option;
};

static __always_inline int is_served(const struct address *address, __u8 family)
{
	__u32 ipv4 = ipv4_of(address);
	__u32 *flags = family == 4 ? bpf_map_lookup_elem(&owned4, &ipv4) : bpf_map_lookup_elem(&owned6, address);

	return flags && (*flags & OWNED_SERVE);
}

static __always_inline __u8 family_of_protocol(__u8 protocol)
{
	return protocol == IPPROTO_IPIP ? 4 : protocol == IPPROTO_IPV6 ? 6 : 0;
}

static __always_inline int open_gue(const struct frame *frame, __u32 at, struct tunnelled *inner)
{
	__u8 header[2];

	if (!load(frame, at, header, sizeof(header)))
		return 0;
	if (header[0] >> 6 == 1) { /* the first bits of an IP version */
		inner->at = at;
		inner->family = header[0] >> 4;
		return inner->family == 4 || inner->family == 6;
	}
	if (header[0] >> 5 != 0) /* another variant, or a control message */
		return 0;
	inner->at = at + GUE_HEADER_BYTES + (header[0] & 0x1f) * 4;
	inner->family = family_of_protocol(header[1]);
	return inner->family != 0;
}

static __always_inline int open_geneve(const struct frame *frame, __u32 at, struct tunnelled *inner)
{
	struct {
		__u8 version_and_length;
		__u8 flags;
		__be16 protocol;
	} header;
	__u32 options_bytes, option;
	__be16 ethertype;

	if (!load(frame, at, &header, sizeof(header)) || header.version_and_length >> 6 != 0 ||
	    header.protocol != bpf_htons(ETH_P_TEB))
		return 0;
	at += GENEVE_HEADER_BYTES;
	options_bytes = (header.version_and_length & 0x3f) * 4;
	inner->has_dsr_option = options_bytes > 0 && load(frame, at, &option, sizeof(option)) &&
				(option & bpf_htonl(GENEVE_DSR_OPTION_MASK)) == bpf_htonl(GENEVE_DSR_OPTION);
	at += options_bytes;
	if (!load(frame, at + 2 * ETH_ALEN, &ethertype, sizeof(ethertype)))
		return 0;
	inner->at = at + ETH_HLEN;
	inner->family = ethertype == bpf_htons(ETH_P_IP) ? 4 : ethertype == bpf_htons(ETH_P_IPV6) ? 6 : 0;
	return inner->family != 0;
}

/*
 * Whether a router says that a packet which we sent in a tunnel was too big for its next link (RFC 1191, RFC 8201): the
 * worker then tells the client. Needs no more than the quoted header and the ports behind it.
 */
static __always_inline int is_tunnel_too_big(const struct frame *frame, const struct packet *error,
					     const struct settings *set)
{
	__u8 type_and_code[2];
	struct packet quoted = {};
	__u32 port;
	__u8 *flags;

	if (error->key.protocol != (error->key.family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) ||
	    !load(frame, error->transport, type_and_code, sizeof(type_and_code)))
		return 0;
	if (error->key.family == 4 ? type_and_code[0] != ICMP_UNREACHABLE || type_and_code[1] != ICMP_FRAGMENTATION_NEEDED
				   : type_and_code[0] != ICMP6_TOO_BIG)
		return 0;
	flags = bpf_map_lookup_elem(&tunnels, &error->key.destination);
	if (!flags || (*flags & TUNNEL_SHARED))
		return 0;
	if (!read_header(frame, error->transport + ICMP_HEADER_BYTES, error->key.family, &quoted) ||
	    !find_transport(frame, &quoted) || !same_address((const __u32 *)&quoted.key.source, &error->key.destination))
		return 0;
	if (family_of_protocol(quoted.key.protocol))
		return 1;
	port = quoted.key.ports >> 16;
	return quoted.key.protocol == IPPROTO_UDP && port && (port == set->gue_port || port == set->geneve_port);
}

/* For a packet whose transport was found: OUTCOME_REDIRECT_TUNNEL, or why not. */
static __always_inline enum outcome judge_tunnel(const struct frame *frame, const struct packet *outer,
						 const struct settings *set)
{
	struct tunnelled inner = {.at = outer->transport, .family = family_of_protocol(outer->key.protocol)};
	struct prefix_key source = {.length_bits = 128, .address = outer->key.source};
	__u32 udp_port = outer->key.protocol == IPPROTO_UDP ? outer->key.ports >> 16 : 0;
	int is_gue = udp_port && udp_port == set->gue_port;
	int is_geneve = udp_port && udp_port == set->geneve_port;
	struct packet packet = {};
	__u8 *flags;

	if (!inner.family && !is_gue && !is_geneve)
		return OUTCOME_PASS_NOT_OURS;
	if (outer->traits & (PACKET_MORE_FRAGMENTS | PACKET_LATER_FRAGMENT))
		return OUTCOME_PASS_NOT_OURS;
	flags = bpf_map_lookup_elem(&tunnels, &outer->key.destination);
	if (!flags)
		return OUTCOME_PASS_NOT_OURS;
	if (!bpf_map_lookup_elem(&tunnel_sources, &source))
		return OUTCOME_PASS_STRANGER;
	if (is_gue && !open_gue(frame, outer->transport + UDP_HEADER_BYTES, &inner))
		return OUTCOME_PASS_NOT_OURS;
	if (is_geneve && !open_geneve(frame, outer->transport + UDP_HEADER_BYTES, &inner))
		return OUTCOME_PASS_NOT_OURS;
	if ((*flags & TUNNEL_SHARED) && !inner.has_dsr_option)
		return OUTCOME_PASS_NOT_OURS;
	if (!read_header(frame, inner.at, inner.family, &packet) || (packet.traits & PACKET_MALFORMED))
		return OUTCOME_PASS_NOT_OURS;
	if (!is_served(&packet.key.destination, inner.family) && !is_dsr_backend(&packet.key.destination))
		return OUTCOME_PASS_NOT_OURS;
	return OUTCOME_REDIRECT_TUNNEL;
}

#endif
