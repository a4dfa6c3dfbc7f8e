/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The short way through XDP, for what nearly every frame is: whole in its first buffer and as long as it stays, a datagram
 * or a segment that says nothing new about its flow. To the same bytes as forward.h, which takes what is UNUSUAL; until it
 * is known not to be that, nothing has been changed. (src/dataplane/fast-path.ts is the workers'.) It is fast because
 * nothing rare is in it that would need a register: 4 ns of 43.
 *
 * What is left, by `npm run bench -- xdp` and programs without the one or the other, on a 3 GHz Xeon: 35 ns at 100 flows, 39
 * at 1,000, where rows and guesses no longer fit into the first cache. Of these the atomic additions are 2 to 5, port,
 * neighbour and MACs 3 to 4, the redirect 3, the VIP's counters 1 to 2, the check of the header's sum up to 2; key, guess,
 * row and translation, which nobody can do without, 23 to 27. Maps whose memory is addressed without a lookup would save
 * half a nanosecond.
 *
 * With 100,000 flows and more a row comes from memory: 130 to 160 ns, of which pages of 4 kB instead of 2 MB are 25 (the
 * kernel gives arrays no others), and a second row for a probe that goes on as much again, be it the other half of the same
 * 128 bytes: that is not fetched along. Tried at a million flows, as shares of the LRU_HASH twin in the same run: probing by
 * pairs of lines (home, home ^ 1, the next pair), 0.60, and by blocks (home ^ step), 0.60, against 0.59 as it is; by a
 * second hash, which needs 1.36 rows a packet instead of 1.46, 0.62 against 0.57. To touch the row beside before it is
 * needed, or the next two when the first is another's, costs the others more than it saves.
 */
#ifndef SLUICE_FAST_PATH_H
#define SLUICE_FAST_PATH_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "checksum.h"
#include "clock.h"
#include "flow_find.h"
#include "maps.h"
#include "traffic.h"
#include "translate.h"
#include "transport.h"
#include "way_out.h"

/* Data or an acknowledgement, in a direction of which no FIN or RST is known: the state stays what it is. */
static __always_inline int is_old_news(__u32 flags, __u32 state)
{
	return (flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) == TCP_ACK &&
	       (state & (flags | TCP_FIN | TCP_RST)) == flags;
}

/* `at` has room for a TCP header in any case. */
static __always_inline int is_usual(__u32 protocol, const void *at, __u32 payload_bytes, const __u32 *state)
{
	if (protocol == IPPROTO_TCP)
		return is_whole_segment(at, payload_bytes) &&
		       is_old_news(tcp_flags(at), *(const volatile __u32 *)state);
	return protocol == IPPROTO_UDP && is_sound_datagram(at, payload_bytes);
}

static __always_inline void update_checksum(__u32 protocol, void *at, __u32 delta)
{
	struct tcphdr *tcp = at;

	if (protocol == IPPROTO_TCP)
		tcp->check = apply_delta(tcp->check, delta);
	else
		update_udp_checksum(at, delta);
}

static __always_inline int forward_usual4(struct xdp_md *ctx, const struct settings *set, const struct port_row *in,
					  __u32 in_port)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	__u32 *ports = (void *)(ip + 1);
	__u32 protocol, total, egress, tag;
	struct flow_row *row;
	struct key4 key;
	struct way way;
	int verdict;

	if ((void *)ports + sizeof(struct tcphdr) > end)
		return UNUSUAL;
	if (*(__u8 *)ip != 0x45 || (ip->frag_off & bpf_htons(0x3fff)))
		return NOT_FORWARDED;
	protocol = ip->protocol;
	key.source = ip->saddr;
	key.destination = ip->daddr;
	key.ports = *ports;
	key.tag = FLOW_TAG_LIVE | protocol;
	row = find_row4(set, &key);
	if (!row)
		return NOT_FORWARDED;
	tag = tag_of(&row->tag);
	total = bpf_ntohs(ip->tot_len);
	if (!(tag & FLOW_TAG_OFFLOADED) || !is_to_port(data, in) || sum_ipv4_header((void *)ip) != 0xffff)
		return NOT_FORWARDED;
	if (data + ETH_HLEN + total > end || total < sizeof(*ip) + sizeof(struct udphdr) ||
	    !is_usual(protocol, ports, total - sizeof(*ip), &row->state))
		return UNUSUAL;
	egress = *(volatile __u32 *)&row->egress;
	verdict = find_way(egress, in, ip->ttl, total, &way, NULL);
	if (verdict)
		return verdict;

	update_checksum(protocol, ports, translate4(ip, ports, row, egress));
	verdict = leave_by(&way, data, in, in_port);
	count_vip(row->owner, tag, 1, end - data);
	/* Last, for nothing that comes after locked additions is begun before they are done: half a nanosecond to one of 40 (bench/xdp). */
	count_row(&row->packets, &row->bytes, &row->last_seen_seconds, 1, end - data, now_seconds());
	return verdict;
}

static __always_inline int forward_usual6(struct xdp_md *ctx, const struct settings *set, const struct port_row *in,
					  __u32 in_port)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip = data + ETH_HLEN;
	__u32 *ports = (void *)(ip + 1);
	__u32 protocol, payload, egress, tag;
	struct flow6_row *row;
	struct key6 key;
	struct way way;
	int verdict;

	if ((void *)ports + sizeof(struct tcphdr) > end)
		return UNUSUAL;
	if (*(__u8 *)ip >> 4 != 6 || (ip->nexthdr != IPPROTO_TCP && ip->nexthdr != IPPROTO_UDP))
		return NOT_FORWARDED;
	protocol = ip->nexthdr;
	key.source = *(struct address *)&ip->saddr;
	key.destination = *(struct address *)&ip->daddr;
	key.ports = *ports;
	key.tag = FLOW_TAG_LIVE | protocol;
	row = find_row6(set, &key);
	if (!row)
		return NOT_FORWARDED;
	tag = tag_of(&row->tag);
	payload = bpf_ntohs(ip->payload_len);
	if (!(tag & FLOW_TAG_OFFLOADED) || !is_to_port(data, in))
		return NOT_FORWARDED;
	if (data + ETH_HLEN + sizeof(*ip) + payload > end || !is_usual(protocol, ports, payload, &row->state))
		return UNUSUAL;
	egress = *(volatile __u32 *)&row->egress;
	verdict = find_way(egress, in, ip->hop_limit, payload + sizeof(*ip), &way, NULL);
	if (verdict)
		return verdict;

	update_checksum(protocol, ports, translate6(ip, ports, row, egress));
	verdict = leave_by(&way, data, in, in_port);
	count_vip(row->owner, tag, 1, end - data);
	count_row(&row->packets, &row->bytes, &row->last_seen_seconds, 1, end - data, now_seconds());
	return verdict;
}

#endif
