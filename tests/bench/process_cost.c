// SPDX-License-Identifier: GPL-2.0
/*
 * What patching processes costs; for scripts/bench.
 *
 *   process_cost caller LIBRARY          answers each line on its standard input, a number of batches,
 *                                        with the nanoseconds of a call of bench_target(): the least
 *   process_cost herd LIBRARY N MAPPINGS N processes that map LIBRARY and have so many mappings, until
 *                                        the end of the standard input; says "ready" first
 *   process_cost threads LIBRARY N BUSY  N threads that call bench_target(): BUSY 1 all the time, 0
 *                                        every millisecond; until the end of the standard input
 *   process_cost pause FIX PID N         applies FIX to the process and reverts it, N times: how long
 *                                        it stood still
 *   process_cost find LIBRARY N [WAY]    finds the processes that map LIBRARY by the WAY that hotproof
 *                                        takes or another one (query, iterator, proc), and by reading
 *                                        /proc/PID/maps of all, N times each
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "engines/proc/proc.h"
#include "host/elf_file.h"

#define CALLS 2000

static int (*target)(int);

static void die(const char *what, const char *why)
{
	fprintf(stderr, "process_cost: %s: %s\n", what, why ?: strerror(errno));
	exit(1);
}

static void load(const char *library)
{
	void *handle = dlopen(library, RTLD_NOW);

	target = handle ? (int (*)(int))dlsym(handle, "bench_target") : NULL;
	if (!target)
		die(library, dlerror());
}

static void wait_for_end(void)
{
	char line[64];

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print_times(const char *what, uint64_t *ns, size_t count)
{
	qsort(ns, count, sizeof(*ns), by_size);
	printf("%s least %" PRIu64 " median %" PRIu64 " p99 %" PRIu64 " max %" PRIu64 " of %zu\n",
	       what, ns[0], ns[count / 2], ns[count * 99 / 100], ns[count - 1], count);
}

static double time_call(int batches)
{
	uint64_t least = UINT64_MAX;

	for (int b = 0; b < batches; b++) {
		uint64_t begin = hp_now_ns(), took;
		int x = b;

		/* Each call waits for the one before: what is seen is the whole way there and back. */
		for (int i = 0; i < CALLS; i++)
			x = target(x);
		took = hp_now_ns() - begin;
		least = took < least ? took : least;
		__asm__ volatile("" ::"r"(x));
	}
	return (double)least / CALLS;
}

static int run_caller(const char *library)
{
	char line[64];

	load(library);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		printf("%.3f\n", time_call(atoi(line)));
		fflush(stdout);
	}
	return 0;
}

static int run_herd(const char *library, int count, int mappings)
{
	int fd = open(library, O_RDONLY);

	load(library);
	/* Every other page of a file: the kernel merges none of them. */
	for (int i = 0; i < mappings; i++)
		if (mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
			 0) == MAP_FAILED)
			die("mmap", NULL);
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork", NULL);
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
	wait_for_end();
	return 0;
}

static volatile int busy;

static void *run_thread(void *arg)
{
	for (;;) {
		target(5);
		/* Most of the time elsewhere, or no stop would ever find all threads outside. */
		if (busy)
			for (volatile int i = 0; i < 2000; i++)
				;
		else
			usleep(1000);
	}
	return NULL;
}

static int run_threads(const char *library, int count, int is_busy)
{
	pthread_t thread;

	load(library);
	busy = is_busy;
	for (int i = 1; i < count; i++)
		if (pthread_create(&thread, NULL, run_thread, NULL))
			die("pthread_create", NULL);
	wait_for_end();
	return 0;
}

static struct hp_processes find(const struct hp_build_id *id, const pid_t *pid,
				enum hp_processes_method method)
{
	struct hp_processes found;
	struct hp_error err = { 0 };

	if (hp_processes__find(&found, id, pid, pid != NULL, method, &err))
		die("find", err.message);
	return found;
}

