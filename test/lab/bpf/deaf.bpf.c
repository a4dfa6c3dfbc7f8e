/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A host that is deaf to one question: what a bridge sends to it loses every ARP request and reply that is about
 * 10.0.5.100. All else reaches it, so that it looks as well as ever from everywhere else.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define UNHEARD bpf_htonl(0x0a000564)
/* Of the address that is asked for, in an ARP frame (RFC 826). */
#define TARGET_OFFSET (ETH_HLEN + 24)

SEC("egress")
int unheard(struct __sk_buff *frame)
{
	__u32 target;

	if (frame->protocol != bpf_htons(ETH_P_ARP) || bpf_skb_load_bytes(frame, TARGET_OFFSET, &target, sizeof(target)))
		return TC_ACT_OK;
	return target == UNHEARD ? TC_ACT_SHOT : TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
