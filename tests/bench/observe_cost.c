// SPDX-License-Identifier: GPL-2.0
/*
 * What observing adds to a call, ours and that of other tools, in one process and one run:
 *
 *   observe_cost [-p PASSES] [-b BATCHES] [-n CALLS] SUBJECT...
 *
 * Each subject observes a system call of its own, and another one in the next pass. BATCHES batches
 * of CALLS calls of each are made in turn, so that whatever else the machine does meets them all:
 * first with nothing attached, then with everything. A system call that nobody observes is called
 * in between; its cost in both says by how much the machine was slower or faster. A subject is
 *
 *   count | callers | time    this observer, in that mode
 *   many                      count, as one of many targets
 *   empty | empty-pair        an fentry program (-pair: and an fexit program) that does nothing
 *   NAME:LINKS:COMMAND        another tool, run by sh with FUNCTION replaced in COMMAND. It is ready
 *                             when it has made LINKS BPF links, and killed in the end
 *
 * Prints for each subject: name, nanoseconds added to a call (from the medians of the batches; the
 * median over the passes), smallest and largest of the passes, calls made, calls counted ("-" where
 * that is not known). The last line is a call alone.
 *
 *   observe_cost arm FUNCTION...   observe these, stop it, and exit: nothing is measured
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/log.h"
#include "host/kallsyms.h"
#include "observe/observer.h"

#define MAX_PASSES  32
#define WARM_UP	    10 /* batches not measured: the first calls after an attach run cold */
#define LINK_WAIT_S 120

/* System calls that do next to nothing with the argument 0, and are made by nobody else here. */
static const struct {
	const char *function;
	long number;
} calls_to[] = {
	{ "__x64_sys_getpgid", SYS_getpgid },
	{ "__x64_sys_getsid", SYS_getsid },
	{ "__x64_sys_sched_getscheduler", SYS_sched_getscheduler },
	{ "__x64_sys_sched_get_priority_max", SYS_sched_get_priority_max },
	{ "__x64_sys_sched_get_priority_min", SYS_sched_get_priority_min },
};

#define MAX_SUBJECTS (sizeof(calls_to) / sizeof(calls_to[0]))
#define REFERENCE    SYS_getppid

static unsigned int passes = 2, batches = 400, calls = 200;

struct subject {
	const char *name;
	const char *command; /* NULL: one of our own */
	unsigned int links;  /* of the command */
	bool empty;

	/* Of the pass that is being measured. */
	size_t target; /* in calls_to[] */
	struct hp_observer *obs;
	int links_fd[2];
	pid_t pid;
	double *cost; /* of each batch */
	double alone;
	uint64_t pass_made;

	double added[MAX_PASSES]; /* nanoseconds a call */
	uint64_t made, counted;
};

