// SPDX-License-Identifier: GPL-2.0
/*
 * Many processes, each tried until it is done or the time is up, by a thread for each processor.
 * What a thread reads of files it reads for itself: ELF files are opened once by each, and nothing
 * is shared but the list of what is to be done.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "engines/proc/session.h"

/* Between two rounds over the processes that were not ready. */
#define FIRST_PAUSE_MS 1
#define MAX_PAUSE_MS   100
/* More threads than that gain nothing: they wait for one another's locks in the kernel. */
#define MAX_WORKERS 16
/* So many processes take longer than opening the files once more. */
#define FOR_A_WORKER 16

struct worker {
	struct crew *crew;
	struct hp_proc *proc; /* the first one's is the caller's */
};

struct crew {
	struct hp_outcome_record *records;
	bool *settled;
	size_t count;
	const struct hp_proc_opts *opts;
	hp_attempt_fn *attempt;
	atomic_size_t next, left;
	struct worker workers[MAX_WORKERS];
};

/* Does the process still map the target where it was found? Not once it has ended, or called exec. */
static bool still_maps(const struct hp_process *process)
{
	const struct hp_map *map;
	struct hp_maps maps;
	bool same;

	if (hp_maps__read(&maps, process->pid))
		return false;
	map = hp_maps__at(&maps, process->start);
	same = map && map->inode == process->inode && map->major == process->major &&
	       map->minor == process->minor;
	hp_maps__free(&maps);
	return same;
}

/*
 * An attempt failed because its process ended, or became another program. The latter may map the
 * target too: it is looked for again. -EBUSY: worth another attempt.
 */
static int follow_exec(struct hp_proc *proc, struct hp_outcome_record *record)
{
	struct hp_process *process = &record->process;
	struct hp_processes found;
	int ret = -ESRCH;

	if (!hp_processes__find(&found, &hp_hotfix__meta(proc->hotfix)->target_id, &process->pid, 1,
				HP_PROCESSES_AUTO, NULL)) {
		if (found.count) {
			*process = found.items[0];
			ret = -EBUSY;
		}
		hp_processes__free(&found);
	}
	memset(&record->error, 0, sizeof(record->error));
	if (ret == -EBUSY)
		hp_fail(&record->error, HP_E_PROC_BUSY, "process %d became another program",
			process->pid);
	else
		hp_fail(&record->error, HP_E_PROC_GONE,
			"process %d has ended, or became another program", process->pid);
	return ret;
}

/* True once the record needs no further attempt. */
static bool settle(struct hp_outcome_record *record, int ret, const struct hp_proc_opts *opts)
{
	if (!ret) {
		memset(&record->error, 0, sizeof(record->error));
		return true;
	}
	if (record->error.reason == HP_E_PROC_GONE) {
		record->outcome = HP_OUTCOME_GONE;
		return true;
	}
	if (record->outcome != HP_OUTCOME_LINGERING)
		record->outcome = HP_OUTCOME_FAILED;
	return ret != -EBUSY || opts->dry_run;
}

static void try_one(struct worker *worker, struct hp_tracer *tracer, size_t i)
{
	struct crew *crew = worker->crew;
	struct hp_outcome_record *record = &crew->records[i];
	struct hp_error last = record->error;
	int ret = crew->attempt(worker->proc, tracer, record, crew->opts);

	if (ret && !still_maps(&record->process))
		ret = follow_exec(worker->proc, record);
	/* The last attempt may have had no time: what was seen before says more. */
	if (record->error.reason == HP_E_PROC_BUSY && last.reason != HP_E_NONE)
		record->error = last;
	if (ret)
		hp_debug("process %d: %s", record->process.pid, record->error.message);
	crew->settled[i] = settle(record, ret, crew->opts);
	crew->left -= crew->settled[i];
}

/* The files, opened once more; a worker that cannot leaves its work to the others. */
static bool has_files(struct worker *worker)
{
	struct hp_proc *first = worker->crew->workers[0].proc;
	char path[32];

	if (worker->proc)
		return true;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", hp_elf__fd(hp_hotfix__elf(first->hotfix)));
	if (hp_proc__open(&worker->proc, path, NULL)) {
		worker->proc = NULL;
		return false;
	}
	memcpy(worker->proc->staged, first->staged, sizeof(first->staged));
	worker->proc->staged_stat = first->staged_stat;
	return true;
}

