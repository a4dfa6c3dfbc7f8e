/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the program needs to open flows itself: an epoch's VIPs and backends, as far as new flows to them need no more than
 * Maglev and NAT (src/dataplane/kernel-table.ts says which). An epoch is one map, and takes the place of the one before in
 * one store: a program sees all of an epoch or none of it. Maglev tables outlive epochs, as in the workers.
 *
 *   row 0              header
 *   rows 1..slots      VIPs, a hash by address, port and protocol; linear probing, at most half full
 *   row slots + 1      our ends of tunnels
 *   rows behind it     other ends of tunnels, a hash by the owner word of flows, likewise
 *   from there on      backends, those of one VIP side by side
 *
 *   word      0..3        4                      5                        6                7
 *   header    epoch  slots  size of a Maglev table  tables in a chunk  | rows of tunnels' hash
 *   VIP     | address   | port << 16 | protocol | source NAT << 16 | id | its backends   | Maglev table + 1, or 0 |
 *   ours    | IPv6      | IPv4                  | Geneve port << 16 | GUE port | VNI     | option in network order |
 *   tunnel  | address   | owner                 | 1                     |
 *   backend | address   | port                  | id                    | id of its VIP  |
 */
#ifndef SLUICE_FORWARDING_TABLE_H
#define SLUICE_FORWARDING_TABLE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "address_hash.h"
#include "flow_lookup.h"
#include "maps.h"

#define TABLE_ROW_BYTES 32

#define HEADER_SLOTS 1
#define HEADER_MAGLEV_SIZE 2
#define HEADER_CHUNK_TABLES 3
#define HEADER_TUNNELS 4

#define VIP_PORT_AND_PROTOCOL 4
#define VIP_ID 5
#define VIP_BACKENDS 6
#define VIP_MAGLEV 7
#define VIP_SOURCE_NAT_SHIFT 16

#define BACKEND_PORT 4
#define BACKEND_ID 5
#define BACKEND_VIP 6

#define OWN_END4 4
#define OWN_PORTS 5
#define OWN_VNI 6
#define OWN_NETWORK_ORDER 7

#define TUNNEL_OWNER 4
#define TUNNEL_USED 5

/* SOURCE_NAT in src/dataplane/forwarding-layout.ts; VIPs whose sources are always translated are not in the table. */
#define SOURCE_NAT_NONE 0
#define SOURCE_NAT_REMOTE 3

/* The hashes are at most half full, so a probe this long does not happen; the verifier wants to know. */
#define VIP_PROBE_LIMIT 256

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_ARRAY);
		__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
		__uint(max_entries, 1);
		__uint(key_size, sizeof(__u32));
		__uint(value_size, TABLE_ROW_BYTES);
	});
} forwarding SEC(".maps");

/* Four entries of Maglev tables: an array's values have 8 bytes at least. */
struct maglev_entries {
	__u16 backends[4];
};

#define MAGLEV_CHUNKS 64
#define MAGLEV_CHUNK_ROWS (1 << 17)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAGLEV_CHUNKS);
	__type(key, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_ARRAY);
		__uint(map_flags, BPF_F_MMAPABLE);
		__uint(max_entries, MAGLEV_CHUNK_ROWS);
		__uint(key_size, sizeof(__u32));
		__uint(value_size, sizeof(struct maglev_entries));
	});
} maglev SEC(".maps");

/* Live flows of each backend, by few bits of its owner word (src/dataplane/backend-load.ts). */
#define LOAD_BITS 16
#define LOADS_PER_LINE 16

struct load_line {
	__u32 flows[LOADS_PER_LINE];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, (1 << LOAD_BITS) / LOADS_PER_LINE);
	__type(key, __u32);
	__type(value, struct load_line);
} backend_load SEC(".maps");

static __always_inline __u32 *load_of(__u32 owner)
{
	__u32 place = owner * 0x9e3779b1u >> (32 - LOAD_BITS);
	__u32 line = place / LOADS_PER_LINE;
	struct load_line *found = bpf_map_lookup_elem(&backend_load, &line);

	return found ? &found->flows[place % LOADS_PER_LINE] : NULL;
}

struct choice {
	struct address address;
	__u32 port;
	__u32 owner; /* VIP id << 16 | backend id */
	__u32 source_nat;
};

static __always_inline __u32 *row_of(void *table, __u32 row)
{
	return bpf_map_lookup_elem(table, &row);
}

