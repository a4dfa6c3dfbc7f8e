/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Samples of the frames that are forwarded here, for people who look (src/trace): the frame as it goes on, one of every
 * `settings.sample_every`. While nobody looks that is 0, and a frame costs one comparison with a word that lies in a cache
 * line at hand.
 *
 * Whoever reads the ring looks now and then, so nobody is woken. What finds no room is counted.
 */
#ifndef SLUICE_SAMPLE_H
#define SLUICE_SAMPLE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"
#include "outcome.h"

/* Headers, and a little of what is behind them. */
#define SAMPLE_BYTES 256

/* src/xdp/frame-samples.ts reads it. */
struct sample {
	__u64 nanoseconds; /* of the monotonic clock */
	__u32 length;      /* of the frame, which may be a superframe */
	__u16 captured;    /* bytes of it here */
	__u8 port;         /* by which it came in, or, at the egress hook, leaves */
	__u8 hook;         /* IN_XDP or IN_TC */
	__u8 frame[SAMPLE_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} samples SEC(".maps");

/* `every` is a power of two. */
static __always_inline int is_sampled(const struct settings *set)
{
	__u32 every = set->sample_every;

	return __builtin_expect(every != 0, 0) && (bpf_get_prandom_u32() & (every - 1)) == 0;
}

static __always_inline struct sample *new_sample(__u32 length, __u32 port, __u32 hook)
{
	struct sample *sample = bpf_ringbuf_reserve(&samples, sizeof(*sample), 0);

	if (!sample) {
		count(OUTCOME_SAMPLE_LOST);
		return NULL;
	}
	sample->nanoseconds = bpf_ktime_get_ns();
	sample->length = length;
	sample->captured = length < SAMPLE_BYTES ? length : SAMPLE_BYTES;
	sample->port = port;
	sample->hook = hook;
	return sample;
}

/* Out of line: what is hardly ever run shall not lie between what always is. */
static __noinline int sample_xdp(struct xdp_md *ctx, __u32 port)
{
	__u32 length = frame_bytes(ctx);
	/* A number of bytes that varies is for the helper only. */
	struct sample *sample = kernel_has_frags ? new_sample(length, port, IN_XDP) : NULL;

	if (!sample)
		return 0;
	/* A frame has at least its Ethernet header, which the verifier can't know. */
	length = ((length < SAMPLE_BYTES ? length : SAMPLE_BYTES) - 1) & (SAMPLE_BYTES - 1);
	if (bpf_xdp_load_bytes(ctx, 0, sample->frame, length + 1))
		bpf_ringbuf_discard(sample, BPF_RB_NO_WAKEUP);
	else
		bpf_ringbuf_submit(sample, BPF_RB_NO_WAKEUP);
	return 0;
}

static __noinline int sample_skb(struct __sk_buff *skb, __u32 port)
{
	__u32 length = skb->len;
	struct sample *sample = new_sample(length, port, IN_TC);

	if (!sample)
		return 0;
	length = ((length < SAMPLE_BYTES ? length : SAMPLE_BYTES) - 1) & (SAMPLE_BYTES - 1);
	if (bpf_skb_load_bytes(skb, 0, sample->frame, length + 1))
		bpf_ringbuf_discard(sample, BPF_RB_NO_WAKEUP);
	else
		bpf_ringbuf_submit(sample, BPF_RB_NO_WAKEUP);
	return 0;
}

#endif
