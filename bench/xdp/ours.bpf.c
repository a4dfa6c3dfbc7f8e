// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The product's XDP program behind the frames of the benchmark. */
#include "frames.h"
#include "sluice_xdp.h"

SEC("xdp.frags")
int hit(struct xdp_md *ctx)
{
	return write_frame(ctx) ? open_door(ctx) : XDP_ABORTED;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
