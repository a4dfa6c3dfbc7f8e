/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Seconds of the monotonic clock, as in the flow rows. */
#ifndef SLUICE_CLOCK_H
#define SLUICE_CLOCK_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define NANOSECONDS 1000000000ull

/* The second that was found last. One word, so that CPUs may share it without a lock. */
static __u64 second_now;

/* The coarse clock (one tick, some milliseconds) costs a third of the exact one, and a multiplication less than a division. */
static __always_inline __u32 now_seconds(void)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	__u64 second = *(volatile __u64 *)&second_now;

	if (now - second * NANOSECONDS >= NANOSECONDS) {
		second = now / NANOSECONDS;
		*(volatile __u64 *)&second_now = second;
	}
	return second;
}

#endif
