// SPDX-License-Identifier: GPL-2.0
/*
 * What a guard adds to a call that is out of its scope, next to an fmod_ret program that does nothing,
 * and how long after the write to the patch map the last call is answered the old way:
 *
 *   guard_cost cost [-b BATCHES] [-n CALLS] [-p PLACES]   uid, cgroup, exe, arg: what each limit costs
 *   guard_cost flip [-b FLIPS]                with a thread on every CPU that does nothing but call
 *   guard_cost attach PIN                     seconds that it takes to attach the pinned program
 *
 * The functions are security hooks that take three system calls which nobody else makes here. On each of
 * them, in turn: nothing attached, the empty program, the guard; batches of calls, each followed by one of a
 * system call that nobody touches. The fastest tenth of the batches of a subject ends with what counts. A
 * machine's pace changes within seconds: only what takes turns can be compared. And what an emulator takes to
 * find a program and its data depends on where they are, and may be more than all the program does: both are
 * loaded many times over, at other addresses, and what counts is the median of these places.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "engines/guard/guard.h"
#include "engines/guard/pins.h"
#include "engines/guard/rule.h"
#include "engines/guard/way_back.h"
#include "padding.h"

#define MAX_BATCHES 4000
#define MAX_CPUS    64
#define MAX_PLACES  64
#define TURNS	    2 /* of each subject in each place */
#define WARM_UP	    20
#define GUARD_NAME  "bench"

static const struct {
	const char *function;
	long number;
} hooks[] = {
	{ "security_task_getpgid", SYS_getpgid },
	{ "security_task_getsid", SYS_getsid },
	{ "security_task_getscheduler", SYS_sched_getscheduler },
};

#define HOOKS (sizeof(hooks) / sizeof(hooks[0]))

static unsigned int batches = 60, calls = 300, places = 2;

static void die(const char *what, const struct hp_error *err)
{
	fprintf(stderr, "guard_cost: %s: %s\n", what, err ? err->message : strerror(errno));
	exit(1);
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

/* The tenth part of @values is less: what it takes when nobody else wants the CPU. */
static double low(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_size);
	return values[count / 10];
}

/* Nanoseconds of one call, of a batch. */
static double time_batch(long number, pid_t pid)
{
	uint64_t start = hp_now_ns();

	for (unsigned int i = 0; i < calls; i++)
		syscall(number, pid);
	return (double)(hp_now_ns() - start) / calls;
}

/* What was measured of a subject: calls of the hook, and of a system call that nobody touches. */
struct series {
	double here[MAX_BATCHES], there[MAX_BATCHES];
	size_t count;
};

/* A turn of a subject that is in place. */
static void take_turn(struct series *s, long number)
{
	pid_t pid = getpid();

	for (unsigned int i = 0; i < WARM_UP; i++)
		time_batch(number, pid);
	for (unsigned int i = 0; i < batches / TURNS; i++, s->count++) {
		s->there[s->count] = time_batch(SYS_getppid, pid);
		s->here[s->count] = time_batch(number, pid);
	}
}

static double cost_of(struct series *s)
{
	return low(s->here, s->count) - low(s->there, s->count);
}

/* An fmod_ret program that lets every call pass, for @function. */
static int load_empty(const char *function)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_MODIFY_RETURN);
	struct hp_btf *btf;
	uint32_t id = 0;
	int fd, program;

	if (hp_btf__open(&btf) || hp_btf__find_function(btf, "vmlinux", function, &id, &fd))
		die("no BTF", NULL);
	hp_btf__close(btf);
	opts.attach_btf_id = id;
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty", "GPL", insns, 2, &opts);
	if (program < 0)
		die("empty program", NULL);
	return program;
}

static struct hp_engine_state *add_guard(const char *function, const char *limit)
{
	const char *args[] = { "p == NULL" };
	const char *nobody = "65534";
	struct hp_guard_hotfix g = { .hotfix = { .name = GUARD_NAME, .fd = -1 },
				     .function = function,
				     .deadline = hp_now_ns() + 3600 * HP_NSEC_PER_SEC };
	struct hp_engine_state *state;
	struct hp_error err = { 0 };
	int ret = 0;

