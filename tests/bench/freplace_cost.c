// SPDX-License-Identifier: GPL-2.0
/*
 * What a call costs that a replacement takes, and how long it takes until there is one:
 *
 *   freplace_cost cost OBJECT FIX [ROUNDS]  by itself, replaced by hotproof, and as a tail call
 *   freplace_cost until ID COMMAND…         seconds from the start of COMMAND until program ID answers another way
 *   freplace_cost attach ID FUNCTION FIX PIN  load, attach and pin with libbpf alone
 *
 * Programs are run by BPF_PROG_TEST_RUN, in batches that take turns; medians, less that of a program that does
 * nothing. A round is: the original, hotproof apply, the replacement, hotproof revert.
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

#include "base/clock.h"

#define REPEAT	   20000
#define BATCHES	   15
#define MAX_VALUES 4000

static void die(const char *what)
{
	fprintf(stderr, "freplace_cost: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* One batch: nanoseconds a run, and what the program answered. */
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

struct values {
	double of[MAX_VALUES];
	size_t count;
};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(struct values *v)
{
	qsort(v->of, v->count, sizeof(v->of[0]), by_size);
	return v->count ? v->of[v->count / 2] : 0;
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

static int cost(const char *path, const char *fix, int rounds)
{
	static struct values none, call, replaced, tail;
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	int none_fd, call_fd, tail_fd, jumped_fd, zero = 0;
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	double base;

	if (!object || bpf_object__load(object))
		die(path);
	none_fd = program_of(object, "hp_call_none");
	call_fd = program_of(object, "hp_call");
	tail_fd = program_of(object, "hp_call_tail");
	jumped_fd = program_of(object, "hp_call_jumped");
	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, "hp_jumps"), &zero,
				&jumped_fd, BPF_ANY) ||
	    bpf_obj_get_info_by_fd(call_fd, &info, &len))
		die("the tail call");
	check(tail_fd, XDP_PASS);
	for (int round = 0; round < 2 * rounds; round++) {
		struct values *ours = round % 2 ? &replaced : &call;

		check(call_fd, round % 2 ? XDP_TX : XDP_PASS);
		for (int i = 0; i < BATCHES; i++) {
			none.of[none.count++] = run(none_fd, REPEAT, NULL);
			ours->of[ours->count++] = run(call_fd, REPEAT, NULL);
			tail.of[tail.count++] = run(tail_fd, REPEAT, NULL);
		}
		if (round % 2 == 0)
			command("hotproof apply %s --prog id:%u --for 1ms >/dev/null 2>&1", fix,
				info.id);
		else
			command("hotproof revert %s --for 1ms >/dev/null 2>&1", "hp_fix_call", 0);
	}
	base = median(&none);
	printf("none %.1f\ncall %.1f\nreplaced %.1f\ntail %.1f\n", base, median(&call) - base,
	       median(&replaced) - base, median(&tail) - base);
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
		return cost(argv[2], argv[3], argc > 4 ? atoi(argv[4]) : 5);
	if (argc >= 4 && !strcmp(argv[1], "until"))
		return until(argv[2], argv + 3);
	if (argc == 6 && !strcmp(argv[1], "attach"))
		return attach(argv[2], argv[3], argv[4], argv[5]);
	fprintf(stderr, "usage: freplace_cost cost|until|attach …\n");
	return 2;
}
