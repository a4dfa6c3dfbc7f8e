/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Replies of local pods, when the inside is the node's own stack: caught on the uplink's tc egress hook, where the stack
 * has already chosen the next hop and written both MAC addresses, and turned back through our veth pair to the worker.
 *
 *   pod -> stack -> [uplink egress: here] -> sl0 ~~~ sl1 -> native XDP -> socket -> worker -> socket -> uplink
 *
 * The last step does not come by here again: what a socket transmits skips the egress hook, so there is no loop.
 * bpf_redirect leaves by sl0 (no BPF_F_INGRESS), whose transmit offloads are off: superframes are cut into frames and
 * unfinished checksums are finished on the way.
 */
#ifndef SLUICE_EGRESS_H
#define SLUICE_EGRESS_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "flow_lookup.h"
#include "maps.h"

/*
 * -1 is TCX_NEXT and TC_ACT_UNSPEC: the next program of the hook runs. TC_ACT_OK would end the chain and blind a CNI's
 * own program behind us.
 */
#define NEXT_PROGRAM TC_ACT_UNSPEC

#define HEADERS_LENGTH (sizeof(struct ethhdr) + sizeof(struct iphdr) + 4)

SEC("tc")
int sluice_egress(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct settings *set;

	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->vlan_present)
		return NEXT_PROGRAM;
	set = bpf_map_lookup_elem(&settings, &zero);
	if (!set || set->inside_ifindex == 0)
		return NEXT_PROGRAM;
	/* The headers of a frame assembled from pages may lie outside the linear part. */
	if ((void *)(long)skb->data + HEADERS_LENGTH > (void *)(long)skb->data_end &&
	    bpf_skb_pull_data(skb, HEADERS_LENGTH) < 0)
		return NEXT_PROGRAM;

	void *data_end = (void *)(long)skb->data_end;
	struct ethhdr *ethernet = (void *)(long)skb->data;

	if ((void *)(ethernet + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP) ||
	    !is_live_reply(ethernet, data_end))
		return NEXT_PROGRAM;
	count(OUTCOME_EGRESS_REPLY);
	return bpf_redirect(set->inside_ifindex, 0);
}

#endif
