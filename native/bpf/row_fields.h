/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What rows of both flow tables have, wherever it lies in them: their words, their keys, and by these the row of the other
 * direction. Written once, with `family` a constant; `row` is a struct flow_row or a struct flow6_row.
 */
#ifndef SLUICE_ROW_FIELDS_H
#define SLUICE_ROW_FIELDS_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include "flow_find.h"
#include "flow_lookup.h"
#include "flow_row.h"
#include "maps.h"
#include "packet.h"

/* As FOR_EITHER_FAMILY, of what is asked about a row that has been found. */
#define FOR_EITHER_ROW(type, name) \
	__noinline type name##4(const struct settings *set, struct flow_row *row) { return name##_in(4, set, row); } \
	__noinline type name##6(const struct settings *set, struct flow6_row *row) { return name##_in(6, set, row); }

struct row {
	__u32 *tag;
	__u32 *egress;
	__u32 *owner;
	__u32 *state;
	__u32 *last_seen;
	__u64 *packets;
	__u64 *bytes;
};

#define ROW_OF(from) \
	((struct row){&(from)->tag, &(from)->egress, &(from)->owner, &(from)->state, &(from)->last_seen_seconds, \
		      &(from)->packets, &(from)->bytes})

static __always_inline struct row fields_of(const int family, void *row)
{
	return family == 4 ? ROW_OF((struct flow_row *)row) : ROW_OF((struct flow6_row *)row);
}

/* NULL for a slot that is none. */
static __always_inline void *find_at(const int family, __u32 slot)
{
	return family == 4 ? bpf_map_lookup_elem(&flows, &slot) : bpf_map_lookup_elem(&flows6, &slot);
}

static __always_inline int row_at(const int family, __u32 slot, struct row *row)
{
	void *found = find_at(family, slot);

	if (!found)
		return 0;
	*row = fields_of(family, found);
	return 1;
}

static __always_inline __u32 *tag_at(const int family, __u32 slot)
{
	struct row row;

	return row_at(family, slot, &row) ? row.tag : NULL;
}

static __always_inline __u32 swap_ports(__u32 ports)
{
	return ports << 16 | ports >> 16;
}

static __always_inline void reverse_key(struct flow_key *into, const struct flow_key *key)
{
	into->source = key->destination;
	into->destination = key->source;
	into->ports = swap_ports(key->ports);
	into->protocol = key->protocol;
	into->family = key->family;
	into->unused = 0;
}

/* The key of a row's frames, after their translation or before. */
static __always_inline void read_key(const int family, const void *from, int translated, struct flow_key *key)
{
	if (family == 4) {
		const struct flow_row *row = from;

		map_ipv4(&key->source, translated ? row->new_source_address : row->source_address);
		map_ipv4(&key->destination, translated ? row->new_destination_address : row->destination_address);
		key->ports = translated ? row->new_ports : row->ports;
		key->protocol = row->tag;
		return;
	}
	const struct flow6_row *row = from;

	key->source = *(struct address *)(translated ? row->new_source_address : row->source_address);
	key->destination = *(struct address *)(translated ? row->new_destination_address : row->destination_address);
	key->ports = translated ? row->new_ports : row->ports;
	key->protocol = row->tag;
}

/* The same of the row in a slot; 0 for a slot that is none. */
static __always_inline int load_key(const int family, __u32 slot, int translated, struct flow_key *key)
{
	const void *row = find_at(family, slot);

	if (!row)
		return 0;
	read_key(family, row, translated, key);
	return 1;
}

/*
 * The slot of the row whose frames go against a row's, as these are after their translation or before; or NO_SLOT. By the
 * smaller keys, for it is asked where there is little room on the stack.
 */
static __always_inline __u32 find_against(const int family, const struct settings *set, const void *row, int translated)
{
	struct flow_key key = {};

	read_key(family, row, translated, &key);
	if (family == 4) {
		struct key4 against = {ipv4_of(&key.destination), ipv4_of(&key.source), swap_ports(key.ports),
				       FLOW_TAG_LIVE | key.protocol};

		return find_slot4(set, &against);
	}
	struct key6 against = {key.destination, key.source, swap_ports(key.ports), FLOW_TAG_LIVE | key.protocol};

	return find_slot6(set, &against);
}

/* The row of a NAT flow's other direction. */
static __always_inline __u32 find_peer_in(const int family, const struct settings *set, __u32 slot)
{
	const void *row = find_at(family, slot);

	return set && row ? find_against(family, set, row, 1) : NO_SLOT;
}

FOR_EITHER_FAMILY(__u32, find_peer, (const struct settings *set, __u32 slot), (set, slot))

static __always_inline __u32 find_peer(const int family, const struct settings *set, __u32 slot)
{
	return family == 4 ? find_peer4(set, slot) : find_peer6(set, slot);
}

#endif
