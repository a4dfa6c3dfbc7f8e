/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A request that another gateway sends straight to a pod of this node, with the served address in an option:
 *
 *   IPv4   9a 08 port address                       the first option (copied into every fragment)
 *   IPv6   next 02 1b 14 address port 00 00         a Destination Options header right behind the IPv6 header
 *
 * Only the place where senders put it is looked at. The source is the client's, so there is nobody to ask for permission
 * here: the worker takes an option only when the address in it is one that we serve.
 */
#ifndef SLUICE_DSR_OPTION_H
#define SLUICE_DSR_OPTION_H

#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "frame.h"
#include "maps.h"
#include "packet.h"

#define DSR_OPTION4 0x9a08 /* type and length */
#define DSR_OPTION4_BYTES 8

#define DSR_HEADER6_LENGTH 2 /* in units of 8 bytes behind the first */
#define DSR_OPTION6 0x1b
#define DSR_OPTION6_LENGTH 0x14

static __always_inline int is_dsr_backend(const struct address *address)
{
	return bpf_map_lookup_elem(&dsr_backends, address) != NULL;
}

/* For a packet whose extension headers have not been walked. */
static __always_inline int carries_dsr_option(const struct frame *frame, const struct packet *packet)
{
	if (packet->key.family == 4) {
		__u32 options = frame->network + sizeof(struct iphdr);
		__be16 option;

		return packet->transport >= options + DSR_OPTION4_BYTES &&
		       load(frame, options, &option, sizeof(option)) && option == bpf_htons(DSR_OPTION4) &&
		       is_dsr_backend(&packet->key.destination);
	}
	__u8 header[4];

	return packet->key.protocol == IPPROTO_DSTOPTS && load(frame, packet->transport, header, sizeof(header)) &&
	       header[1] == DSR_HEADER6_LENGTH &&
	       header[2] == DSR_OPTION6 && header[3] == DSR_OPTION6_LENGTH && is_dsr_backend(&packet->key.destination);
}

#endif
