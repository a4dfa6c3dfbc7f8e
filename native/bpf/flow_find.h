/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The row of a packet that is read in place, as fast as can be: a guess first, then hash and probe. The probe is not
 * static, so that the verifier looks at it once; such a function can give numbers only, so it gives the slot.
 */
#ifndef SLUICE_FLOW_FIND_H
#define SLUICE_FLOW_FIND_H

#include "flow_lookup.h"

struct key4 {
	__u32 source;
	__u32 destination;
	__u32 ports;
	__u32 tag; /* what the row's must be, under FLOW_TAG_MATCH_MASK */
};

struct key6 {
	struct address source;
	struct address destination;
	__u32 ports;
	__u32 tag;
};

static __always_inline int is_row4(const struct flow_row *row, __u32 tag, const struct key4 *key)
{
	return (tag & FLOW_TAG_MATCH_MASK) == key->tag && row->source_address == key->source &&
	       row->destination_address == key->destination && row->ports == key->ports;
}

static __always_inline int is_row6(const struct flow6_row *row, __u32 tag, const struct key6 *key)
{
	return (tag & FLOW_TAG_MATCH_MASK) == key->tag && row->ports == key->ports &&
	       same_address(row->source_address, &key->source) &&
	       same_address(row->destination_address, &key->destination);
}

__noinline __u32 find_slot4(const struct settings *set, const struct key4 *key)
{
	__u32 home;

	if (!set || !key)
		return NO_SLOT;
	home = flow_hash4(set, key->source, key->destination, key->ports, key->tag & 0xff);
	for (__u32 step = 0; step < FLOW_PROBE_LIMIT; step++) {
		__u32 slot = (home + step) & set->flow_mask;
		struct flow_row *row = bpf_map_lookup_elem(&flows, &slot);
		__u32 tag;

		if (!row)
			return NO_SLOT;
		tag = tag_of(&row->tag);
		if (is_row4(row, tag, key))
			return slot;
		if (tag >> FLOW_TAG_OVERFLOW_SHIFT == 0)
			return NO_SLOT;
	}
	return NO_SLOT;
}

__noinline __u32 find_slot6(const struct settings *set, const struct key6 *key)
{
	__u32 home;

	if (!set || !key)
		return NO_SLOT;
	home = flow_hash6(set, &key->source, &key->destination, key->ports, key->tag & 0xff);
	for (__u32 step = 0; step < FLOW_PROBE_LIMIT; step++) {
		__u32 slot = (home + step) & set->flow6_mask;
		struct flow6_row *row = bpf_map_lookup_elem(&flows6, &slot);
		__u32 tag;

		if (!row)
			return NO_SLOT;
		tag = tag_of(&row->tag);
		if (is_row6(row, tag, key))
			return slot;
		if (tag >> FLOW_TAG_OVERFLOW_SHIFT == 0)
			return NO_SLOT;
	}
	return NO_SLOT;
}

/*
 * Where rows were found lately, by a hash of two multiplications: the keyed hash of the table costs a BPF program, which
 * has no rotation, 20 ns, more than all the rest of the search while the rows are in the processor's cache (bench/xdp).
 * An entry is a guess: the row's key decides. So it may be old, and somebody who makes flows collide here wins nothing
 * but that the table's own hash is computed.
 *
 *   | check 32 | slot 32 |
 *
 * Small enough to stay in the cache beside what it is to help with. Where there are many more flows than places it can't
 * help: rows come from memory then, which takes longer than any hash. A place changes hands with every eighth frame only,
 * so that it is not written all the time for nothing.
 */
#define SLOT_GUESS_BITS 14
#define SLOT_GUESS_FRAMES 8

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << SLOT_GUESS_BITS);
	__type(key, __u32);
	__type(value, __u64);
} slot_guesses SEC(".maps");

#define MIX_A 0x9e3779b97f4a7c15ull
#define MIX_B 0xc2b2ae3d27d4eb4full
/* One that fits into an instruction. */
#define MIX_SHORT 0x9e3779b1u

static __always_inline __u64 mix(__u64 mixed, __u32 high, __u32 low)
{
	mixed ^= (__u64)high << 32 | low;
	mixed *= MIX_A;
	return mixed ^ mixed >> 32;
}

/* As short as can be, for it lies on the way to the row: every multiplication is a nanosecond there. */
static __always_inline __u64 mix4(const struct key4 *key)
{
	return mix((__u64)(key->destination + key->tag) * MIX_SHORT, key->source, key->ports);
}

static __always_inline __u64 mix6(const struct key6 *key)
{
	__u64 mixed = mix(0, key->source.words[0], key->source.words[1]);

	mixed = mix(mixed, key->source.words[2], key->source.words[3]);
	mixed = mix(mixed, key->destination.words[0], key->destination.words[1]);
	mixed = mix(mixed, key->destination.words[2], key->destination.words[3]);
	return mix(mixed, key->ports, key->tag) * MIX_B;
}

static __always_inline __u64 *guess_of(__u64 mixed)
{
	__u32 place = mixed >> (64 - SLOT_GUESS_BITS);

	return bpf_map_lookup_elem(&slot_guesses, &place);
}

static __always_inline __u32 guessed_slot(const __u64 *guess, __u64 mixed)
{
	__u64 entry = *(const volatile __u64 *)guess;

	return entry >> 32 == (__u32)mixed ? (__u32)entry : NO_SLOT;
}

/* `packets` of the row that is there. */
static __always_inline void keep_guess(__u64 *guess, __u64 mixed, __u32 slot, __u64 packets)
{
	if (packets % SLOT_GUESS_FRAMES == 0)
		*(volatile __u64 *)guess = mixed << 32 | slot;
}

static __always_inline struct flow_row *find_row4(const struct settings *set, const struct key4 *key)
{
	__u64 mixed = mix4(key);
	__u64 *guess = guess_of(mixed);
	__u32 slot = guess ? guessed_slot(guess, mixed) : NO_SLOT;
	struct flow_row *row = bpf_map_lookup_elem(&flows, &slot);

	if (row && is_row4(row, tag_of(&row->tag), key))
		return row;
	slot = find_slot4(set, key);
	row = bpf_map_lookup_elem(&flows, &slot);
	if (row && guess)
		keep_guess(guess, mixed, slot, row->packets);
	return row;
}

static __always_inline struct flow6_row *find_row6(const struct settings *set, const struct key6 *key)
{
	__u64 mixed = mix6(key);
	__u64 *guess = guess_of(mixed);
	__u32 slot = guess ? guessed_slot(guess, mixed) : NO_SLOT;
	struct flow6_row *row = bpf_map_lookup_elem(&flows6, &slot);

	if (row && is_row6(row, tag_of(&row->tag), key))
		return row;
	slot = find_slot6(set, key);
	row = bpf_map_lookup_elem(&flows6, &slot);
	if (row && guess)
		keep_guess(guess, mixed, slot, row->packets);
	return row;
}

/* Where the slot is asked for as well, which is hardly ever: no guess. */
static __always_inline struct flow_row *find_row_at4(const struct settings *set, const struct key4 *key, __u32 *slot)
{
	*slot = find_slot4(set, key);
	return bpf_map_lookup_elem(&flows, slot);
}

static __always_inline struct flow6_row *find_row_at6(const struct settings *set, const struct key6 *key, __u32 *slot)
{
	*slot = find_slot6(set, key);
	return bpf_map_lookup_elem(&flows6, slot);
}

#endif
