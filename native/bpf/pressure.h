/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Whether the worker of a queue keeps up. XDP counts the frames that it gives to a socket, the worker those that it has
 * taken; what lies between them waits in the ring. Flows are opened here, for the worker,
 *
 *   behind    while three quarters of its ring are full,
 *   stalled   when it has taken nothing for a fifth of a second though frames wait,
 *   gone      when there is no socket,
 *
 * and from then on until there has been no such moment, and no great number of new flows, for two seconds. The decision is
 * made here and not by the process, for the process may be what is slow, or dead.
 */
#ifndef SLUICE_PRESSURE_H
#define SLUICE_PRESSURE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "maps.h"
#include "ways.h"

#define BEHIND_FRAMES 1536 /* of the 2048 of a ring: RING_SLOTS in src/worker/datapath-worker.ts */
#define STALLED_NANOSECONDS 200000000ull
#define CALM_NANOSECONDS 2000000000ull
/* New flows in a tenth of a second, on one queue, that nobody would call calm. */
#define RUSH_NANOSECONDS 100000000ull
#define RUSH_FLOWS 2000

#define PRESSURE_NONE 0
#define PRESSURE_BEHIND 1
#define PRESSURE_STALLED 2
#define PRESSURE_GONE 3

struct queue {
	__u32 offered; /* frames given to the socket: written here */
	__u32 taken;   /* by the worker; it makes both alike when its ring is empty, for the kernel may have lost some */
	__u32 seen;    /* `taken` as it was at the last frame */
	__u32 reason;  /* for which flows are opened here: PRESSURE_* */
	__u64 moved_at;   /* nanoseconds of the monotonic clock: when the worker was seen to do anything */
	__u64 pressed_at; /* the last moment of pressure; 0 = never */
	__u64 since;      /* when the pressure of now began */
	__u64 rush_from;
	__u32 rush;
	__u32 opened; /* flows opened here */
	__u32 unused[2];
};

_Static_assert(sizeof(struct queue) == 64, "a queue's words are one cache line");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_PORTS * QUEUES_PER_PORT);
	__type(key, __u32);
	__type(value, struct queue);
} queues SEC(".maps");

static __always_inline __u32 pressure_of(struct queue *queue, __u32 socket, __u64 now)
{
	__u32 taken = *(volatile __u32 *)&queue->taken;
	__s32 waiting = queue->offered - taken;

	if (!bpf_map_lookup_elem(&xsks, &socket))
		return PRESSURE_GONE;
	if (taken != queue->seen || waiting <= 0) {
		queue->seen = taken;
		queue->moved_at = now;
	}
	if (waiting > BEHIND_FRAMES)
		return PRESSURE_BEHIND;
	return now - queue->moved_at > STALLED_NANOSECONDS ? PRESSURE_STALLED : PRESSURE_NONE;
}

/* Asked for every frame that would go to a socket to open a flow. Two CPUs at once may count one for the other. */
static __always_inline int is_pressed(struct queue *queue, __u32 socket)
{
	__u64 now = bpf_ktime_get_coarse_ns();
	__u32 reason = pressure_of(queue, socket, now);

	if (reason) {
		if (!queue->reason)
			queue->since = now;
		if (queue->reason != reason)
			queue->reason = reason;
		queue->pressed_at = now;
		return 1;
	}
	if (!queue->reason)
		return 0;
	if (now - queue->rush_from > RUSH_NANOSECONDS) {
		queue->rush_from = now;
		queue->rush = 0;
	}
	if (++queue->rush > RUSH_FLOWS)
		queue->pressed_at = now;
	if (now - queue->pressed_at < CALM_NANOSECONDS)
		return 1;
	queue->reason = PRESSURE_NONE;
	return 0;
}

#endif
