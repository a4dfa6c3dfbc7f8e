/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The door of the datapath, on every port: decides which frames go to the AF_XDP socket of their queue. It changes no
 * frame. Everything that is not ours goes to the kernel untouched, so SSH and the kubelet live whatever Sluice does.
 *
 * Ours is:
 *   - an ARP packet that asks for an address answered here;
 *   - IPv4 to a served address, whatever its protocol, port, fragment or length: the worker answers or drops it, for
 *     if it passed, the node would forward it back to the router;
 *   - an IPv4 reply of a backend to a live flow.
 *
 * VLAN-tagged frames pass. The destination MAC is not looked at: the worker knows the port's address.
 */
#ifndef SLUICE_XDP_H
#define SLUICE_XDP_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "flow_lookup.h"
#include "maps.h"

/* An ARP packet for IPv4 over Ethernet (RFC 826); addresses are not aligned, so they are bytes. */
struct arp_ipv4 {
	__u8 formats_and_operation[8];
	__u8 sender_mac[6];
	__u8 sender_address[4];
	__u8 target_mac[6];
	__u8 target_address[4];
};

static __always_inline int answers_arp(struct ethhdr *ethernet, void *data_end, __u32 ifindex)
{
	struct arp_ipv4 *arp = (void *)(ethernet + 1);
	struct arp4_key key = {.ifindex = ifindex};
	__u32 *flags;

	if ((void *)(arp + 1) > data_end)
		return 0;
	__builtin_memcpy(&key.address, arp->target_address, sizeof(key.address));
	flags = bpf_map_lookup_elem(&owned4, &key.address);
	return (flags && (*flags & OWNED_ARP_ALL)) || bpf_map_lookup_elem(&arp4, &key) != NULL;
}

static __always_inline int is_served(struct ethhdr *ethernet, void *data_end)
{
	struct iphdr *ip = (void *)(ethernet + 1);
	__u32 *flags;

	if ((void *)(ip + 1) > data_end)
		return 0;
	flags = bpf_map_lookup_elem(&owned4, &ip->daddr);
	return flags && (*flags & OWNED_SERVE);
}

static __always_inline int to_socket(struct xdp_md *ctx, const struct port *port, __u32 outcome)
{
	/* A queue beyond the port's share would land on another port's socket. */
	__u32 key = port->id * QUEUES_PER_PORT + ctx->rx_queue_index;
	long verdict =
		ctx->rx_queue_index < QUEUES_PER_PORT ? bpf_redirect_map(&xsks, key, XDP_PASS) : (long)XDP_PASS;

	count(verdict == XDP_REDIRECT ? outcome : OUTCOME_NO_SOCKET);
	return verdict;
}

SEC("xdp.frags")
int sluice_xdp(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = (void *)(long)ctx->data;
	__u32 ifindex = ctx->ingress_ifindex;
	struct port *port = bpf_map_lookup_elem(&ports, &ifindex);

	if (!port) {
		count(OUTCOME_PASS_UNKNOWN_PORT);
		return XDP_PASS;
	}
	if ((void *)(ethernet + 1) <= data_end) {
		if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
			if (is_served(ethernet, data_end))
				return to_socket(ctx, port, OUTCOME_REDIRECT_OWNED);
			if (is_live_reply(ethernet, data_end))
				return to_socket(ctx, port, OUTCOME_REDIRECT_REPLY);
		} else if (ethernet->h_proto == bpf_htons(ETH_P_ARP)) {
			if (answers_arp(ethernet, data_end, ifindex))
				return to_socket(ctx, port, OUTCOME_REDIRECT_ARP);
		}
	}
	if (port->flags & PORT_DROP_OTHERS) {
		count(OUTCOME_DROP_NOT_OURS);
		return XDP_DROP;
	}
	count(OUTCOME_PASS_NOT_OURS);
	return XDP_PASS;
}

#endif
