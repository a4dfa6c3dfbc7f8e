// SPDX-License-Identifier: Apache-2.0
/*
 * Sends frames as fast as a core can, by running an XDP program on frames that the kernel then sends
 * (BPF_F_TEST_XDP_LIVE_FRAMES): ten times what a socket can.
 *
 *   generator OBJECT INTERFACE FLOWS SECONDS CPU FRAME [random]
 *
 * FRAME is the first frame, in hex. A call has a fixed cost of some 30 ms, so there is one, which a timer ends. Prints
 * "sending" when it begins.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define FRAME_BYTES 64

struct plan {
	uint32_t flows, ifindex, ip_sum, tcp_sum, next, random;
	uint8_t frame[FRAME_BYTES];
};

static void fail(const char *what) { fprintf(stderr, "generator: %s: %s\n", what, strerror(errno)); exit(1); }

static void on_alarm(int signal) { (void)signal; }

int main(int argc, char **argv)
{
	struct plan plan = {0};
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval timer = {0};
	cpu_set_t cpus;
	uint32_t zero = 0;

	if (argc < 7) { fprintf(stderr, "usage: generator OBJECT INTERFACE FLOWS SECONDS CPU FRAME [random]\n"); return 1; }
	plan.flows = atoi(argv[3]);
	plan.ifindex = if_nametoindex(argv[2]);
	plan.random = argc > 7;
	if (!plan.ifindex) fail(argv[2]);
	for (int i = 0; i < FRAME_BYTES; i++)
		if (sscanf(argv[6] + 2 * i, "%2hhx", &plan.frame[i]) != 1) fail("the frame is too short");
	plan.ip_sum = (uint16_t)~(plan.frame[24] << 8 | plan.frame[25]);
	plan.tcp_sum = (uint16_t)~(plan.frame[50] << 8 | plan.frame[51]);
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[5]), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0) fail("sched_setaffinity");

	struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object) != 0) fail("load the program");
	int program = bpf_program__fd(bpf_object__find_program_by_name(object, "generate"));
	int plans = bpf_map__fd(bpf_object__find_map_by_name(object, "plans"));
	if (bpf_map_update_elem(plans, &zero, &plan, BPF_ANY) != 0) fail("hand over the plan");

	/* No SA_RESTART: the call is to end. */
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	double seconds = atof(argv[4]);
	timer.it_value.tv_sec = (long)seconds;
	timer.it_value.tv_usec = (long)((seconds - (long)seconds) * 1e6);
	setitimer(ITIMER_REAL, &timer, NULL);
	printf("sending\n");
	fflush(stdout);
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = plan.frame, .data_size_in = FRAME_BYTES, .repeat = 1 << 30,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
	struct xdp_md context = {.data_end = FRAME_BYTES};
	options.ctx_in = &context;
	options.ctx_size_in = sizeof(context);
	if (bpf_prog_test_run_opts(program, &options) != 0 && errno != EINTR) fail("BPF_PROG_TEST_RUN");
	return 0;
}