static void die(const char *what)
{
	fprintf(stderr, "observe_cost: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void fail(const struct hp_error *err)
{
	fprintf(stderr, "observe_cost: %s\n%s", err->message, err->detail);
	exit(1);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static double one_batch(long number)
{
	uint64_t start = hp_now_ns();

	for (unsigned int i = 0; i < calls; i++)
		syscall(number, 0);
	return (double)(hp_now_ns() - start) / calls;
}

/* Fill the subjects' costs; returns the reference's median. */
static double measure(struct subject *subjects, size_t n)
{
	double *reference = calloc(batches, sizeof(*reference)), result;

	if (!reference)
		die("calloc");
	for (unsigned int b = 0; b < WARM_UP + batches; b++) {
		double cost = one_batch(REFERENCE);

		if (b >= WARM_UP)
			reference[b - WARM_UP] = cost;
		for (size_t i = 0; i < n; i++) {
			struct subject *s = &subjects[b % 2 ? n - 1 - i : i];

			cost = one_batch(calls_to[s->target].number);
			if (b >= WARM_UP)
				s->cost[b - WARM_UP] = cost;
		}
	}
	for (size_t i = 0; i < n; i++)
		subjects[i].pass_made = (uint64_t)(WARM_UP + batches) * calls;
	result = median(reference, batches);
	free(reference);
	return result;
}

static struct hp_kallsyms *open_kallsyms(void)
{
	struct hp_error err = { 0 };
	struct hp_kallsyms *ks;

	if (hp_kallsyms__open(&ks, NULL, &err))
		fail(&err);
	return ks;
}

static struct hp_point point_of(struct hp_kallsyms *ks, const char *function)
{
	struct hp_point point = { .role = HP_POINT_OLD_ENTRY, .trampoline = true };
	struct hp_symbol symbol;

	if (hp_kallsyms__find(ks, "vmlinux", function, 0, &symbol)) {
		fprintf(stderr, "observe_cost: no function %s\n", function);
		exit(1);
	}
	point.address = symbol.address;
	snprintf(point.object, sizeof(point.object), "vmlinux");
	snprintf(point.symbol, sizeof(point.symbol), "%s", function);
	return point;
}

static void start_ours(struct subject *s, struct hp_kallsyms *ks)
{
	struct hp_point point = point_of(ks, calls_to[s->target].function);
	bool time = !strcmp(s->name, "time"), many = !strcmp(s->name, "many");
	struct hp_observer_opts opts = {
		.targets = many ? HP_TRAMPOLINES_MAX + 1 : 1,
		.time = time,
		.callers = !strcmp(s->name, "callers"),
	};
	enum hp_method wanted = many   ? HP_METHOD_KPROBE
				: time ? HP_METHOD_FENTRY_FEXIT
				       : HP_METHOD_FENTRY;
	struct hp_armed armed;
	struct hp_error err = { 0 };

	if (hp_observer__open(&s->obs, &opts, &err) ||
	    hp_observer__arm(s->obs, 0, &point, time, &armed, &err))
		fail(&err);
	if (armed.method != wanted) {
		fprintf(stderr, "observe_cost: %s instead of %s\n", hp_method_name(armed.method),
			hp_method_name(wanted));
		exit(1);
	}
	hp_observer__set_state(s->obs, 0, HP_PM_ACTIVE);
}

static void stop_ours(struct subject *s)
{
	struct hp_counts counts;
	struct hp_hist hist;

	hp_observer__set_state(s->obs, 0, HP_PM_OFF);
	if (hp_observer__read(s->obs, 0, HP_POINT_OLD_ENTRY, HP_PM_ACTIVE, &counts))
		die("cannot read the counters");
	if (!strcmp(s->name, "time")) {
		if (hp_observer__read_hist(s->obs, 0, HP_POINT_OLD_ENTRY, HP_PM_ACTIVE, &hist))
			die("cannot read the histogram");
		if (hist.count < counts.calls)
			counts.calls = hist.count;
	}
	s->counted += counts.calls;
	hp_observer__close(s->obs);
}

static int attach_empty(const char *function, enum bpf_attach_type type)
{
	/* return 0 */
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);
	int prog, link;

	opts.attach_btf_id = (unsigned int)libbpf_find_vmlinux_btf_id(function, type);
	prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty", "GPL", insns, 2, &opts);
	link = bpf_raw_tracepoint_open(NULL, prog);
	if (link < 0)
		die("cannot attach an empty program");
	close(prog);
	return link;
}

static void start_empty(struct subject *s)
{
	const char *function = calls_to[s->target].function;

	s->links_fd[0] = attach_empty(function, BPF_TRACE_FENTRY);
	if (!strcmp(s->name, "empty-pair"))
		s->links_fd[1] = attach_empty(function, BPF_TRACE_FEXIT);
}

static void stop_empty(struct subject *s)
{
	close(s->links_fd[0]);
	if (!strcmp(s->name, "empty-pair"))
		close(s->links_fd[1]);
}

static unsigned int count_links(void)
{
	unsigned int n = 0;
	__u32 id = 0;

	while (!bpf_link_get_next_id(id, &id))
		n++;
	return n;
}

static void wait_for_links(unsigned int wanted, pid_t pid)
{
	uint64_t limit = hp_now_ns() + LINK_WAIT_S * HP_NSEC_PER_SEC;

	while (count_links() != wanted) {
		if (hp_now_ns() > limit || (pid && waitpid(pid, NULL, WNOHANG) == pid)) {
			fprintf(stderr, "observe_cost: %u BPF links, waited for %u\n",
				count_links(), wanted);
			exit(1);
		}
		usleep(10000);
	}
}

/* @command with the word FUNCTION replaced. */
static char *command_for(const char *command, const char *function)
{
	const char *rest;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		die("open_memstream");
	while ((rest = strstr(command, "FUNCTION"))) {
		fprintf(f, "%.*s%s", (int)(rest - command), command, function);
		command = rest + strlen("FUNCTION");
	}
	fputs(command, f);
	fclose(f);
	return text;
}

static void start_command(struct subject *s)
{
	char *command = command_for(s->command, calls_to[s->target].function);
	unsigned int before = count_links();

	fflush(stdout);
	s->pid = fork();
	if (s->pid == 0) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(127);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	if (s->pid < 0)
		die("fork");
	wait_for_links(before + s->links, s->pid);
	free(command);
}

static void stop_command(struct subject *s)
{
	unsigned int before = count_links();

	/* Not SIGINT: a bpftrace that gets it just before it goes to sleep sleeps on. */
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	wait_for_links(before - s->links, 0);
}

static void one_pass(struct subject *subjects, size_t n, unsigned int pass, double *reference)
{
	struct hp_kallsyms *ks = open_kallsyms();
	double alone, loaded;

	for (size_t i = 0; i < n; i++)
		subjects[i].target = (i + pass) % MAX_SUBJECTS;
	alone = measure(subjects, n);
	for (size_t i = 0; i < n; i++)
		subjects[i].alone = median(subjects[i].cost, batches);

	for (size_t i = 0; i < n; i++)
		if (subjects[i].command)
			start_command(&subjects[i]);
	sleep(1); /* what they do once they have attached */
	for (size_t i = 0; i < n; i++)
		if (subjects[i].empty)
			start_empty(&subjects[i]);
		else if (!subjects[i].command)
			start_ours(&subjects[i], ks);
	loaded = measure(subjects, n);
	for (size_t i = 0; i < n; i++) {
		struct subject *s = &subjects[i];

		if (s->command)
			stop_command(s);
		else if (s->empty)
			stop_empty(s);
		else
			stop_ours(s);
		s->made += s->pass_made;
		s->added[pass] = median(s->cost, batches) - s->alone * loaded / alone;
	}
	*reference = alone;
	hp_kallsyms__close(ks);
}

static void print(const char *name, double *ns, uint64_t made, const char *counted)
{
	double middle = median(ns, passes);

	printf("%s\t%.1f\t%.1f\t%.1f\t%" PRIu64 "\t%s\n", name, middle, ns[0], ns[passes - 1], made,
	       counted);
}

static int run(struct subject *subjects, size_t n)
{
	double reference[MAX_PASSES];
	int ret = 0;

	for (unsigned int pass = 0; pass < passes; pass++)
		one_pass(subjects, n, pass, &reference[pass]);
	for (size_t i = 0; i < n; i++) {
		struct subject *s = &subjects[i];
		char counted[32] = "-";

		if (s->command || s->empty) {
			print(s->name, s->added, s->made, counted);
			continue;
		}
		snprintf(counted, sizeof(counted), "%" PRIu64, s->counted);
		print(s->name, s->added, s->made, counted);
		if (s->counted != s->made) {
			fprintf(stderr,
				"observe_cost: %s: %" PRIu64 " calls made, %" PRIu64 " counted\n",
				s->name, s->made, s->counted);
			ret = 1;
		}
	}
	print("call", reference, subjects[0].made, "-");
	return ret;
}

static int arm(char **functions, size_t n)
{
	struct hp_kallsyms *ks = open_kallsyms();
	struct hp_observer_opts opts = { .targets = n };
	struct hp_error err = { 0 };
	struct hp_observer *obs;

	if (hp_observer__open(&obs, &opts, &err))
		fail(&err);
	for (size_t i = 0; i < n; i++) {
		struct hp_point point = point_of(ks, functions[i]);

		if (hp_observer__arm(obs, i, &point, false, NULL, &err))
			fail(&err);
	}
	hp_observer__set_state_all(obs, HP_PM_ACTIVE);
	hp_observer__close(obs);
	hp_kallsyms__close(ks);
	return 0;
}

static bool parse_subject(struct subject *s, char *arg)
{
	char *links = strchr(arg, ':');

	s->name = arg;
	s->cost = calloc(batches, sizeof(*s->cost));
	if (!s->cost)
		die("calloc");
	if (!links) {
		s->empty = !strcmp(arg, "empty") || !strcmp(arg, "empty-pair");
		return s->empty || !strcmp(arg, "count") || !strcmp(arg, "callers") ||
		       !strcmp(arg, "time") || !strcmp(arg, "many");
	}
	*links++ = '\0';
	s->links = (unsigned int)strtoul(links, &links, 10);
	s->command = links + 1;
	return s->links && *links == ':';
}

int main(int argc, char **argv)
{
	struct subject subjects[MAX_SUBJECTS] = { 0 };
	int c, n;

	hp_log_init(0, false);
	if (argc > 2 && !strcmp(argv[1], "arm"))
		return arm(argv + 2, (size_t)argc - 2);
	while ((c = getopt(argc, argv, "p:b:n:v")) != -1) {
		unsigned long value = optarg ? strtoul(optarg, NULL, 10) : 0;

		if (c == 'v')
			hp_log_init(2, false);
		else if (c == 'p' && value && value <= MAX_PASSES)
			passes = (unsigned int)value;
		else if (c == 'b' && value)
			batches = (unsigned int)value;
		else if (c == 'n' && value)
			calls = (unsigned int)value;
		else
			goto usage;
	}
	n = argc - optind;
	if (n < 1 || (size_t)n > MAX_SUBJECTS)
		goto usage;
	for (int i = 0; i < n; i++)
		if (!parse_subject(&subjects[i], argv[optind + i]))
			goto usage;
	c = run(subjects, (size_t)n);
	for (int i = 0; i < n; i++)
		free(subjects[i].cost);
	return c;
usage:
	fprintf(stderr, "usage: observe_cost [-p PASSES] [-b BATCHES] [-n CALLS] SUBJECT...\n"
			"       observe_cost arm FUNCTION...\n");
	return 2;
}
