// SPDX-License-Identifier: Apache-2.0
/*
 * The C twin of the TypeScript pipeline: the same algorithm over the same frames and rows, so that the ratio says what
 * the language costs and nothing else. Established IPv4/TCP flows only; a frame that takes another way ends the run.
 *
 *   cc -O2 -o twin twin.c && ./twin FLOWS PACKETS      prints one JSON line, as run.ts does
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 64, CHUNK = 2048, FRAMES = 4096, FRAME_OFFSET = 258, FRAME_BYTES = 64, PROBE_LIMIT = 64 };
enum { LIVE = 1 << 8, OVERFLOW_SHIFT = 24, REPLY = 1 << 10 };
enum { CHECK_TTL = 1 << 11, DECREMENT_TTL = 1 << 10, KEEP_MAC = 1 << 9, PAIR = 1 << 8 };
enum { SYN = 2, RST = 4, FIN = 1, ACK = 16 };

struct row {
	uint32_t source, destination, ports, tag;
	uint32_t new_source, new_destination, new_ports, deltas;
	uint32_t egress, owner, state, last_seen;
	uint32_t packets[2], bytes[2];
};

struct batch {
	int count;
	int32_t offset[BATCH], length[BATCH];
	uint8_t port[BATCH], verdict[BATCH], egress[BATCH];
	uint32_t hash[BATCH];
	int32_t transport[BATCH];
};

struct port { uint32_t kind, mac_first, mac_last, mtu, address, pair; };
struct neighbor { uint32_t address, state, words[2][3]; };

static const uint32_t K0 = 0x1234, K1 = 0x5678;
static struct row *rows;
static uint32_t mask;
static uint8_t *memory;
static struct port ports[16];
static struct neighbor neighbors[1024];
static double vip_counters[16 * 8], transmitted, transmitted_bytes, received, received_bytes;

static inline uint16_t u16(const void *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t u32(const void *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline void put16(void *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void put32(void *p, uint32_t v) { memcpy(p, &v, 4); }
static inline uint32_t fold(uint32_t s) { s = (s & 0xffff) + (s >> 16); return (s & 0xffff) + (s >> 16); }
static inline uint32_t rotl(uint32_t v, int b) { return v << b | v >> (32 - b); }

#define ROUND() do { \
	v0 += v1; v1 = rotl(v1, 5); v1 ^= v0; v0 = rotl(v0, 16); \
	v2 += v3; v3 = rotl(v3, 8); v3 ^= v2; \
	v0 += v3; v3 = rotl(v3, 7); v3 ^= v0; \
	v2 += v1; v1 = rotl(v1, 13); v1 ^= v2; v2 = rotl(v2, 16); } while (0)

static inline uint32_t flow_hash(uint32_t source, uint32_t destination, uint32_t p, uint32_t protocol)
{
	uint32_t v0 = K0, v1 = K1, v2 = 0x6c796765 ^ K0, v3 = 0x74656462 ^ K1, last = 13u << 24 | protocol;
	v3 ^= source; ROUND(); v0 ^= source;
	v3 ^= destination; ROUND(); v0 ^= destination;
	v3 ^= p; ROUND(); v0 ^= p;
	v3 ^= last; ROUND(); v0 ^= last;
	v2 ^= 0xff; ROUND(); ROUND(); ROUND();
	return v1 ^ v3;
}

static inline struct row *find(uint32_t hash, uint32_t source, uint32_t destination, uint32_t p, uint32_t protocol)
{
	uint32_t slot = hash & mask;
	for (int probe = 0; probe < PROBE_LIMIT; probe++, slot = (slot + 1) & mask) {
		struct row *row = &rows[slot];
		if ((row->tag & 0x1ff) == (LIVE | protocol) && row->source == source && row->destination == destination &&
		    row->ports == p)
			return row;
		if (!(row->tag >> OVERFLOW_SHIFT))
			return NULL;
	}
	return NULL;
}

static void unexpected(const char *what) { fprintf(stderr, "twin: %s\n", what); exit(1); }

static volatile uint32_t touched;

static void classify(struct batch *b)
{
	static uint8_t valid[64];
	if (!valid[ACK])
		valid[SYN] = valid[SYN | ACK] = valid[RST] = valid[RST | ACK] = valid[FIN | ACK] = valid[ACK] = 1;
	uint64_t bytes = 0;
	for (int i = 0; i < b->count; i++) {
		uint8_t *f = memory + b->offset[i];
		int length = b->length[i];
		struct port *port = &ports[b->port[i]];
		bytes += length;
		if (length < 14 || u16(f + 12) != 0x0008) unexpected("not IPv4");
		if (!((u32(f) == port->mac_first && u16(f + 4) == port->mac_last) || port->kind != 1)) unexpected("not our MAC");
		int available = length - 14;
		if (available < 20) unexpected("short");
		uint8_t *l3 = f + 14;
		uint32_t w0 = u32(l3);
		int header = (w0 & 15) << 2;
		if ((w0 & 0xf0) != 0x40 || header < 20 || header > available) unexpected("header");
		int total = (uint16_t)(((w0 >> 16) & 0xff) << 8 | w0 >> 24);
		if (total < header || total > available) unexpected("length");
		uint32_t w1 = u32(l3 + 4), w2 = u32(l3 + 8), source = u32(l3 + 12), destination = u32(l3 + 16);
		uint32_t sum = (w0 & 0xffff) + (w0 >> 16) + (w1 & 0xffff) + (w1 >> 16) + (w2 & 0xffff) + (w2 >> 16);
		sum += (source & 0xffff) + (source >> 16) + (destination & 0xffff) + (destination >> 16);
		for (uint8_t *at = l3 + 20; at < l3 + header; at += 2) sum += u16(at);
		if (fold(sum) != 0xffff) unexpected("checksum");
		if ((w1 >> 16) & 0xff3f) unexpected("fragment");
		uint32_t protocol = (w2 >> 8) & 0xff;
		uint8_t *l4 = l3 + header;
		if (protocol != 6 || total - header < 20) unexpected("transport");
		uint16_t offset_flags = u16(l4 + 12);
		int tcp = (offset_flags & 0xf0) >> 2;
		if (tcp < 20 || tcp > total - header || !valid[(offset_flags >> 8) & 0x37]) unexpected("tcp");
		uint32_t hash = flow_hash(source, destination, u32(l4), protocol);
		b->hash[i] = hash;
		b->transport[i] = (int32_t)(l4 - memory);
	}
	/* Many rows are waited for at once, as in flow-table4.ts. */
	uint32_t sum = 0;
	for (int i = 0; i < b->count; i++) sum += rows[b->hash[i] & mask].tag;
	touched = sum;
	received += b->count;
	received_bytes += bytes;
}

