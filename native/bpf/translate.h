/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a row makes of the headers of its packets: addresses, ports, the TTL where this is a hop, the checksum of the IPv4
 * header. The transport's is the caller's, who has to know whether it is there; by what it changes is the answer.
 * `ports` and the whole header before it are known to be there. (src/dataplane/translate4.ts and forward.ts are the workers'.)
 */
#ifndef SLUICE_TRANSLATE_H
#define SLUICE_TRANSLATE_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_helpers.h>
#include "checksum.h"
#include "flow_lookup.h"
#include "flow_row.h"

static __always_inline __u32 translate4(struct iphdr *ip, __u32 *ports, const struct flow_row *row, __u32 egress)
{
	__u32 deltas = row->checksum_deltas;
	__u32 header_delta = deltas & 0xffff;

	if (egress & EGRESS_DECREMENT_TTL) {
		ip->ttl--;
		header_delta += TTL_DECREMENT_DELTA;
	}
	ip->check = apply_delta(ip->check, header_delta);
	ip->saddr = row->new_source_address;
	ip->daddr = row->new_destination_address;
	*ports = row->new_ports;
	return deltas >> 16;
}

static __always_inline __u32 translate6(struct ipv6hdr *ip, __u32 *ports, const struct flow6_row *row, __u32 egress)
{
	if (egress & EGRESS_DECREMENT_TTL)
		ip->hop_limit--;
	*(struct address *)&ip->saddr = *(struct address *)row->new_source_address;
	*(struct address *)&ip->daddr = *(struct address *)row->new_destination_address;
	*ports = row->new_ports;
	return row->checksum_delta;
}

#endif
