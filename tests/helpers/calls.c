// SPDX-License-Identifier: GPL-2.0
/*
 * calls KIND N [--threads T] [--magic] [--pause-us U]: make exactly N calls of one kind, and say
 * what came back:
 *
 *	calls=1000 answer=4242 count=1000
 *
 * one line for each different answer, in the order of first sight. N = 0: call until SIGINT or
 * SIGTERM, then print how many there were. Every call's answer is one long: what the system call
 * returned, or -errno. KIND (and which fixture it exercises):
 *
 *	getpgid    getpgid(0), with --magic getpgid(HP_MAGIC)              hp_lp_getpgid*, hp_lp_kpatch
 *	priority   sched_get_priority_max(SCHED_FIFO), or of HP_MAGIC      hp_lp_two
 *	sympos     one read of /sys/class/net/lo/flags (the flags)         hp_lp_sympos
 *	read       read() of 1 byte of /dev/zero, with --magic of
 *	           HP_MAGIC bytes of /dev/null                             hp_lp_vfs_read
 *	fixture    hp_fixture_target() through /proc/hp_fixture            hp_lp_mod
 *	many       hp_fixture_target_00() to _49() in turn, N in all       hp_lp_many50
 *
 * Exit status: 0 N calls were made, 1 they could not be made, 2 bad usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../fixtures/livepatch/hp_fixture_abi.h"

#define MAX_ANSWERS 64
#define MAX_THREADS 256

struct answer {
	long value;
	unsigned long count;
};

struct worker {
	pthread_t thread;
	const struct kind *kind;
	unsigned long calls; /* to make; 0: until stopped */
	unsigned long made;
	useconds_t pause_us;
	bool magic;
	int fd;
	char *buffer;
	struct answer answers[MAX_ANSWERS];
	size_t answer_count;
};

struct kind {
	const char *name;
	const char *path; /* to open, or NULL */
	const char *magic_path;
	int flags;
	long (*call)(struct worker *w);
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = 1;
}

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

static long call_getpgid(struct worker *w)
{
	/* Not libc's function: whatever it does besides is not wanted here. */
	return result(syscall(SYS_getpgid, w->magic ? HP_MAGIC : 0));
}

static long call_priority(struct worker *w)
{
	return result(syscall(SYS_sched_get_priority_max, w->magic ? HP_MAGIC : SCHED_FIFO));
}

static long call_sympos(struct worker *w)
{
	char text[32] = "";
	ssize_t len = pread(w->fd, text, sizeof(text) - 1, 0);

	return len < 0 ? -errno : strtol(text, NULL, 0);
}

static long call_read(struct worker *w)
{
	return result(syscall(SYS_read, w->fd, w->buffer, w->magic ? HP_MAGIC : 1));
}

static long call_fixture(struct worker *w)
{
	return result(ioctl(w->fd, HP_FIXTURE_CALL(HP_FIXTURE_MAIN)));
}

static long call_many(struct worker *w)
{
	return result(ioctl(w->fd, HP_FIXTURE_CALL(w->made % HP_FIXTURE_MANY)));
}

static const struct kind kinds[] = {
	{ "getpgid", NULL, NULL, 0, call_getpgid },
	{ "priority", NULL, NULL, 0, call_priority },
	{ "sympos", "/sys/class/net/lo/flags", NULL, O_RDONLY, call_sympos },
	{ "read", "/dev/zero", "/dev/null", O_RDONLY, call_read },
	{ "fixture", HP_FIXTURE_PROC, NULL, O_RDWR, call_fixture },
	{ "many", HP_FIXTURE_PROC, NULL, O_RDWR, call_many },
	{ 0 },
};

