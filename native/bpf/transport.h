/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the programs forward of TCP and UDP by themselves: segments and datagrams that are right in themselves, by the rules
 * of transportFault() in src/dataplane/classify.ts.
 */
#ifndef SLUICE_TRANSPORT_H
#define SLUICE_TRANSPORT_H

#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "checksum.h"
#include "flow_row.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

static __always_inline __u32 tcp_header_bytes(const struct tcphdr *tcp)
{
	return (((const __u8 *)tcp)[12] >> 4) * 4;
}

static __always_inline __u32 tcp_flags(const struct tcphdr *tcp)
{
	return ((const __u8 *)tcp)[13];
}

static __always_inline int is_whole_segment(const struct tcphdr *tcp, __u32 payload_bytes)
{
	__u32 header_bytes = tcp_header_bytes(tcp);

	return header_bytes >= sizeof(*tcp) && header_bytes <= payload_bytes;
}

/* Neither opens nor resets a flow: nearly all segments. */
static __always_inline int is_plain(__u32 flags)
{
	return (flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK;
}

/* The other combinations that some TCP sends on purpose (src/wire/transport.ts). */
static __always_inline int is_valid(__u32 flags)
{
	switch (flags & (TCP_URG | TCP_ACK | TCP_RST | TCP_SYN | TCP_FIN)) {
	case TCP_SYN:
	case TCP_SYN | TCP_URG:
	case TCP_SYN | TCP_ACK:
	case TCP_RST:
	case TCP_RST | TCP_ACK:
	case TCP_RST | TCP_ACK | TCP_URG:
		return 1;
	default:
		return 0;
	}
}

static __always_inline int is_sound_datagram(const struct udphdr *udp, __u32 payload_bytes)
{
	__u32 length = bpf_ntohs(udp->len);

	return length >= sizeof(*udp) && length <= payload_bytes;
}

/* UDP leaves a zero checksum alone and never makes one (RFC 768). */
static __always_inline void update_udp_checksum(struct udphdr *udp, __u32 delta)
{
	if (udp->check) {
		__u16 changed = apply_delta(udp->check, delta);

		udp->check = changed ? changed : 0xffff;
	}
}

/*
 * Atomic: a worker counts the frames of the same row that are left to it, and what leaves the stack comes from any processor.
 * Two locked additions on a line that is at hand cost 3 ns of 40 (bench/xdp).
 */
static __always_inline void count_row(__u64 *packets, __u64 *bytes, __u32 *last_seen, __u32 frames, __u32 length,
				      __u32 now)
{
	if (*(volatile __u32 *)last_seen != now)
		*(volatile __u32 *)last_seen = now;
	__sync_fetch_and_add(packets, (__u64)frames);
	__sync_fetch_and_add(bytes, (__u64)length);
}

#endif
