// SPDX-License-Identifier: Apache-2.0
/*
 * Opens flows by one frame each, at a pace that loses none: what makes a flow established for whoever keeps state.
 *
 *   open-flows INTERFACE FLOWS request|reply FRAME
 *
 * FRAME is that of the first flow, in hex; those of the others differ in client address and port.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_BYTES = 64, BURST = 256, PAUSE_MICROSECONDS = 1000 };

static void fail(const char *what) { fprintf(stderr, "open-flows: %s: %s\n", what, strerror(errno)); exit(1); }

static uint16_t folded(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static void put16(uint8_t *at, uint32_t value) { at[0] = value >> 8; at[1] = value; }
static uint32_t get16(const uint8_t *at) { return at[0] << 8 | at[1]; }

int main(int argc, char **argv)
{
	uint8_t frame[FRAME_BYTES];
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

	if (argc != 5) { fprintf(stderr, "usage: open-flows INTERFACE FLOWS request|reply FRAME\n"); return 1; }
	uint32_t flows = atoi(argv[2]);
	int is_reply = strcmp(argv[3], "reply") == 0;
	for (int i = 0; i < FRAME_BYTES; i++)
		if (sscanf(argv[4] + 2 * i, "%2hhx", &frame[i]) != 1) fail("the frame is too short");
	int client_at = is_reply ? 30 : 26, port_at = is_reply ? 36 : 34;
	uint32_t ip_sum = (uint16_t)~get16(frame + 24), tcp_sum = (uint16_t)~get16(frame + 50);
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0) fail("socket");
	address.sll_ifindex = if_nametoindex(argv[1]);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) fail(argv[1]);
	for (uint32_t flow = 0; flow < flows; flow++) {
		uint32_t client = flow >> 14, port = flow & 16383;
		put16(frame + 24, ~folded(ip_sum + client));
		put16(frame + client_at, 0x0b00 + (client >> 16));
		put16(frame + client_at + 2, client);
		put16(frame + port_at, 1024 + port);
		put16(frame + 50, ~folded(tcp_sum + client + port));
		while (send(fd, frame, FRAME_BYTES, 0) != FRAME_BYTES)
			if (errno != ENOBUFS) fail("send");
		if (flow % BURST == BURST - 1) usleep(PAUSE_MICROSECONDS);
	}
	return 0;
}
