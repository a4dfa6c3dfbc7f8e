/*
 * A TCP relay that waits as a datapath worker does: it looks for so many microseconds after the last bytes came, and only
 * then sleeps. What a connection waits for beside it, it waits for beside whoever keeps a core awake in its way. One
 * connection at a time; a pair of sockets that fails ends alone.
 *
 *   spinning-relay ADDRESS PORT TO_ADDRESS TO_PORT MICROSECONDS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };

	if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
		fprintf(stderr, "not an IPv4 address: %s\n", host);
		exit(2);
	}
	return address;
}

/* Returns the bytes that went over, 0 when there are none, -1 at the end of either side. */
static ssize_t carry(int from, int to)
{
	static char bytes[65536];
	ssize_t length = read(from, bytes, sizeof(bytes));

	if (length < 0)
		return errno == EAGAIN ? 0 : -1;
	return length > 0 && write(to, bytes, length) == length ? length : -1;
}

static void relay(int client, int server, uint64_t patience)
{
	struct pollfd both[] = { { .fd = client, .events = POLLIN }, { .fd = server, .events = POLLIN } };
	uint64_t last = now();

	for (;;) {
		ssize_t there = carry(client, server);
		ssize_t back = carry(server, client);

		if (there < 0 || back < 0)
			return;
		if (there == 0 && back == 0 && now() - last <= patience)
			continue;
		if (there == 0 && back == 0)
			poll(both, 2, -1);
		last = now();
	}
}

int main(int count, char **words)
{
	const int on = 1;

	if (count != 6) {
		fprintf(stderr, "usage: spinning-relay ADDRESS PORT TO_ADDRESS TO_PORT MICROSECONDS\n");
		return 2;
	}
	struct sockaddr_in here = address(words[1], words[2]), there = address(words[3], words[4]);
	uint64_t patience = strtoull(words[5], NULL, 10) * 1000;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGPIPE, SIG_IGN);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) || listen(listener, 16)) {
		perror("spinning-relay");
		return 1;
	}
	for (;;) {
		int client = accept(listener, NULL, NULL), server = socket(AF_INET, SOCK_STREAM, 0);

		if (client >= 0 && connect(server, (struct sockaddr *)&there, sizeof(there)) == 0) {
			for (int i = 0; i < 2; i++) {
				setsockopt(i ? server : client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
				fcntl(i ? server : client, F_SETFL, O_NONBLOCK);
			}
			relay(client, server, patience);
		}
		close(client);
		close(server);
	}
}