static int run_pause(const char *fix, pid_t pid, size_t count)
{
	uint64_t *applied = calloc(count, sizeof(*applied)),
		 *reverted = calloc(count, sizeof(*reverted));
	struct hp_proc_opts opts = { 0 };
	struct hp_error err = { 0 };
	struct hp_processes found;
	unsigned int attempts = 0;
	struct hp_proc *proc;

	if (hp_proc__open(&proc, fix, &err))
		die(fix, err.message);
	found = find(&hp_hotfix__meta(hp_proc__hotfix(proc))->target_id, &pid, HP_PROCESSES_PROC);
	if (found.count != 1)
		die(fix, "the process does not map its target");
	for (size_t i = 0; i < count; i++) {
		struct hp_outcome_record record = { .process = found.items[0] };

		opts.deadline = hp_now_ns() + 30 * HP_NSEC_PER_SEC;
		hp_proc__apply(proc, &record, 1, &opts);
		if (record.outcome != HP_OUTCOME_APPLIED)
			die("apply", record.error.message);
		applied[i] = record.pause_ns;
		attempts += record.attempts;
		record = (struct hp_outcome_record){ .process = found.items[0] };
		hp_proc__revert(proc, &record, 1, &opts);
		if (record.outcome != HP_OUTCOME_REVERTED)
			die("revert", record.error.message);
		reverted[i] = record.pause_ns;
	}
	print_times("apply", applied, count);
	print_times("revert", reverted, count);
	printf("attempts %u\n", attempts);
	return 0;
}

/* What a program would do without the iterator, in as few steps as that takes. */
static size_t read_all_maps(const struct stat *file)
{
	static char buf[1 << 20];
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	size_t found = 0;
	char device[64];

	snprintf(device, sizeof(device), " %02x:%02x %lu ", major(file->st_dev),
		 minor(file->st_dev), (unsigned long)file->st_ino);
	while (dir && (entry = readdir(dir))) {
		size_t have = 0;
		char path[300];
		ssize_t n;
		int fd;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/maps", entry->d_name);
		fd = open(path, O_RDONLY);
		while (fd >= 0 && (n = read(fd, buf + have, sizeof(buf) - 1 - have)) > 0)
			have += (size_t)n;
		if (fd >= 0)
			close(fd);
		buf[have] = '\0';
		for (char *at = buf; (at = strstr(at, device)); at++) {
			const char *line = at;

			while (line > buf && line[-1] != '\n')
				line--;
			/* 7f…-7f… r-xp OFFSET DEVICE INODE: code of the file. */
			if (strchr(line, ' ')[3] == 'x') {
				found++;
				break;
			}
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

static const char *const ways[] = {
	[HP_PROCESSES_AUTO] = "auto",
	[HP_PROCESSES_QUERY] = "query",
	[HP_PROCESSES_BPF] = "iterator",
	[HP_PROCESSES_PROC] = "proc",
};

static enum hp_processes_method way_named(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(ways[i], name))
			return i;
	errno = EINVAL;
	die(name, NULL);
	return 0;
}

static int run_find(const char *library, size_t count, enum hp_processes_method way)
{
	uint64_t *ours = calloc(count, sizeof(*ours)), *theirs = calloc(count, sizeof(*theirs));
	struct hp_error err = { 0 };
	struct hp_elf *elf;
	struct stat st;

	if (hp_elf__open(&elf, library, &err) || stat(library, &st))
		die(library, err.message);
	for (size_t i = 0; i < count; i++) {
		uint64_t begin = hp_now_ns();
		struct hp_processes found = find(hp_elf__build_id(elf), NULL, way);
		size_t seen;

		ours[i] = hp_now_ns() - begin;
		begin = hp_now_ns();
		seen = read_all_maps(&st);
		theirs[i] = hp_now_ns() - begin;
		if (!i)
			printf("%s %zu maps %zu processes\n", ways[found.method], found.count,
			       seen);
		hp_processes__free(&found);
	}
	print_times("find", ours, count);
	print_times("maps", theirs, count);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "caller"))
		return run_caller(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "herd"))
		return run_herd(argv[2], atoi(argv[3]), atoi(argv[4]));
	if (argc == 5 && !strcmp(argv[1], "threads"))
		return run_threads(argv[2], atoi(argv[3]), atoi(argv[4]));
	if (argc == 5 && !strcmp(argv[1], "pause"))
		return run_pause(argv[2], atoi(argv[3]), (size_t)atol(argv[4]));
	if ((argc == 4 || argc == 5) && !strcmp(argv[1], "find"))
		return run_find(argv[2], (size_t)atol(argv[3]), way_named(argv[4] ?: "auto"));
	fprintf(stderr, "usage: process_cost caller|herd|threads|pause|find …\n");
	return 2;
}
