/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Questions for the MAC address of an address that is answered here: ARP (RFC 826) and NDP (RFC 4861 §4.3). */
#ifndef SLUICE_RESOLUTION_H
#define SLUICE_RESOLUTION_H

#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"
#include "packet.h"

#define ARP_OPERATION 6 /* offsets in an ARP packet for IPv4 over Ethernet, 28 bytes long */
#define ARP_SENDER_ADDRESS 14
#define ARP_TARGET_ADDRESS 24
#define ARP_REQUEST 1

#define NDP_NEIGHBOR_SOLICITATION 135
#define NDP_TARGET_ADDRESS 8

/*
 * Announcements (sender and target alike, or replies) ask nothing: they pass to the kernel, where whoever watches for
 * others that claim our addresses hears them.
 */
static __always_inline int asks_by_arp(const struct frame *frame, __u32 ifindex)
{
	struct arp4_key key = {.ifindex = ifindex};
	__u32 *flags, sender;
	__be16 operation;

	if (!load(frame, frame->network + ARP_TARGET_ADDRESS, &key.address, sizeof(key.address)) ||
	    !load(frame, frame->network + ARP_SENDER_ADDRESS, &sender, sizeof(sender)) ||
	    !load(frame, frame->network + ARP_OPERATION, &operation, sizeof(operation)))
		return 0;
	if (operation != bpf_htons(ARP_REQUEST) || sender == key.address)
		return 0;
	flags = bpf_map_lookup_elem(&owned4, &key.address);
	return (flags && (*flags & OWNED_RESOLVE_ALL)) || bpf_map_lookup_elem(&arp4, &key) != NULL;
}

/*
 * A Neighbor Solicitation goes to the target's solicited-node group, or to the target itself when the asker checks that
 * it is still there; so it is the target that counts. It has no extension headers in practice, and who sends some gets
 * no answer.
 */
static __always_inline int asks_by_ndp(const struct frame *frame, const struct packet *packet, __u32 ifindex)
{
	struct ndp6_key key = {.ifindex = ifindex};
	__u32 *flags;
	__u8 type;

	if (packet->key.family != 6 || packet->key.protocol != IPPROTO_ICMPV6)
		return 0;
	if (!load(frame, packet->transport, &type, sizeof(type)) || type != NDP_NEIGHBOR_SOLICITATION ||
	    !load(frame, packet->transport + NDP_TARGET_ADDRESS, &key.address, sizeof(key.address)))
		return 0;
	flags = bpf_map_lookup_elem(&owned6, &key.address);
	return (flags && (*flags & OWNED_RESOLVE_ALL)) || bpf_map_lookup_elem(&ndp6, &key) != NULL;
}

#endif
