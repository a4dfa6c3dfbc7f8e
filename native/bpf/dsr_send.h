/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Direct server return, the sending side: what src/dataplane/dsr-send.ts does with a request of an established flow. First
 * what the packet gains is found out, then it is translated as ever, then dressed (dress.h).
 *
 * Tunnels' ends are in the epoch's map (forwarding_table.h); a backend that is no longer there is the worker's to say.
 * What routers have said about paths the workers write down (src/dataplane/path-mtu.ts).
 */
#ifndef SLUICE_DSR_SEND_H
#define SLUICE_DSR_SEND_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "checksum.h"
#include "clock.h"
#include "dsr_option.h"
#include "flow_row.h"
#include "forwarding_table.h"
#include "packet.h"
#include "reshape.h"
#include "transport.h"
#include "tunnel.h"

#define DSR_OPTION6_BYTES 24
#define GENEVE_OPTION4_BYTES 12
#define GENEVE_OPTION6_BYTES 24
/* A flow that came here in its middle tells the backend's node so often whom it is for: one frame may get lost. */
#define MID_FLOW_REPEATS 3

struct path_mtu {
	struct address address;
	__u32 mtu;
	__u32 second; /* when it was learned; 0 while it is written */
	__u32 unused[2];
};

#define PATH_MTU_BITS 8
#define PATH_MTU_SECONDS 600

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << PATH_MTU_BITS);
	__type(key, __u32);
	__type(value, struct path_mtu);
} path_mtus SEC(".maps");

/* Whether a packet of so many bytes may go to the other end of a tunnel. */
static __always_inline int fits_path(const struct address *remote, __u32 packet_bytes)
{
	__u32 folded = remote->words[0] ^ remote->words[1] ^ remote->words[2] ^ remote->words[3];
	__u32 place = folded * 0x9e3779b1u >> (32 - PATH_MTU_BITS);
	const struct path_mtu *known = bpf_map_lookup_elem(&path_mtus, &place);
	__u32 second = known ? *(volatile __u32 *)&known->second : 0;

	return !second || now_seconds() - second >= PATH_MTU_SECONDS ||
	       !same_address(known->address.words, remote) || packet_bytes <= known->mtu;
}

static __always_inline int sends_dsr(__u32 egress)
{
	return (egress & EGRESS_DSR) && (egress >> EGRESS_DSR_KIND_SHIFT & 7) != DSR_RECEIVED;
}

/* Whether a frame tells whom it is for: every datagram, and of TCP the first ones. */
static __always_inline int informs(const struct request *request)
{
	if (request->protocol != IPPROTO_TCP || (request->flags & TCP_SYN))
		return 1;
	return !(request->state & TCP_SYN) && request->packets < MID_FLOW_REPEATS;
}

/*
 * Whether a packet inside UDP over IPv6, where a zero checksum is not taken by all (RFC 6935), can have one without its
 * payload being read: when its own checksum, which then says what the payload adds up to, is there and covers all.
 */
static __always_inline int is_sealable(__u32 protocol, const void *transport, const void *end, __u32 payload_bytes,
				       __u32 delta)
{
	const struct tcphdr *tcp = transport;
	const struct udphdr *udp = transport;

	if (protocol == IPPROTO_TCP)
		return (const void *)(tcp + 1) <= end && apply_delta(tcp->check, delta);
	return (const void *)(udp + 1) <= end && udp->check && bpf_ntohs(udp->len) == payload_bytes;
}

static __always_inline int is_to_be_sealed(const struct reshaping *shape)
{
	return (shape->kind == DSR_GUE || shape->kind == DSR_GENEVE) && shape->outer_family == 6;
}

/* What the packet at hand is to become; 0 when the worker must say. Not static, for its share of the stack. */
__noinline int plan_dress(void)
{
	__u32 zero = 0;
	struct reshaping *shape = bpf_map_lookup_elem(&reshapings, &zero);
	struct request *request;
	struct tunnel tunnel;
	__u32 kind, outer;

	if (!shape)
		return 0;
	request = &shape->request;
	kind = request->egress >> EGRESS_DSR_KIND_SHIFT & 7;
	shape->growth_bytes = 0;
	shape->kind = UNDRESSED;
	if (!sends_dsr(request->egress) || kind == DSR_LINK)
		return 1;
	shape->kind = kind;
	shape->protocol = request->protocol;
	shape->informs = informs(request);
	shape->entropy = (request->row + 1) * 0x9e3779b1u >> 12;
	if (!find_tunnel(request->owner, kind != DSR_OPTION, &tunnel))
		return 0;
	if (kind == DSR_OPTION) {
		shape->is_network_order = tunnel.is_network_order;
		shape->growth_bytes = !shape->informs ? 0 : shape->family == 4 ? DSR_OPTION4_BYTES : DSR_OPTION6_BYTES;
		return 1;
	}
	shape->outer_family = is_mapped(&tunnel.remote) ? 4 : 6;
	outer = shape->outer_family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	shape->remote = tunnel.remote;
	if (shape->outer_family == 4)
		map_ipv4(&shape->own, tunnel.own4);
	else
		shape->own = tunnel.own6;
	if (shape->outer_family == 4 ? !tunnel.own4 : !(tunnel.own6.words[0] | tunnel.own6.words[1]))
		return 0;
	shape->tunnel_port = kind == DSR_GUE ? tunnel.ports & 0xffff : tunnel.ports >> 16;
	shape->vni = tunnel.vni;
	shape->growth_bytes = outer;
	if (kind != DSR_IPIP)
		shape->growth_bytes += sizeof(struct udphdr);
	if (kind == DSR_GENEVE) {
		shape->growth_bytes += GENEVE_HEADER_BYTES + ETH_HLEN;
		if (shape->informs)
			shape->growth_bytes += shape->family == 4 ? GENEVE_OPTION4_BYTES : GENEVE_OPTION6_BYTES;
	}
	return fits_path(&shape->remote, request->packet_bytes + shape->growth_bytes);
}

#endif
