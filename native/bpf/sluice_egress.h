/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Replies of local pods, when the inside is the node's own stack: caught on the uplink's tc egress hook, where the stack
 * has already chosen the next hop and written both MAC addresses. Those of established flows are translated here
 * (egress_forward.h); the others are turned back through our veth pair to the worker.
 *
 *   pod -> stack -> [uplink egress: here] -> sl0 ~~~ sl1 -> native XDP -> socket -> worker -> socket -> uplink
 *
 * The last step does not come by here again: what a socket transmits skips the egress hook, so there is no loop.
 * bpf_redirect leaves by sl0 (no BPF_F_INGRESS), whose transmit offloads are off: superframes are cut into frames and
 * unfinished checksums are finished on the way.
 *
 * Frames in the pair are untagged: the uplink's VLAN tags come off here, and the worker puts them on again.
 */
#ifndef SLUICE_EGRESS_H
#define SLUICE_EGRESS_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "direct_answer.h"
#include "egress_forward.h"
#include "frame.h"
#include "live_reply.h"
#include "maps.h"
#include "outcome.h"
#include "packet.h"
#include "sample.h"

/*
 * -1 is TCX_NEXT and TC_ACT_UNSPEC: the next program of the hook runs. TC_ACT_OK would end the chain and blind a CNI's
 * own program behind us.
 */
#define NEXT_PROGRAM TC_ACT_UNSPEC

/* The tag that the kernel keeps beside the frame for the driver to write, as it would be on the wire; 0 = none. */
static __always_inline __u32 lifted_tag(const struct __sk_buff *skb)
{
	return skb->vlan_present ? (skb->vlan_proto & 0xffff) | ((__u32)bpf_htons(skb->vlan_tci) << 16) : 0;
}

static __always_inline int take_tags_off(struct __sk_buff *skb, const struct port *port)
{
	return (!port->vlan[0] || bpf_skb_vlan_pop(skb) == 0) && (!port->vlan[1] || bpf_skb_vlan_pop(skb) == 0);
}

static __always_inline enum reply_kind judge_egress(const struct frame *frame, const struct settings *set,
						    __u16 protocol)
{
	__u8 family = protocol == bpf_htons(ETH_P_IP) ? 4 : protocol == bpf_htons(ETH_P_IPV6) ? 6 : 0;
	struct packet packet = {};
	enum reply_kind kind;

	if (!family || !read_header(frame, frame->network, family, &packet) ||
	    (packet.traits & PACKET_MALFORMED) || !find_transport(frame, &packet))
		return NO_REPLY;
	kind = find_live_reply(frame, &packet, set);
	return kind == REPLY && answers_directly(frame, &packet, set) ? NO_REPLY : kind;
}

SEC("tc")
int sluice_egress(struct __sk_buff *skb)
{
	struct frame frame = {.ctx = skb, .hook = IN_TC};
	__u32 ifindex = skb->ifindex;
	struct port *port = find_port(ifindex);
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	enum reply_kind reply;
	__u16 protocol;

	if (!set || !port || !port->pair_ifindex)
		return NEXT_PROGRAM;
	protocol = network_protocol(&frame, port, lifted_tag(skb));
	if ((set->flags & SETTINGS_FORWARD) && frame.network == ETH_HLEN && forward_reply(skb, set, protocol)) {
		count(OUTCOME_EGRESS_FORWARD);
		if (is_sampled(set))
			sample_skb(skb, port->id);
		return NEXT_PROGRAM;
	}
	reply = judge_egress(&frame, set, protocol);
	if (reply == NO_REPLY || !take_tags_off(skb, port))
		return NEXT_PROGRAM;
	count(OUTCOME_EGRESS_REPLY + (reply - REPLY));
	return bpf_redirect(port->pair_ifindex, 0);
}

#endif
