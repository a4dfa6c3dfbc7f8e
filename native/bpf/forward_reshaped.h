/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Forwarding of established flows whose frames change their length: those of tagged ports, and of direct server return. As
 * forward.h, on a frame from which the tags of its port, and what another gateway has put on it, have been taken off; where
 * it is not forwarded all of that goes on again.
 */
#ifndef SLUICE_FORWARD_RESHAPED_H
#define SLUICE_FORWARD_RESHAPED_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "dsr_receive.h"
#include "forward.h"
#include "maps.h"
#include "reshape.h"

/* Not static: the verifier then looks at them once, and not again for each way that leads here. */
__noinline int forward_reshaped4(struct xdp_md *ctx, __u32 in_port)
{
	struct port_row *in = bpf_map_lookup_elem(&port_rows, &in_port);
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	struct reshaping *shape = bpf_map_lookup_elem(&reshapings, &zero);

	return set && in && shape ? forward_ipv4(ctx, set, in, in_port, shape) : NOT_FORWARDED;
}

__noinline int forward_reshaped6(struct xdp_md *ctx, __u32 in_port)
{
	struct port_row *in = bpf_map_lookup_elem(&port_rows, &in_port);
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	struct reshaping *shape = bpf_map_lookup_elem(&reshapings, &zero);

	return set && in && shape ? forward_ipv6(ctx, set, in, in_port, shape) : NOT_FORWARDED;
}

static __always_inline int forward_unwrapped(struct xdp_md *ctx, __u32 in_port, struct reshaping *shape)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end)
		return NOT_FORWARDED;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		shape->family = 4;
		return forward_reshaped4(ctx, in_port);
	}
	if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
		shape->family = 6;
		return forward_reshaped6(ctx, in_port);
	}
	return NOT_FORWARDED;
}

/* `wrapping` is what the door has found around the packet. */
__noinline int forward_reshaped(struct xdp_md *ctx, __u32 in_port, __u32 wrapping)
{
	struct port_row *in = bpf_map_lookup_elem(&port_rows, &in_port);
	__u32 zero = 0;
	struct reshaping *shape = bpf_map_lookup_elem(&reshapings, &zero);
	int verdict = NOT_FORWARDED;

	if (!in || !shape || !take_tags(ctx, in, shape))
		return NOT_FORWARDED;
	shape->stripped_bytes = 0;
	if (unwrap(ctx, wrapping)) {
		verdict = forward_unwrapped(ctx, in_port, shape);
		if (verdict == NOT_FORWARDED)
			wrap_again(ctx, wrapping);
	}
	if (verdict == NOT_FORWARDED)
		return_tags(ctx, shape);
	return verdict;
}

#endif
