/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * SYN cookies, of a kind that a forwarder can have without keeping or translating anything (RFC 4987 §3.6 has the others).
 * Who ends connections itself puts its cookie into the sequence number and finds it in the third segment; here the backend
 * chooses that number, and what we had promised the client would have to be translated in every segment that follows. So
 * the client is not answered but asked:
 *
 *   client   SYN, seq x                     ->
 *                                          <-   SYN+ACK, ack = cookie, which acknowledges nothing
 *   client   RST, seq = cookie              ->  its source is proven for five minutes
 *   client   SYN, seq x, sent again         ->  goes on as if nothing had been
 *
 * RFC 9293 §3.10.7.3 has a client in SYN-SENT send just that, and stay there. A source that is not real never sees the
 * number. It costs a real one a round trip and its own retransmission, once: Linux sends again at once, others after a
 * second. Nothing is kept of a SYN; what is sent is not longer than what came.
 *
 * What it can't tell: a host whose address somebody else uses resets what it has not asked for by the same number, where no
 * firewall of its own keeps the question away. Those are few of a flood's, and meet the limit on new flows of a source.
 *
 * The cookie is the flow table's keyed hash of addresses and ports and of a time, so every node of a cluster knows it.
 */
#ifndef SLUICE_CHALLENGE_H
#define SLUICE_CHALLENGE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "admission.h"
#include "checksum.h"
#include "clock.h"
#include "flow_hash.h"
#include "frame.h"
#include "maps.h"
#include "outcome.h"
#include "packet.h"
#include "reshape.h"
#include "transport.h"

#define PROVEN_SECONDS 300
/* A cookie is good for one to two times so many seconds. */
#define COOKIE_SECONDS_SHIFT 6
/* In place of the protocol, so that no flow's hash is ever told to anybody. */
#define COOKIE_INPUT 0x80
#define COOKIE_TIME_MASK 0x7f
/* One bit is not compared: the number must not be the one that the client waits for. */
#define COOKIE_MASK 0xfffffffeu

#define CHALLENGE_TTL 64

/* A source, as in `sources`, -> the second until which it is proven. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, struct address);
	__type(value, __u32);
} proven_sources SEC(".maps");

static __always_inline void source_key(struct address *key, const struct address *source)
{
	*key = *source;
	if (!is_mapped(key))
		key->words[2] = key->words[3] = 0;
}

static __always_inline int is_proven(const struct address *source)
{
	struct address key;
	__u32 *until;

	source_key(&key, source);
	until = bpf_map_lookup_elem(&proven_sources, &key);
	return until && (__s32)(*until - now_seconds()) > 0;
}

/* `ports` as the client sends them. */
static __always_inline __u32 cookie_of(const struct settings *set, const struct flow_key *key, __u32 time)
{
	__u32 input = COOKIE_INPUT | (time & COOKIE_TIME_MASK);

	return COOKIE_MASK & (key->family == 4 ? flow_hash4(set, ipv4_of(&key->source), ipv4_of(&key->destination),
							    key->ports, input) :
						 flow_hash6(set, &key->source, &key->destination, key->ports, input));
}

/* The same of a segment: OUTCOME_REDIRECT_OWNED when it is no matter of this. */
static __always_inline enum outcome judge_segment(const struct frame *frame, const struct packet *packet,
						  const struct settings *set)
{
	__u32 time = now_seconds() >> COOKIE_SECONDS_SHIFT;
	__u32 until = now_seconds() + PROVEN_SECONDS;
	struct address key;
	__u32 seq;
	__u8 flags;

	if (packet->key.protocol != IPPROTO_TCP || (packet->traits & PACKET_LATER_FRAGMENT) ||
	    !load(frame, packet->transport + 13, &flags, sizeof(flags)))
		return OUTCOME_REDIRECT_OWNED;
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return is_proven(&packet->key.source) ? OUTCOME_REDIRECT_OWNED : OUTCOME_CHALLENGE;
	if (!(flags & TCP_RST) || !load(frame, packet->transport + 4, &seq, sizeof(seq)))
		return OUTCOME_REDIRECT_OWNED;
	seq = bpf_ntohl(seq) & COOKIE_MASK;
	if (seq != cookie_of(set, &packet->key, time) && seq != cookie_of(set, &packet->key, time - 1))
		return OUTCOME_REDIRECT_OWNED;
	source_key(&key, &packet->key.source);
	bpf_map_update_elem(&proven_sources, &key, &until, BPF_ANY);
	return OUTCOME_PROVEN;
}

/*
 * What becomes of a packet to a served address, where sources must be proven: that comes first, so that nobody uses up the
 * allowance of another by his address. Not static, so that the verifier looks at it once.
 */
