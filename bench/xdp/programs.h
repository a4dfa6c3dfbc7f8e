/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What both sides of the benchmark run behind the frames: the whole of the product's program. */
#ifndef BENCH_PROGRAMS_H
#define BENCH_PROGRAMS_H

#include "frames.h"
#include "sluice_xdp.h"

#define DSR_OUTER_BYTES 20

SEC("xdp.frags")
int hit(struct xdp_md *ctx)
{
	return write_frame(ctx) ? open_door(ctx) : XDP_ABORTED;
}

/* Of a flow that nobody knows: for the worker, of which there is none, so it is dropped. */
SEC("xdp.frags")
int miss(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;

	if (!write_frame(ctx) || data + 38 > (__u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
	data[34] ^= 0x80;
	return open_door(ctx);
}

/*
 * Into an IPIP tunnel. The next run gets the memory as this one leaves it, so the outer header comes off again, some 5 ns,
 * and what it has overwritten of the inner link header is mended.
 */
SEC("xdp.frags")
int dsr(struct xdp_md *ctx)
{
	int verdict = write_frame(ctx) ? open_door(ctx) : XDP_ABORTED;
	__u8 *data;

	if (bpf_xdp_adjust_head(ctx, DSR_OUTER_BYTES))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	if (data + ETH_HLEN > (__u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
	*(__u16 *)(data + 12) = bpf_htons(ETH_P_IP);
	return verdict;
}

#endif