static __always_inline const __u32 *find_vip(void *table, __u32 slots, const struct flow_key *key)
{
	__u32 port_and_protocol = (key->ports & 0xffff0000) | key->protocol;
	__u32 slot = mix_address(&key->destination, port_and_protocol * 0x85ebca6bu);

	for (int step = 0; step < VIP_PROBE_LIMIT; step++, slot++) {
		const __u32 *vip = row_of(table, 1 + (slot & (slots - 1)));

		if (!vip || !vip[VIP_PORT_AND_PROTOCOL])
			return NULL;
		if (vip[VIP_PORT_AND_PROTOCOL] == port_and_protocol && same_address(vip, &key->destination))
			return vip;
	}
	return NULL;
}

/* Which of a VIP's backends a hash gets. A table that belongs to no VIP any more may give nonsense: see choose_backend(). */
static __always_inline __u32 maglev_entry(const __u32 *header, __u32 table, __u32 hash)
{
	__u32 size = header[HEADER_MAGLEV_SIZE];
	__u32 per_chunk = header[HEADER_CHUNK_TABLES];
	__u32 chunk, at, row;
	struct maglev_entries *entries;
	void *tables;

	if (!size || !per_chunk)
		return 0;
	chunk = table / per_chunk;
	at = table % per_chunk * size + hash % size;
	row = at / 4;
	tables = bpf_map_lookup_elem(&maglev, &chunk);
	if (!tables)
		return 0;
	entries = bpf_map_lookup_elem(tables, &row);
	return entries ? entries->backends[at & 3] : 0;
}

/* The backend for a new flow of a request's key; 0 when the worker must say. */
static __always_inline int choose_backend(const struct flow_key *key, __u32 hash, struct choice *choice)
{
	__u32 zero = 0;
	void *table = bpf_map_lookup_elem(&forwarding, &zero);
	const __u32 *header, *vip, *backend;
	__u32 row;

	if (!table)
		return 0;
	header = row_of(table, 0);
	if (!header || !header[HEADER_SLOTS])
		return 0;
	vip = find_vip(table, header[HEADER_SLOTS], key);
	if (!vip)
		return 0;
	row = vip[VIP_BACKENDS];
	if (vip[VIP_MAGLEV])
		row += maglev_entry(header, vip[VIP_MAGLEV] - 1, hash);
	backend = row_of(table, row);
	/* Between two sizes of Maglev tables an entry may lead astray. */
	if (!backend || backend[BACKEND_VIP] != (vip[VIP_ID] & 0xffff))
		return 0;
	choice->address = *(const struct address *)backend;
	choice->port = backend[BACKEND_PORT];
	choice->owner = vip[VIP_ID] << 16 | backend[BACKEND_ID];
	choice->source_nat = vip[VIP_ID] >> VIP_SOURCE_NAT_SHIFT;
	return 1;
}

/* Both ends of the tunnel to a backend. */
struct tunnel {
	struct address own6;
	__u32 own4;
	__u32 ports; /* raw: Geneve's above, GUE's below */
	__u32 vni;
	__u32 is_network_order;
	struct address remote;
};

static __always_inline const __u32 *find_remote_end(void *table, __u32 first, __u32 rows, __u32 owner)
{
	__u32 slot = owner * 0x9e3779b1u >> 8;

	for (int step = 0; step < VIP_PROBE_LIMIT; step++, slot++) {
		const __u32 *end = row_of(table, first + (slot & (rows - 1)));

		if (!end || !end[TUNNEL_USED])
			return NULL;
		if (end[TUNNEL_OWNER] == owner)
			return end;
	}
	return NULL;
}

/*
 * How flows of an owner word are sent to their backend, with the other end where that is wanted; 0 when the worker must
 * say. Not static, so that the verifier looks at the loop once.
 */
__noinline int find_tunnel(__u32 owner, __u32 with_remote, struct tunnel *tunnel)
{
	__u32 zero = 0;
	void *table = bpf_map_lookup_elem(&forwarding, &zero);
	const __u32 *header, *own, *end;

	if (!table || !tunnel)
		return 0;
	header = row_of(table, 0);
	if (!header)
		return 0;
	own = row_of(table, 1 + header[HEADER_SLOTS]);
	if (!own)
		return 0;
	tunnel->own6 = *(const struct address *)own;
	tunnel->own4 = own[OWN_END4];
	tunnel->ports = own[OWN_PORTS];
	tunnel->vni = own[OWN_VNI];
	tunnel->is_network_order = own[OWN_NETWORK_ORDER];
	if (!with_remote)
		return 1;
	if (!header[HEADER_TUNNELS])
		return 0;
	end = find_remote_end(table, 2 + header[HEADER_SLOTS], header[HEADER_TUNNELS], owner);
	if (!end)
		return 0;
	tunnel->remote = *(const struct address *)end;
	return 1;
}

#endif