static void forward(struct batch *b, uint32_t now)
{
	int sent = 0;
	uint64_t bytes = 0;
	for (int i = 0; i < b->count; i++) {
		uint8_t *f = memory + b->offset[i], *l3 = f + 14, *l4 = memory + b->transport[i];
		uint32_t protocol = l3[9];
		struct row *row = find(b->hash[i], u32(l3 + 12), u32(l3 + 16), u32(l4), protocol);
		if (!row) unexpected("miss");
		if (protocol == 6) {
			uint32_t flags = l4[13];
			if ((flags & SYN) && (row->state & (FIN | RST))) unexpected("reopen");
			if ((row->state & flags) != flags) row->state |= flags;
		}
		uint32_t egress = row->egress;
		uint8_t ttl = l3[8];
		if (ttl <= 1 && (ttl == 0 || (egress & CHECK_TTL))) unexpected("ttl");
		uint32_t out = (egress & PAIR) ? ports[b->port[i]].pair : egress & 0xff;
		int length = b->length[i];
		if ((uint32_t)length - 14 > ports[out].mtu) unexpected("mtu");
		if (!(egress & KEEP_MAC)) {
			struct neighbor *n = &neighbors[egress >> 16];
			if (!(n->state & 1)) unexpected("neighbour");
			uint32_t *words = n->words[(n->state >> 1) & 1];
			put32(f, words[0]); put32(f + 4, words[1]); put32(f + 8, words[2]);
		}
		uint32_t delta = row->deltas & 0xffff;
		if (egress & DECREMENT_TTL) { l3[8] = ttl - 1; delta += 0xfffe; }
		put16(l3 + 10, ~fold((uint16_t)~u16(l3 + 10) + delta));
		put32(l3 + 12, row->new_source);
		put32(l3 + 16, row->new_destination);
		put32(l4, row->new_ports);
		put16(l4 + 16, ~fold((uint16_t)~u16(l4 + 16) + (row->deltas >> 16)));
		if (row->last_seen != now) row->last_seen = now;
		if (!++row->packets[0]) row->packets[1]++;
		uint32_t before = row->bytes[0];
		row->bytes[0] = before + length;
		if (row->bytes[0] < before) row->bytes[1]++;
		double *counter = &vip_counters[(row->owner >> 16) * 8 + ((row->tag & REPLY) ? 2 : 0)];
		counter[0] += 1;
		counter[1] += length;
		b->verdict[i] = 1;
		b->egress[i] = out;
		sent++;
		bytes += length;
	}
	transmitted += sent;
	transmitted_bytes += bytes;
}

