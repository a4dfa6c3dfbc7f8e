/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Seconds of the monotonic clock, as in the flow rows. */
#ifndef SLUICE_CLOCK_H
#define SLUICE_CLOCK_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define NANOSECONDS 1000000000ull

/* The tick in which the clock was read last, and the second that it was. One word, so that CPUs share it without a lock. */
static __u64 tick_and_second;

/*
 * The clock is read once in a tick (some milliseconds): between two of them the coarse one says the same, and a tick's
 * number is one load where a clock is a function call and a division. The second begins up to a tick late.
 */
static __always_inline __u32 now_seconds(void)
{
	__u32 tick = bpf_jiffies64();
	__u64 known = *(volatile __u64 *)&tick_and_second;

	if (known >> 32 != tick) {
		known = (__u64)tick << 32 | (__u32)(bpf_ktime_get_coarse_ns() / NANOSECONDS);
		*(volatile __u64 *)&tick_and_second = known;
	}
	return known;
}

#endif
