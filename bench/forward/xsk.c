// SPDX-License-Identifier: Apache-2.0
/*
 * What the workers do, in C: takes frames from one interface's AF_XDP socket, forwards them by the other's, and looks
 * for answers. The loop is that of src/worker/datapath-worker.ts turn by turn, with the same rings, batches and waiting;
 * `nat` runs bench/pipeline/twin.c on each batch, `l2fwd` only writes the MACs.
 *
 *   xsk OBJECT WAN LAN l2fwd|nat FLOWS       until SIGTERM
 */
#define TWIN_BEHIND_SOCKETS
#pragma GCC diagnostic ignored "-Wunused-function"
#include "../pipeline/twin.c"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

enum { RING = 2048, SOCKETS = 2, POOL = SOCKETS * RING * 2, IDLE_TURNS = 500, MAX_KICKS = RING / 32 * 2 };

struct port_socket {
	struct xsk_socket *xsk;
	struct xsk_ring_cons rx, completion;
	struct xsk_ring_prod tx, fill;
	int fd;
};

static struct port_socket sockets[SOCKETS];
static uint64_t pool[POOL];
static int pooled;
static volatile sig_atomic_t stopped;

static void fail(const char *what) { fprintf(stderr, "xsk: %s: %s\n", what, strerror(errno)); exit(1); }
static void on_signal(int signal) { (void)signal; stopped = 1; }

static void give(uint64_t address) { pool[pooled++] = address & ~(uint64_t)(CHUNK - 1); }

static void reclaim(struct port_socket *s)
{
	uint32_t index, done = xsk_ring_cons__peek(&s->completion, RING, &index);
	for (uint32_t i = 0; i < done; i++) give(*xsk_ring_cons__comp_addr(&s->completion, index + i));
	if (done) xsk_ring_cons__release(&s->completion, done);
}

static void refill_ring(struct port_socket *s)
{
	uint32_t index, count = xsk_prod_nb_free(&s->fill, RING);
	if (count > (uint32_t)pooled) count = pooled;
	if (count == 0 || xsk_ring_prod__reserve(&s->fill, count, &index) != count) return;
	for (uint32_t i = 0; i < count; i++) *xsk_ring_prod__fill_addr(&s->fill, index + i) = pool[--pooled];
	xsk_ring_prod__submit(&s->fill, count);
}

static void flush_ring(struct port_socket *s)
{
	for (int kicks = 0; kicks < MAX_KICKS && *s->tx.consumer != *s->tx.producer; kicks++) {
		int sent = sendto(s->fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
		reclaim(s);
		if (sent >= 0 || (errno != EAGAIN && errno != EBUSY && errno != ENOBUFS)) break;
	}
}

static void send_frame(struct batch *b, int i)
{
	uint32_t index;
	struct port_socket *s = &sockets[b->egress[i]];
	if (xsk_ring_prod__reserve(&s->tx, 1, &index) != 1) { give(b->offset[i]); return; }
	struct xdp_desc *descriptor = xsk_ring_prod__tx_desc(&s->tx, index);
	descriptor->addr = b->offset[i];
	descriptor->len = b->length[i];
	descriptor->options = 0;
	xsk_ring_prod__submit(&s->tx, 1);
}

static void write_macs(struct batch *b)
{
	for (int i = 0; i < b->count; i++) {
		uint8_t *frame = memory + b->offset[i];
		memcpy(frame, backend_mac, 6);
		memcpy(frame + 6, lan_mac, 6);
		b->egress[i] = 1 - b->port[i];
	}
}

static int turn(struct batch *b, int nat)
{
	int received = 0;
	for (int port = 0; port < SOCKETS; port++) {
		struct port_socket *s = &sockets[port];
		uint32_t index;
		reclaim(s);
		uint32_t count = xsk_ring_cons__peek(&s->rx, BATCH, &index);
		if (count == 0) continue;
		received += count;
		for (uint32_t i = 0; i < count; i++) {
			const struct xdp_desc *descriptor = xsk_ring_cons__rx_desc(&s->rx, index + i);
			b->offset[i] = descriptor->addr;
			b->length[i] = descriptor->len;
			b->port[i] = port;
		}
		xsk_ring_cons__release(&s->rx, count);
		b->count = count;
		if (nat) { classify(b); forward(b, 101); }
		else write_macs(b);
		for (uint32_t i = 0; i < count; i++) send_frame(b, i);
		refill_ring(s);
	}
	for (int port = 0; port < SOCKETS; port++) flush_ring(&sockets[port]);
	return received;
}

static void open_port(struct port_socket *s, struct xsk_umem *umem, const char *object_path, const char *name)
{
	struct xsk_socket_config config = {
		.rx_size = RING, .tx_size = RING, .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
	};
	struct bpf_object *object = bpf_object__open_file(object_path, NULL);
	uint32_t zero = 0, interface = if_nametoindex(name);

	if (!object || bpf_object__load(object) != 0 || !interface) fail(name);
	if (xsk_socket__create_shared(&s->xsk, name, 0, umem, &s->rx, &s->tx, &s->fill, &s->completion, &config) != 0)
		fail("open a socket");
	s->fd = xsk_socket__fd(s->xsk);
	int map = bpf_map__fd(bpf_object__find_map_by_name(object, "sockets"));
	if (bpf_map_update_elem(map, &zero, &s->fd, BPF_ANY) != 0) fail("put the socket into its map");
	int program = bpf_program__fd(bpf_object__find_program_by_name(object, "to_socket"));
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_SKB_MODE);
	if (bpf_link_create(program, interface, BPF_XDP, &options) < 0) fail("attach the program");
	refill_ring(s);
}

int main(int argc, char **argv)
{
	struct xsk_umem_config config = {
		.fill_size = RING, .comp_size = RING, .frame_size = CHUNK, .frame_headroom = 2,
	};
	struct xsk_umem *umem;
	struct xsk_ring_prod unused_fill;
	struct xsk_ring_cons unused_completion;
	static struct batch batch;

	if (argc != 6) { fprintf(stderr, "usage: xsk OBJECT WAN LAN l2fwd|nat FLOWS\n"); return 1; }
	int nat = strcmp(argv[4], "nat") == 0;
	memory = aligned_alloc(4096, (size_t)POOL * CHUNK);
	if (!memory) fail("frame memory");
	memset(memory, 0, (size_t)POOL * CHUNK);
	if (nat) lay_tables(atoi(argv[5]));
	for (int frame = 0; frame < POOL; frame++) pool[pooled++] = (uint64_t)frame * CHUNK;
	if (xsk_umem__create(&umem, memory, (size_t)POOL * CHUNK, &unused_fill, &unused_completion, &config) != 0)
		fail("register the frame memory");
	for (int port = 0; port < SOCKETS; port++) open_port(&sockets[port], umem, argv[1], argv[2 + port]);
	signal(SIGTERM, on_signal);
	printf("forwarding\n");
	fflush(stdout);
	for (int idle = 0; !stopped;) {
		if (turn(&batch, nat) > 0) { idle = 0; continue; }
		if (++idle <= IDLE_TURNS) continue;
		struct pollfd fds[SOCKETS];
		for (int port = 0; port < SOCKETS; port++)
			fds[port] = (struct pollfd){.fd = sockets[port].fd, .events = POLLIN};
		poll(fds, SOCKETS, 1000);
		idle = 0;
	}
	return 0;
}
