/*
 * TCP connections at an even pace, each with one HTTP request, and how long they take: until the connection stands, and
 * until the server has answered and closed it. Unlike a client that begins the next when the last has ended, it does not
 * ask less of whom it finds slow, and time to connect counts.
 *
 *   paced-client ADDRESS PORT CONNECTIONS_PER_SECOND SECONDS
 *
 * Prints one line of JSON, microseconds. A time begins with connect(2), not when its turn would have been: what the client
 * itself is late is not the network's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_AT_ONCE 4096
#define GIVE_UP_NANOSECONDS 3000000000ull

struct connection {
	uint64_t begun, stood;
	int fd;
};

static struct connection connections[MOST_AT_ONCE];
static int idle[MOST_AT_ONCE], idle_count = MOST_AT_ONCE;
static double *stands, *wholes;
static size_t done, failed;
static const char request[] = "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void end(struct connection *connection, int is_whole)
{
	close(connection->fd);
	idle[idle_count++] = connection - connections;
	if (!is_whole) {
		failed++;
		return;
	}
	stands[done] = (connection->stood - connection->begun) / 1e3;
	wholes[done++] = (now() - connection->begun) / 1e3;
}

static void begin(int epoll, const struct sockaddr_in *to)
{
	struct connection *connection = &connections[idle[--idle_count]];
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = connection };

	connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	connection->stood = 0;
	connection->begun = now();
	if (connection->fd < 0 ||
	    (connect(connection->fd, (const struct sockaddr *)to, sizeof(*to)) < 0 && errno != EINPROGRESS) ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
		end(connection, 0);
}

static void proceed(int epoll, struct connection *connection)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
	char answer[4096];
	ssize_t got;

	if (!connection->stood) {
		connection->stood = now();
		epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event);
		/* Fails when the connection does not stand after all. */
		if (send(connection->fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
			end(connection, 0);
		return;
	}
	while ((got = read(connection->fd, answer, sizeof(answer))) > 0)
		;
	if (got == 0 || errno != EAGAIN)
		end(connection, got == 0);
}

static int by_size(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void print(const char *name, double *times)
{
	qsort(times, done, sizeof(*times), by_size);
	printf(",\"%s\":{\"p50\":%.1f,\"p99\":%.1f}", name, times[done / 2], times[done * 99 / 100]);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct epoll_event events[64];
	int epoll = epoll_create1(0);

	if (argc != 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: paced-client ADDRESS PORT CONNECTIONS_PER_SECOND SECONDS\n");
		return 2;
	}
	to.sin_port = htons(atoi(argv[2]));
	size_t total = (size_t)atoi(argv[3]) * atoi(argv[4]), begun = 0;
	uint64_t pause = 1000000000ull / atoi(argv[3]), due = now(), last = due + total * pause + GIVE_UP_NANOSECONDS;

	stands = calloc(total, sizeof(*stands));
	wholes = calloc(total, sizeof(*wholes));
	for (int i = 0; i < MOST_AT_ONCE; i++)
		idle[i] = i;
	while (done + failed < total && now() < last) {
		for (; begun < total && idle_count > 0 && now() >= due; begun++, due += pause)
			begin(epoll, &to);
		uint64_t time = now(), wait = begun < total && due > time ? due - time : begun < total ? 0 : 1000000;
		struct timespec timeout = { .tv_nsec = wait };
		int count = epoll_pwait2(epoll, events, 64, &timeout, NULL);
		for (int i = 0; i < count; i++)
			proceed(epoll, events[i].data.ptr);
	}
	if (done == 0) {
		fprintf(stderr, "no connection has come to its end\n");
		return 1;
	}
	printf("{\"count\":%zu,\"failed\":%zu", done, total - done);
	print("connected", stands);
	print("answered", wholes);
	printf("}\n");
	return 0;
}
