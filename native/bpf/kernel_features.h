/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What kernels have since when: frames in several buffers, and the helpers that read them, since 5.18. The loader asks the
 * kernel and writes the answer here before it loads, as a constant to the verifier: what does not apply is never looked
 * at, and not in the program that runs. Without them a frame is what lies in its first buffer, which is all of it, as no
 * driver gives others to such a program.
 */
#ifndef SLUICE_KERNEL_FEATURES_H
#define SLUICE_KERNEL_FEATURES_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 kernel_has_frags SEC(".rodata.features") = 1;

static __always_inline __u32 frame_bytes(struct xdp_md *ctx)
{
	return kernel_has_frags ? bpf_xdp_get_buff_len(ctx) : ctx->data_end - ctx->data;
}

/* The longest header that is read at once: that of IPv6. */
struct header_bytes {
	__u8 bytes[40];
};

/* Offsets beyond this are no header's, and the verifier would not follow them. */
#define LINEAR_BYTES 0x3fff

/* Not static: the verifier looks at the loop once, and forgets where in the frame it has led. */
__noinline int load_linear(struct xdp_md *ctx, __u32 offset, struct header_bytes *into, __u32 length_bytes)
{
	__u8 *at = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if (!into || offset > LINEAR_BYTES)
		return 0;
	at += offset;
	for (__u32 i = 0; i < sizeof(*into) && i < length_bytes; i++) {
		if ((void *)(at + i + 1) > end)
			return 0;
		into->bytes[i] = at[i];
	}
	return 1;
}

/* Copies bytes of the frame, a constant number of them; 0 when it ends before them. */
static __always_inline int load_xdp(struct xdp_md *ctx, __u32 offset, void *into, __u32 length_bytes)
{
	if (kernel_has_frags)
		return bpf_xdp_load_bytes(ctx, offset, into, length_bytes) == 0;

	struct header_bytes header = {};

	if (!load_linear(ctx, offset, &header, length_bytes))
		return 0;
	__builtin_memcpy(into, &header, length_bytes);
	return 1;
}

#endif