/* --- the workload of workload.ts --- */

static const uint8_t router_mac[6] = {2, 0, 0, 0, 0x0a, 0}, wan_mac[6] = {2, 0, 0, 0, 0x0a, 1};
static const uint8_t backend_mac[6] = {2, 0, 0, 0, 0x0b, 1}, lan_mac[6] = {2, 0, 0, 0, 0x0b, 0};
static const uint8_t vip[4] = {198, 51, 100, 10}, backend[4] = {10, 2, 0, 2};
static uint8_t template[FRAME_BYTES];
static uint32_t ip_sum, tcp_sum;

static uint32_t be_sum(const uint8_t *p, int bytes)
{
	uint32_t sum = 0;
	for (int i = 0; i < bytes; i += 2) sum += p[i] << 8 | p[i + 1];
	return fold(sum);
}

static void put_be16(uint8_t *p, uint32_t v) { p[0] = v >> 8; p[1] = v; }

static void make_template(void)
{
	uint8_t *f = template;
	memcpy(f, wan_mac, 6); memcpy(f + 6, router_mac, 6);
	f[12] = 8; f[14] = 0x45; f[17] = FRAME_BYTES - 14; f[22] = 64; f[23] = 6;
	f[26] = 11; memcpy(f + 30, vip, 4);
	put_be16(f + 34, 1024); put_be16(f + 36, 80);
	f[46] = 0x50; f[47] = ACK; f[48] = f[49] = 0xff;
	ip_sum = be_sum(f + 14, 20);
	tcp_sum = fold(be_sum(f + 34, FRAME_BYTES - 34) + be_sum(f + 26, 8) + 6 + (FRAME_BYTES - 34));
}

static uint32_t refill(struct batch *b, uint32_t first, uint32_t flow, uint32_t flows, uint8_t flags)
{
	for (int i = 0; i < BATCH; i++) {
		uint8_t *f = memory + (first + i) * CHUNK + FRAME_OFFSET;
		uint32_t client = flow >> 14, port = flow & 16383;
		memcpy(f, template, 12);
		f[22] = 64;
		put_be16(f + 24, ~fold(ip_sum + client));
		uint32_t address = 0x0b000000 + client;
		f[26] = address >> 24; f[27] = address >> 16; f[28] = address >> 8; f[29] = address;
		memcpy(f + 30, vip, 4);
		put_be16(f + 34, 1024 + port); put_be16(f + 36, 80);
		f[47] = flags;
		put_be16(f + 50, ~fold(tcp_sum + client + port + flags - ACK));
		b->offset[i] = (int32_t)(f - memory);
		b->length[i] = FRAME_BYTES;
		b->port[i] = 0;
		flow += 617;
		if (flow >= flows) flow -= flows;
	}
	b->count = BATCH;
	return flow;
}

static uint32_t delta32(uint32_t from, uint32_t to)
{
	return fold((~from & 0xffff) + (~from >> 16) + (to & 0xffff) + (to >> 16));
}