static void work(struct hp_tracer *tracer, void *arg)
{
	struct worker *worker = arg;
	struct crew *crew = worker->crew;
	size_t i;

	if (!has_files(worker))
		return;
	while (!hp_tracer__has_to_end(tracer) && hp_now_ns() < crew->opts->deadline &&
	       !hp_interrupted() && (i = crew->next++) < crew->count)
		if (!crew->settled[i])
			try_one(worker, tracer, i);
}

/*
 * What a stopped thread does for us begins with waking it, and ends with waking us: some twenty times
 * for an attempt. A processor that sleeps takes longer for that than for the work, so they poll
 * meanwhile (Documentation/power/pm_qos_interface.rst). That ends when the file is closed, whatever
 * ends us; who may not open it does without.
 */
static int keep_processors_awake(void)
{
	int fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
	int32_t latency_us = 0;

	if (fd >= 0 && write(fd, &latency_us, sizeof(latency_us)) == sizeof(latency_us))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static size_t count_workers(const struct crew *crew)
{
	size_t wanted = 1 + crew->left / FOR_A_WORKER, have = 1;
	cpu_set_t cpus;

	if (!sched_getaffinity(0, sizeof(cpus), &cpus))
		have = (size_t)CPU_COUNT(&cpus);
	have = have < MAX_WORKERS ? have : MAX_WORKERS;
	return wanted < have ? wanted : have;
}

static int run_rounds(struct crew *crew, const char *what, struct hp_error *err)
{
	const struct hp_proc_opts *opts = crew->opts;
	int pause = FIRST_PAUSE_MS, ret = 0;

	while (crew->left) {
		/* Threads of their own each time: what one held and could not let go is free then. */
		crew->next = 0;
		ret = hp_tracer__run_many(work, crew->workers, sizeof(crew->workers[0]),
					  count_workers(crew), err);
		if (ret || !crew->left || hp_now_ns() >= opts->deadline || hp_interrupted())
			break;
		hp_progress("%s: %zu of %zu processes, %.0f s left", what, crew->count - crew->left,
			    crew->count, (double)(opts->deadline - hp_now_ns()) / 1e9);
		poll(NULL, 0, pause);
		pause = pause * 2 < MAX_PAUSE_MS ? pause * 2 : MAX_PAUSE_MS;
	}
	hp_progress_end();
	return ret;
}

/* Not the budget ended it: what was in the way is worth reading all the same. */
static void give_up(struct hp_outcome_record *record)
{
	struct hp_error last = record->error;

	if (record->outcome != HP_OUTCOME_LINGERING)
		record->outcome = HP_OUTCOME_FAILED;
	memset(&record->error, 0, sizeof(record->error));
	hp_fail(&record->error, HP_E_INTERRUPTED, "interrupted%s%.200s",
		last.reason == HP_E_NONE ? "" : ": ", last.message);
}

void hp_crew__run(struct hp_proc *proc, struct hp_outcome_record *records, size_t count,
		  const struct hp_proc_opts *opts, hp_attempt_fn *attempt, const char *what)
{
	struct crew crew = { .records = records, .count = count, .opts = opts, .attempt = attempt };
	_cleanup_close_ int awake = opts->dry_run ? -1 : keep_processors_awake();
	int priority = getpriority(PRIO_PROCESS, 0), ret;
	struct hp_error err = { 0 };

	for (size_t i = 0; i < MAX_WORKERS; i++)
		crew.workers[i].crew = &crew;
	crew.workers[0].proc = proc;
	crew.left = count;
	crew.settled = calloc(count + 1, sizeof(*crew.settled));
	/* What stands still waits for us: on a busy host, be first. Without the privilege, be patient. */
	setpriority(PRIO_PROCESS, 0, -20);
	ret = crew.settled ? run_rounds(&crew, what, &err)
			   : hp_fail(&err, HP_E_NOMEM, "out of memory");
	setpriority(PRIO_PROCESS, 0, priority);
	for (size_t i = 0; i < count; i++) {
		if (crew.settled && crew.settled[i])
			continue;
		if (!ret && hp_interrupted()) {
			give_up(&records[i]);
			continue;
		}
		if (records[i].error.reason != HP_E_NONE)
			continue;
		records[i].outcome = HP_OUTCOME_FAILED;
		if (ret)
			records[i].error = err;
		else
			hp_fail(&records[i].error, HP_E_PROC_BUSY, "there was no time for it");
	}
	for (size_t i = 1; i < MAX_WORKERS; i++)
		if (crew.workers[i].proc)
			hp_proc__close(crew.workers[i].proc);
	free(crew.settled);
}
