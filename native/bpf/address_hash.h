/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The hash of the tables that only the operator fills: `mixed` of src/dataplane/address-hash.ts. */
#ifndef SLUICE_ADDRESS_HASH_H
#define SLUICE_ADDRESS_HASH_H

#include "maps.h"

static __always_inline __u32 mix_address(const struct address *address, __u32 seed)
{
	__u32 hash = address->words[0] ^ address->words[1] * 3 ^ address->words[2] * 5 ^ address->words[3] * 7 ^ seed;

	hash = (hash ^ hash >> 16) * 0x85ebca6bu;
	hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
	return hash ^ hash >> 16;
}

#endif
