// SPDX-License-Identifier: GPL-2.0
/*
 * What a call costs that a replacement takes, and how long it takes until there is one:
 *
 *   freplace_cost cost OBJECT FIX [ROUNDS]  by itself, replaced by hotproof, and as a tail call
 *   freplace_cost until ID COMMAND…         seconds from the start of COMMAND until program ID answers another way
 *   freplace_cost attach ID FUNCTION FIX PIN  load, attach and pin with libbpf alone
 *
 * Programs are run by BPF_PROG_TEST_RUN, in batches that take turns. It says whole nanoseconds: the program calls
 * the function so often (call_work.h) that an eighth of one is seen. In each round they are loaded anew, at other addresses: where an emulator finds a
 * program costs more than the call. A round is: the original, hotproof apply, the replacement, hotproof revert;
 * its costs are medians, less that of a program that does nothing, and what is printed is the median of all
 * rounds, and their range.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../fixtures/bpf/call_work.h"
#include "base/clock.h"
#include "padding.h"

#define REPEAT	   20000
#define BATCHES	   9
#define MAX_ROUNDS 100

static void die(const char *what)
{
	fprintf(stderr, "freplace_cost: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* One batch: nanoseconds a run, without what the kernel does around it; and what the program answered. */
static double run(int program, unsigned int repeat, unsigned int *answer)
{
	static unsigned char packet[64] = { [12] = 8, [14] = 0x45 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = (int)repeat);

	if (bpf_prog_test_run_opts(program, &opts))
		die("BPF_PROG_TEST_RUN");
	if (answer)
		*answer = opts.retval;
	return opts.duration;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_size);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static int program_of(struct bpf_object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (!program)
		die(name);
	return bpf_program__fd(program);
}

static void command(const char *fmt, const char *arg, unsigned int id)
{
	char text[512];
	int status;

	snprintf(text, sizeof(text), fmt, arg, id);
	status = system(text);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) /* 1: nobody called it */
		die(text);
}

static void check(int program, unsigned int wanted)
{
	unsigned int answer;

	run(program, 1, &answer);
	if (answer != wanted) {
		fprintf(stderr, "freplace_cost: the program answers %u, not %u\n", answer, wanted);
		exit(1);
	}
}

enum {
	NONE,
	CALL,
	REPLACED,
	TAIL,
	KINDS
};

/* Medians of @count programs, in turns; less that of the first one. The second one calls CALLS times. */
static void measure(const int *programs, double **costs, size_t count, size_t round)
{
	double of[KINDS][BATCHES], base = 0;

	for (size_t i = 0; i < BATCHES; i++)
		for (size_t p = 0; p < count; p++)
			of[p][i] = run(programs[p], REPEAT, NULL);
	base = median(of[0], BATCHES);
	for (size_t p = 1; p < count; p++)
		costs[p][round] = (median(of[p], BATCHES) - base) / (p == 1 ? CALLS : 1);
}

static void measure_round(const char *path, const char *fix, double cost[KINDS][MAX_ROUNDS],
			  size_t round)
{
	struct bpf_object *object;
	int programs[3], jumped, zero = 0;
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	if (load_padding() < 0)
		die("padding");
	object = bpf_object__open_file(path, NULL);
	if (!object || bpf_object__load(object))
		die(path);
	programs[0] = program_of(object, "hp_call_none");
	programs[1] = program_of(object, "hp_call");
	programs[2] = program_of(object, "hp_call_tail");
	jumped = program_of(object, "hp_call_jumped");
	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, "hp_jumps"), &zero, &jumped,
				BPF_ANY) ||
	    bpf_obj_get_info_by_fd(programs[1], &info, &len))
		die("the tail call");
	check(programs[1], XDP_PASS);
	check(programs[2], XDP_PASS);
	measure(programs, (double *[]){ NULL, cost[CALL], cost[TAIL] }, 3, round);
	if (load_padding() < 0)
		die("padding");
	command("hotproof apply %s --prog id:%u --budget 600s --for 1ms >/dev/null 2>&1", fix,
		info.id);
	check(programs[1], XDP_TX);
	measure(programs, (double *[]){ NULL, cost[REPLACED] }, 2, round);
	command("hotproof revert %s --for 1ms >/dev/null 2>&1", "hp_fix_call", 0);
	check(programs[1], XDP_PASS);
	bpf_object__close(object);
}

static int cost(const char *path, const char *fix, size_t rounds)
{
	static const char *const names[KINDS] = { "none", "call", "replaced", "tail" };
	static double cost[KINDS][MAX_ROUNDS];

	if (!rounds || rounds > MAX_ROUNDS)
		return 2;
	for (size_t round = 0; round < rounds; round++)
		measure_round(path, fix, cost, round);
	for (size_t kind = CALL; kind < KINDS; kind++) {
		printf("%s %.2f", names[kind], median(cost[kind], rounds));
		printf(" from %.2f to %.2f\n", cost[kind][0], cost[kind][rounds - 1]);
	}
	return 0;
}

static int until(const char *id, char **argv)
{
	const struct timespec pause = { .tv_nsec = 500 * 1000 };
	int program = bpf_prog_get_fd_by_id((__u32)atol(id));
	unsigned int before, answer;
	uint64_t start, end;
	int status;
	pid_t pid;

	if (program < 0)
		die(id);
	run(program, 1, &before);
	start = hp_now_ns();
	pid = fork();
	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	do {
		nanosleep(&pause, NULL);
		run(program, 1, &answer);
		if (answer == before && waitpid(pid, &status, WNOHANG) == pid) {
			run(program, 1, &answer);
			if (answer != before)
				break;
			fprintf(stderr, "freplace_cost: %s ended with %d, and nothing changed\n",
				argv[0], WEXITSTATUS(status));
			return 1;
		}
	} while (answer == before);
	end = hp_now_ns();
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	printf("%.4f\n", (double)(end - start) / 1e9);
	return 0;
}

static int attach(const char *id, const char *function, const char *fix, const char *pin)
{
	int target = bpf_prog_get_fd_by_id((__u32)atol(id));
	struct bpf_object *object = bpf_object__open_file(fix, NULL);
	struct bpf_program *program = object ? bpf_object__next_program(object, NULL) : NULL;
	struct bpf_link *link;

	if (target < 0 || !program || bpf_program__set_attach_target(program, target, function) ||
	    bpf_object__load(object))
		die(fix);
	link = bpf_program__attach_freplace(program, target, function);
	if (!link || bpf_link__pin(link, pin))
		die(function);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "cost"))
		return cost(argv[2], argv[3], argc > 4 ? (size_t)atoi(argv[4]) : 10);
	if (argc >= 4 && !strcmp(argv[1], "until"))
		return until(argv[2], argv + 3);
	if (argc == 6 && !strcmp(argv[1], "attach"))
		return attach(argv[2], argv[3], argv[4], argv[5]);
	fprintf(stderr, "usage: freplace_cost cost|until|attach …\n");
	return 2;
}