static int add_answer(struct answer *answers, size_t *n, long value, unsigned long count)
{
	size_t i;

	for (i = 0; i < *n && answers[i].value != value; i++)
		;
	if (i == MAX_ANSWERS)
		return -1;
	if (i == *n)
		answers[(*n)++] = (struct answer){ .value = value };
	answers[i].count += count;
	return 0;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!stop && (!w->calls || w->made < w->calls)) {
		long value = w->kind->call(w);

		w->made++;
		if (add_answer(w->answers, &w->answer_count, value, 1)) {
			fprintf(stderr, "calls: more than %d different answers\n", MAX_ANSWERS);
			exit(1);
		}
		if (w->pause_us)
			usleep(w->pause_us);
	}
	return NULL;
}

static int usage(void)
{
	fprintf(stderr, "usage: calls KIND N [--threads T] [--magic] [--pause-us U]\n");
	return 2;
}

static int prepare(struct worker *w)
{
	const char *path = w->magic && w->kind->magic_path ? w->kind->magic_path : w->kind->path;

	w->fd = -1;
	w->buffer = malloc(HP_MAGIC);
	if (!w->buffer)
		return -1;
	if (!path)
		return 0;
	w->fd = open(path, w->kind->flags | O_CLOEXEC);
	if (w->fd < 0)
		fprintf(stderr, "calls: %s: %s\n", path, strerror(errno));
	return w->fd < 0 ? -1 : 0;
}

static int run(struct worker *workers, unsigned long threads)
{
	struct answer answers[MAX_ANSWERS];
	size_t answer_count = 0, a;
	unsigned long made = 0, t;

	for (t = 1; t < threads; t++)
		if (pthread_create(&workers[t].thread, NULL, work, &workers[t])) {
			fprintf(stderr, "calls: cannot start a thread\n");
			exit(1);
		}
	work(&workers[0]);
	for (t = 0; t < threads; t++) {
		if (t)
			pthread_join(workers[t].thread, NULL);
		made += workers[t].made;
		for (a = 0; a < workers[t].answer_count; a++)
			if (add_answer(answers, &answer_count, workers[t].answers[a].value,
				       workers[t].answers[a].count))
				return 1;
	}
	for (a = 0; a < answer_count; a++)
		printf("calls=%lu answer=%ld count=%lu\n", made, answers[a].value,
		       answers[a].count);
	return fflush(stdout) ? 1 : 0;
}

static bool parse_number(const char *text, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !errno && !*end && *value <= max;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "threads", required_argument, NULL, 't' },
		{ "magic", no_argument, NULL, 'm' },
		{ "pause-us", required_argument, NULL, 'p' },
		{ 0 },
	};
	struct sigaction act = { .sa_handler = on_signal };
	unsigned long threads = 1, pause_us = 0, calls, t;
	const struct kind *kind = kinds;
	struct worker *workers;
	bool magic = false;
	int c, ret;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'm')
			magic = true;
		else if (c == 't' && parse_number(optarg, MAX_THREADS, &threads) && threads)
			continue;
		else if (c != 'p' || !parse_number(optarg, 999999, &pause_us))
			return usage();
	}
	if (argc - optind != 2 || !parse_number(argv[optind + 1], ~0ul, &calls))
		return usage();
	while (kind->name && strcmp(kind->name, argv[optind]))
		kind++;
	if (!kind->name)
		return usage();
	if (calls && threads > calls)
		threads = calls;

	/* No SA_RESTART and no exit in the handler: the calls made so far are still reported. */
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	workers = calloc(threads, sizeof(*workers));
	if (!workers)
		return 1;
	for (t = 0; t < threads; t++) {
		workers[t].kind = kind;
		workers[t].magic = magic;
		workers[t].pause_us = (useconds_t)pause_us;
		workers[t].calls = calls / threads + (t < calls % threads);
		if (prepare(&workers[t]))
			return 1;
	}
	ret = run(workers, threads);
	for (t = 0; t < threads; t++) {
		if (workers[t].fd >= 0)
			close(workers[t].fd);
		free(workers[t].buffer);
	}
	free(workers);
	return ret;
}