	hp_guard_rule__init(&g.rule);
	ret = hp_guard_rule__set_value(&g.rule, "EPERM", &err);
	if (!strcmp(limit, "uid"))
		ret = ret ?: hp_guard_rule__set_uids(&g.rule, &nobody, 1, &err);
	else if (!strcmp(limit, "cgroup"))
		ret = ret ?: hp_guard_rule__set_cgroup(&g.rule, "guard_cost", &err);
	else if (!strcmp(limit, "exe"))
		ret = ret ?: hp_guard_rule__set_exe(&g.rule, "/bin/sh", &err);
	else if (!strcmp(limit, "arg"))
		g.args = args, g.arg_count = 1;
	else
		g.observe_only = true;
	ret = ret ?: hp_guard_engine.open(&state, &err);
	ret = ret ?: hp_guard_engine.prepare(state, &g.hotfix, &err);
	ret = ret ?: hp_guard_engine.activate(state, &g.hotfix, &err);
	if (ret)
		die(limit, &err);
	return state;
}

static void remove_guard(struct hp_engine_state *state)
{
	struct hp_error err = { 0 };

	if (hp_guard_engine.revert(state, GUARD_NAME, 0, &err) ||
	    hp_guard_engine.finish(state, GUARD_NAME, 0, &err))
		die("remove", &err);
	hp_guard_engine.close(state);
}

/* The program of the guard that was added; its link goes, so that it can be attached in turn. */
static int take_program(struct hp_engine_state *state)
{
	int link = hp_pins__get(GUARD_NAME, HP_PIN_LINK), program;
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	if (link < 0 || bpf_obj_get_info_by_fd(link, &info, &len))
		die("the guard's link", NULL);
	program = bpf_prog_get_fd_by_id(info.prog_id);
	if (program < 0 || unlink(HP_PINS_ROOT "/" GUARD_NAME "/link"))
		die("the guard's program", NULL);
	close(link);
	hp_guard_engine.close(state);
	return program;
}

static void turn_of(struct series *s, int program, long number)
{
	int link = program < 0 ? -1 : bpf_raw_tracepoint_open(NULL, program);

	if (program >= 0 && link < 0)
		die("attach", NULL);
	take_turn(s, number);
	if (link >= 0)
		close(link);
}

/* Nanoseconds that the empty program and a guard with @limit add to a call of @hook, in one place. */
static void measure(const char *limit, size_t hook, double *empty, double *guard)
{
	static struct series of_none, of_empty, of_guard;
	int empty_program, guard_program;
	struct hp_error err = { 0 };

	of_none.count = of_empty.count = of_guard.count = 0;
	if (load_padding() < 0)
		die("padding", NULL);
	empty_program = load_empty(hooks[hook].function);
	if (load_padding() < 0)
		die("padding", NULL);
	guard_program = take_program(add_guard(hooks[hook].function, limit));
	for (int turn = 0; turn < TURNS; turn++) {
		turn_of(&of_none, -1, hooks[hook].number);
		turn_of(&of_empty, empty_program, hooks[hook].number);
		turn_of(&of_guard, guard_program, hooks[hook].number);
	}
	close(empty_program);
	close(guard_program);
	if (hp_pins__remove(GUARD_NAME, &err))
		die("remove", &err);
	*empty = cost_of(&of_empty) - cost_of(&of_none);
	*guard = cost_of(&of_guard) - cost_of(&of_none);
}

static int cost(void)
{
	static const char *const limits[] = { "uid", "cgroup", "exe", "arg" };
	double empty[HOOKS * MAX_PLACES], added[HOOKS * MAX_PLACES];
	size_t count = HOOKS * places;

	for (size_t s = 0; s < sizeof(limits) / sizeof(limits[0]); s++) {
		for (size_t i = 0; i < count; i++)
			measure(limits[s], i % HOOKS, &empty[i], &added[i]);
		printf("%s %.0f", limits[s], median(added, count));
		printf(" empty %.0f", median(empty, count));
		printf(" ratio %.2f", median(added, count) / median(empty, count));
		printf(" guard from %.0f to %.0f", added[0], added[count - 1]);
		printf(" empty from %.0f to %.0f\n", empty[0], empty[count - 1]);
		fflush(stdout);
	}
	return 0;
}

static _Atomic bool stop;
/* When the last call began that was answered the old way, and when it was back. */
static _Atomic uint64_t last_begin[MAX_CPUS], last_end[MAX_CPUS];
static _Atomic uint64_t made[MAX_CPUS];
static _Atomic int wanted; /* the answer that is new: 0 or EPERM */

