/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A VLAN device where the kernel has none: an interface gives what it sends the tag of VLAN 100, and takes that off what
 * it receives. Frames of other VLANs end here; those without a tag are of the native one, and so are lost as well.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VLAN 100
#define VLAN_MASK 0xfff

SEC("egress")
int tag(struct __sk_buff *frame)
{
	return bpf_skb_vlan_push(frame, bpf_htons(ETH_P_8021Q), VLAN) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("ingress")
int untag(struct __sk_buff *frame)
{
	if (!frame->vlan_present || (frame->vlan_tci & VLAN_MASK) != VLAN)
		return TC_ACT_SHOT;
	return bpf_skb_vlan_pop(frame) ? TC_ACT_SHOT : TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
