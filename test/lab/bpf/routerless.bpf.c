/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A host that has lost its router: what a bridge sends to it loses all by which 10.0.5.1 or fd05::1 says where it is. The
 * link is up, and everybody else on it is heard.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ROUTER4 bpf_htonl(0x0a000501)
/* The first and the last word of fd05::1; those between are 0. */
#define ROUTER6_FIRST bpf_htonl(0xfd050000)
#define ROUTER6_LAST bpf_htonl(1)
/* Of the sender's address in an ARP frame (RFC 826). */
#define SENDER_OFFSET (ETH_HLEN + 14)
#define NEXT_HEADER_OFFSET (ETH_HLEN + 6)
#define SOURCE6_OFFSET (ETH_HLEN + 8)
#define ICMP6_OFFSET (ETH_HLEN + 40)
/* Of the target in a neighbour advertisement (RFC 4861 section 4.4). */
#define TARGET6_OFFSET (ICMP6_OFFSET + 8)
#define SOLICITATION 135
#define ADVERTISEMENT 136

static __always_inline int is_router6(struct __sk_buff *frame, int offset)
{
	__u32 address[4];

	return !bpf_skb_load_bytes(frame, offset, address, sizeof(address)) && address[0] == ROUTER6_FIRST && !address[1] &&
	       !address[2] && address[3] == ROUTER6_LAST;
}

SEC("egress")
int routerless(struct __sk_buff *frame)
{
	__u32 sender;
	__u8 next, type;

	if (frame->protocol == bpf_htons(ETH_P_ARP)) {
		if (bpf_skb_load_bytes(frame, SENDER_OFFSET, &sender, sizeof(sender)))
			return TC_ACT_OK;
		return sender == ROUTER4 ? TC_ACT_SHOT : TC_ACT_OK;
	}
	if (frame->protocol != bpf_htons(ETH_P_IPV6) ||
	    bpf_skb_load_bytes(frame, NEXT_HEADER_OFFSET, &next, sizeof(next)) || next != IPPROTO_ICMPV6 ||
	    bpf_skb_load_bytes(frame, ICMP6_OFFSET, &type, sizeof(type)))
		return TC_ACT_OK;
	if (type == SOLICITATION && is_router6(frame, SOURCE6_OFFSET))
		return TC_ACT_SHOT;
	return type == ADVERTISEMENT && is_router6(frame, TARGET6_OFFSET) ? TC_ACT_SHOT : TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