static void *caller(void *arg)
{
	long cpu = (long)(intptr_t)arg;
	pid_t pid = getpid();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint64_t begin = hp_now_ns();
		int answer = syscall(SYS_getpgid, pid) < 0 ? errno : 0;

		if (answer != atomic_load(&wanted)) {
			atomic_store(&last_begin[cpu], begin);
			atomic_store(&last_end[cpu], hp_now_ns());
		}
		atomic_fetch_add_explicit(&made[cpu], 1, memory_order_relaxed);
	}
	return NULL;
}

/* From @start to the latest of @times, 0 when they are all before it. */
static double latest(_Atomic uint64_t *times, long count, uint64_t start)
{
	uint64_t last = start;

	for (long i = 0; i < count; i++)
		if (atomic_load(&times[i]) > last)
			last = atomic_load(&times[i]);
	return (double)(last - start);
}

static void print_times(const char *what, double *times)
{
	double middle = median(times, batches);

	printf("%s median %.0f p90 %.0f max %.0f\n", what, middle, times[batches * 9 / 10],
	       times[batches - 1]);
}

static int flip(void)
{
	struct hp_engine_state *state = add_guard("security_task_getpgid", "none");
	static double begins[MAX_BATCHES], ends[MAX_BATCHES];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	const struct timespec pause = { .tv_nsec = 20 * HP_NSEC_PER_MSEC };
	pthread_t threads[MAX_CPUS];
	struct hp_error err = { 0 };
	struct hp_guard guard;
	uint64_t total = 0;

	if (cpus > MAX_CPUS || hp_guard__open(&guard, GUARD_NAME, &err))
		die("open", &err);
	for (long i = 0; i < cpus; i++)
		pthread_create(&threads[i], NULL, caller, (void *)(intptr_t)i);
	for (unsigned int n = 0; n < batches; n++) {
		bool on = n % 2 == 0;
		struct hp_guard_rule rule = *hp_guard__rule(&guard);
		uint64_t start;

		nanosleep(&pause, NULL);
		hp_guard__put(&guard, &rule);
		atomic_store(&wanted, on ? EPERM : 0);
		start = hp_now_ns();
		hp_guard__flip(&guard, on ? HP_GUARD_ENFORCE : HP_GUARD_OBSERVE);
		nanosleep(&pause, NULL);
		begins[n] = latest(last_begin, cpus, start);
		ends[n] = latest(last_end, cpus, start);
	}
	atomic_store(&stop, true);
	for (long i = 0; i < cpus; i++) {
		pthread_join(threads[i], NULL);
		total += atomic_load(&made[i]);
	}
	hp_guard__close(&guard);
	remove_guard(state);
	printf("flips %u calls %" PRIu64 " cpus %ld\n", batches, total, cpus);
	/* A caller that loses its CPU on the way back is back later: its answer is from before. */
	print_times("begun", begins);
	print_times("back", ends);
	return 0;
}

static int attach(const char *pin)
{
	int program = bpf_obj_get(pin);
	uint64_t start = hp_now_ns();

	if (program < 0 || bpf_raw_tracepoint_open(NULL, program) < 0)
		die(pin, NULL);
	printf("%.4f\n", (double)(hp_now_ns() - start) / 1e9);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int c;

	/* To test the way back the engine runs the program that it is part of: this one. */
	if (argc == 4 && !strcmp(what, "guard") && !strcmp(argv[2], HP_WAY_BACK))
		return hp_way_back__walk(argv[3], NULL) != 0;
	if (argc == 3 && !strcmp(what, "attach"))
		return attach(argv[2]);
	if (!strcmp(what, "flip"))
		batches = 100;
	optind = 2;
	while ((c = getopt(argc, argv, "b:n:p:")) != -1) {
		if (c == 'b')
			batches = (unsigned int)atoi(optarg);
		else if (c == 'n')
			calls = (unsigned int)atoi(optarg);
		else if (c == 'p')
			places = (unsigned int)atoi(optarg);
	}
	if (batches < TURNS || batches > MAX_BATCHES || calls < 1 || places < 1 ||
	    places > MAX_PLACES)
		return 2;
	if (!strcmp(what, "cost"))
		return cost();
	if (!strcmp(what, "flip"))
		return flip();
	fprintf(stderr,
		"usage: guard_cost cost|flip [-b BATCHES] [-n CALLS] [-p PLACES] | attach PIN\n");
	return 2;
}