__noinline int judge_unproven(struct xdp_md *ctx, const struct port *port)
{
	struct frame frame = {.ctx = ctx, .hook = IN_XDP};
	struct packet packet = {};
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	enum outcome outcome;
	__u16 protocol;

	if (!port || !set)
		return OUTCOME_REDIRECT_OWNED;
	protocol = network_protocol(&frame, port, 0);
	if (!read_header(&frame, frame.network, protocol == bpf_htons(ETH_P_IP) ? 4 : 6, &packet) ||
	    !find_transport(&frame, &packet))
		return OUTCOME_REDIRECT_OWNED;
	outcome = judge_segment(&frame, &packet, set);
	if (outcome == OUTCOME_REDIRECT_OWNED && is_over_source_limit(&frame, &packet))
		return OUTCOME_DROP_SOURCE_LIMIT;
	return outcome;
}

static __always_inline void swap_macs(__u8 *data)
{
	__u16 *macs = (void *)data;

	for (int half = 0; half < 3; half++) {
		__u16 destination = macs[half];

		macs[half] = macs[half + 3];
		macs[half + 3] = destination;
	}
}

/* The TCP header of the question, whose checksum is over `pseudo` besides. */
static __always_inline void write_question(struct tcphdr *tcp, const struct packet *packet, __u32 cookie, __u32 pseudo)
{
	__u32 *words = (void *)tcp;
	__u64 sum = pseudo;
	/* Not the acknowledgement that the client waits for, which would make it a connection. */
	__u32 ack = cookie == bpf_ntohl(words[1]) + 1 ? cookie | 1 : cookie;

	words[0] = packet->key.ports << 16 | packet->key.ports >> 16;
	words[1] = bpf_htonl(cookie);
	words[2] = bpf_htonl(ack);
	words[3] = 5 << 4 | (TCP_SYN | TCP_ACK) << 8;
	words[4] = 0;
	for (int word = 0; word < 5; word++)
		sum += words[word];
	tcp->check = ~fold(fold(sum & 0xffffffff) + (sum >> 32));
}

static __always_inline __u32 sum_both(const struct flow_key *key, __u32 bytes)
{
	__u64 sum = bpf_htons(IPPROTO_TCP) + (__u32)bpf_htons(bytes);

	for (int word = key->family == 4 ? 3 : 0; word < 4; word++)
		sum += (__u64)key->source.words[word] + key->destination.words[word];
	return fold(fold(sum & 0xffffffff) + (sum >> 32));
}

/*
 * Turns a SYN into the question, with the tags that it came with. 0 when it is not one that hosts send, with options or
 * extension headers in front: nobody gets in by those.
 */
__noinline int challenge(struct xdp_md *ctx, const struct port *port)
{
	struct frame frame = {.ctx = ctx, .hook = IN_XDP};
	struct packet packet = {};
	__u32 zero = 0, header_bytes, keep, length, cookie, family;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	__u8 *data, *ip, *end;
	__u16 protocol;

	if (!port || !set)
		return 0;
	protocol = network_protocol(&frame, port, 0);
	family = protocol == bpf_htons(ETH_P_IP) ? 4 : 6;
	header_bytes = family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	if (!read_header(&frame, frame.network, family, &packet) || packet.traits ||
	    packet.transport != frame.network + header_bytes || !find_transport(&frame, &packet) ||
	    packet.key.protocol != IPPROTO_TCP)
		return 0;
	keep = packet.transport + sizeof(struct tcphdr);
	length = frame_bytes(ctx);
	if (length < keep || (length > keep && bpf_xdp_adjust_tail(ctx, -(int)(length - keep))))
		return 0;
	cookie = cookie_of(set, &packet.key, now_seconds() >> COOKIE_SECONDS_SHIFT);
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ip = data + (frame.network & 0x1f);
	AS_IT_IS(ip);
	if (data + 2 * ETH_ALEN > end || ip + sizeof(struct iphdr) + sizeof(struct tcphdr) > end)
		return 0;
	swap_macs(data);
	if (family == 4) {
		__u32 *words = (void *)ip;

		words[0] = 0x45 | (__u32)bpf_htons(sizeof(struct iphdr) + sizeof(struct tcphdr)) << 16;
		words[1] = bpf_htonl(0x4000);
		words[2] = CHALLENGE_TTL | IPPROTO_TCP << 8;
		words[3] = packet.key.destination.words[3];
		words[4] = packet.key.source.words[3];
		((struct iphdr *)ip)->check = ~sum_ipv4_header(words);
		write_question((void *)(ip + sizeof(struct iphdr)), &packet, cookie,
			       sum_both(&packet.key, sizeof(struct tcphdr)));
		return 1;
	}
	struct ipv6hdr *ip6 = (void *)ip;

	if ((__u8 *)(ip6 + 1) + sizeof(struct tcphdr) > end)
		return 0;
	*(__u32 *)ip6 = 0x60;
	ip6->payload_len = bpf_htons(sizeof(struct tcphdr));
	ip6->hop_limit = CHALLENGE_TTL;
	*(struct address *)&ip6->saddr = packet.key.destination;
	*(struct address *)&ip6->daddr = packet.key.source;
	write_question((void *)(ip6 + 1), &packet, cookie, sum_both(&packet.key, sizeof(struct tcphdr)));
	return 1;
}

#endif
