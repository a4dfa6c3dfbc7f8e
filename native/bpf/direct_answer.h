/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Answers of a pod to a client that speaks to it directly, from a port that it has used to a VIP before:
 * src/dataplane/direct-answer.ts. The first of them ends the reply row that the old connection has left, and so it and what
 * follows passes.
 */
#ifndef SLUICE_DIRECT_ANSWER_H
#define SLUICE_DIRECT_ANSWER_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "clock.h"
#include "flow_state.h"
#include "frame.h"
#include "maps.h"
#include "new_row.h"
#include "packet.h"
#include "transport.h"

#define TCP_FLAGS_AT 13
#define SCTP_CHUNK_AT 12
#define SCTP_INIT_ACK 2

/* Whether a packet, whose transport was found, is a SYN-ACK, or what SCTP has instead. */
static __always_inline int accepts_connection(const struct frame *frame, const struct packet *packet)
{
	__u8 byte;

	if (packet->key.protocol == IPPROTO_TCP)
		return load(frame, packet->transport + TCP_FLAGS_AT, &byte, sizeof(byte)) &&
		       (byte & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
	return packet->key.protocol == IPPROTO_SCTP &&
	       load(frame, packet->transport + SCTP_CHUNK_AT, &byte, sizeof(byte)) && byte == SCTP_INIT_ACK;
}

/* Ends the reply row of a key if a SYN-ACK that it fits is another connection's; 1 when it is. */
static __always_inline int end_by_direct_answer_in(const int family, const struct settings *set,
						   const struct flow_key *key)
{
	void *row;
	__u32 slot;

	if (!set || !key)
		return 0;
	slot = find_live(family, set, key);
	row = find_at(family, slot);
	if (!row || !is_direct_answer(family, set, row))
		return 0;
	withdraw(family, set, slot, now_seconds());
	return 1;
}

FOR_EITHER_FAMILY(int, end_by_direct_answer, (const struct settings *set, const struct flow_key *key), (set, key))

/* Whether a packet that fits a reply row answers a connection past us; the row has ended then. */
static __always_inline int answers_directly(const struct frame *frame, const struct packet *packet,
					    const struct settings *set)
{
	if (!accepts_connection(frame, packet))
		return 0;
	return packet->key.family == 4 ? end_by_direct_answer4(set, &packet->key) :
					 end_by_direct_answer6(set, &packet->key);
}

/* The same for what the door has found to fit one. Not static, for there is no room on the stack of judge(). */
__noinline int brings_direct_answer(struct xdp_md *ctx, const struct port *port)
{
	struct frame frame = {.ctx = ctx, .hook = IN_XDP};
	struct packet packet = {};
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	__u8 family;

	if (!port || !set)
		return 0;
	family = network_protocol(&frame, port, 0) == bpf_htons(ETH_P_IP) ? 4 : 6;
	if (!(frame.network == ETH_HLEN && read_untagged_packet(ctx, family, &packet)) &&
	    !read_header(&frame, frame.network, family, &packet))
		return 0;
	return find_transport(&frame, &packet) && answers_directly(&frame, &packet, set);
}

#endif
