/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Whether a packet belongs to the backend->client direction of a live flow, so that the worker must translate it:
 *
 *   - it has the addresses and ports of a reply row;
 *   - it is an ICMP error about a request that we translated: what it quotes is that request, so the quote with both
 *     its ends exchanged is the key of the reply row (RFC 792, RFC 4443, RFC 5508 §4);
 *   - it is a later fragment of a packet whose first fragment was one of these. Fragments that overtake the first one
 *     are not recognised: they pass, as if there were no gateway.
 */
#ifndef SLUICE_LIVE_REPLY_H
#define SLUICE_LIVE_REPLY_H

#include <bpf/bpf_helpers.h>
#include "clock.h"
#include "flow_lookup.h"
#include "frame.h"
#include "maps.h"
#include "packet.h"

enum reply_kind {
	NO_REPLY,
	REPLY,
	REPLY_ERROR,
	REPLY_FRAGMENT,
};

#define ICMP_HEADER_BYTES 8

#define ICMP_UNREACHABLE 3
#define ICMP_FRAGMENTATION_NEEDED 4 /* its code */
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12

#define ICMP6_TOO_BIG 2
#define ICMP6_LAST_ERROR 4 /* unreachable 1, too big 2, time exceeded 3, parameter problem 4 */

/* How long fragments of one packet wait for each other (RFC 8200 §4.5 and Linux give 60 s, Linux IPv4 30 s). */
#define FRAGMENT_SECONDS 30

static __always_inline int is_icmp_error(const struct frame *frame, const struct packet *packet)
{
	__u8 type;

	if (packet->key.protocol != (packet->key.family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return 0;
	if (!load(frame, packet->transport, &type, sizeof(type)))
		return 0;
	if (packet->key.family == 4)
		return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
	return type >= 1 && type <= ICMP6_LAST_ERROR;
}

/*
 * The key of the flow's other direction, from the quote of an ICMP error. Needs only the quoted header and four bytes
 * behind it: RFC 792 promises eight.
 */
static __always_inline int read_quoted_reply(const struct frame *frame, const struct packet *error,
					     struct flow_key *reply)
{
	struct packet quoted = {};

	if (!read_header(frame, error->transport + ICMP_HEADER_BYTES, error->key.family, &quoted) ||
	    (quoted.traits & PACKET_MALFORMED) || !find_transport(frame, &quoted) ||
	    !has_ports(quoted.key.protocol) || (quoted.traits & PACKET_LATER_FRAGMENT))
		return 0;
	reply->source = quoted.key.destination;
	reply->destination = quoted.key.source;
	reply->ports = (quoted.key.ports >> 16) | (quoted.key.ports << 16);
	reply->protocol = quoted.key.protocol;
	return 1;
}

static __always_inline void name_fragments(const struct packet *packet, struct fragment_key *key)
{
	key->source = packet->key.source;
	key->destination = packet->key.destination;
	key->id = packet->fragment_id;
	key->protocol = packet->key.family == 4 ? packet->key.protocol : 0;
	key->family = packet->key.family;
}

static __always_inline int was_reply(const struct packet *packet)
{
	struct fragment_key key = {};
	__u32 *noted;

	name_fragments(packet, &key);
	noted = bpf_map_lookup_elem(&reply_fragments, &key);
	return noted && now_seconds() - *noted <= FRAGMENT_SECONDS;
}

static __always_inline void note_reply(const struct packet *packet)
{
	struct fragment_key key = {};
	__u32 now = now_seconds();

	name_fragments(packet, &key);
	bpf_map_update_elem(&reply_fragments, &key, &now, BPF_ANY);
}

/* For a packet whose transport was found. */
static __always_inline enum reply_kind find_live_reply(const struct frame *frame, const struct packet *packet,
						       const struct settings *set)
{
	struct flow_key key = packet->key;
	enum reply_kind kind = REPLY;

	if (packet->traits & PACKET_LATER_FRAGMENT)
		return was_reply(packet) ? REPLY_FRAGMENT : NO_REPLY;
	if (!has_ports(key.protocol)) {
		if (!is_icmp_error(frame, packet) || !read_quoted_reply(frame, packet, &key))
			return NO_REPLY;
		kind = REPLY_ERROR;
	}
	if (!is_live_reply(set, &key))
		return NO_REPLY;
	if (packet->traits & PACKET_MORE_FRAGMENTS)
		note_reply(packet);
	return kind;
}

#endif
