/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The tunnel devices of a host whose kernel has none: takes what comes in IPIP (also IPv6 in IPv6) or in GUE to UDP port
 * 6080 out of its tunnel, as it comes in. It knows nothing of Sluice; what is inside goes to whoever in the host has the
 * address that it is for.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define GUE_PORT 6080

static __always_inline int open_tunnel(struct __sk_buff *frame, __u32 header_bytes, __u8 protocol, __u8 in_ip)
{
	struct udphdr udp;

	if (protocol == in_ip)
		return bpf_skb_adjust_room(frame, -(__s32)header_bytes, BPF_ADJ_ROOM_MAC, 0) ? TC_ACT_SHOT : TC_ACT_OK;
	if (protocol != IPPROTO_UDP || bpf_skb_load_bytes(frame, ETH_HLEN + header_bytes, &udp, sizeof(udp)))
		return TC_ACT_OK;
	if (udp.dest != bpf_htons(GUE_PORT))
		return TC_ACT_OK;
	return bpf_skb_adjust_room(frame, -(__s32)(header_bytes + sizeof(udp)), BPF_ADJ_ROOM_MAC, 0) ? TC_ACT_SHOT
												    : TC_ACT_OK;
}

SEC("ingress")
int open_tunnels(struct __sk_buff *frame)
{
	struct ipv6hdr ipv6;
	struct iphdr ipv4;

	if (frame->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(frame, ETH_HLEN, &ipv4, sizeof(ipv4)))
			return TC_ACT_OK;
		return open_tunnel(frame, sizeof(ipv4), ipv4.protocol, IPPROTO_IPIP);
	}
	if (frame->protocol == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(frame, ETH_HLEN, &ipv6, sizeof(ipv6)))
			return TC_ACT_OK;
		return open_tunnel(frame, sizeof(ipv6), ipv6.nexthdr, IPPROTO_IPV6);
	}
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