static struct row *claim(uint32_t source, uint32_t destination, uint32_t p, uint32_t tag)
{
	uint32_t home = flow_hash(source, destination, p, 6) & mask;
	for (uint32_t probe = 0; probe < PROBE_LIMIT; probe++) {
		struct row *row = &rows[(home + probe) & mask];
		if (row->tag & LIVE) continue;
		for (uint32_t passed = 0; passed < probe; passed++) rows[(home + passed) & mask].tag += 1u << OVERFLOW_SHIFT;
		row->source = source; row->destination = destination; row->ports = p;
		row->tag |= LIVE | 6 | tag;
		return row;
	}
	return NULL;
}

static void open_all(uint32_t flows)
{
	uint32_t v, b;
	memcpy(&v, vip, 4); memcpy(&b, backend, 4);
	for (uint32_t flow = 0; flow < flows; flow++) {
		uint32_t client = __builtin_bswap32(0x0b000000 + (flow >> 14));
		uint32_t sport = __builtin_bswap16(1024 + (flow & 16383)), dport = __builtin_bswap16(80), bport = __builtin_bswap16(8080);
		uint32_t request_ports = sport | dport << 16, reply_ports = bport | sport << 16;
		struct row *reply = claim(b, client, reply_ports, REPLY), *request = claim(client, v, request_ports, 0);
		if (!reply || !request) continue;
		uint32_t new_ports = sport | bport << 16, delta = delta32(v, b);
		request->new_source = client; request->new_destination = b; request->new_ports = new_ports;
		request->deltas = delta | fold(delta + delta32(request_ports, new_ports)) << 16;
		request->egress = 1 | DECREMENT_TTL | CHECK_TTL | 1 << 16;
		request->state = SYN;
	}
}

static double measure(struct batch *b, uint32_t flows, long packets, int run)
{
	struct timespec start, end;
	uint32_t flow = 0, first = 0;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	for (long done = 0; done < packets; done += BATCH) {
		flow = refill(b, first, flow, flows, ACK);
		if (run) { classify(b); forward(b, 101); }
		first = first + BATCH == FRAMES ? 0 : first + BATCH;
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	return ((end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec)) / packets;
}

static void lay_tables(uint32_t flows)
{
	uint32_t capacity = 1024;
	while (capacity < flows * 4) capacity *= 2;
	mask = capacity - 1;
	rows = aligned_alloc(4096, (size_t)capacity * sizeof(struct row));
	if (!rows) unexpected("no memory");
	memset(rows, 0, (size_t)capacity * sizeof(struct row));
	memcpy(&ports[0].mac_first, wan_mac, 4); memcpy(&ports[0].mac_last, wan_mac + 4, 2);
	memcpy(&ports[1].mac_first, lan_mac, 4); memcpy(&ports[1].mac_last, lan_mac + 4, 2);
	ports[0].kind = ports[1].kind = 1;
	ports[0].mtu = ports[1].mtu = 1500;
	neighbors[1].state = 1;
	memcpy(neighbors[1].words[0], backend_mac, 6); memcpy((uint8_t *)neighbors[1].words[0] + 6, lan_mac, 6);
	open_all(flows);
}

/* bench/forward/xsk.c has sockets around the same functions, and a main of its own. */
#ifndef TWIN_BEHIND_SOCKETS
int main(int argc, char **argv)
{
	if (argc != 3) unexpected("usage: twin FLOWS PACKETS");
	uint32_t flows = atoi(argv[1]);
	long packets = atol(argv[2]);
	memory = aligned_alloc(4096, (size_t)FRAMES * CHUNK);
	if (!memory) unexpected("no memory");
	memset(memory, 0, (size_t)FRAMES * CHUNK);
	make_template();
	for (int frame = 0; frame < FRAMES; frame++) memcpy(memory + frame * CHUNK + FRAME_OFFSET, template, FRAME_BYTES);
	lay_tables(flows);
	static struct batch batch;
	measure(&batch, flows, packets < 2000000 ? packets : 2000000, 1);
	double before = transmitted;
	double making = measure(&batch, flows, packets, 0), both = measure(&batch, flows, packets, 1);
	printf("{\"making\":%.3f,\"both\":%.3f,\"forwarded\":%.0f}\n", making, both, transmitted - before);
	return 0;
}
#endif
