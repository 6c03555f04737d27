// SPDX-License-Identifier: GPL-2.0
/* Detaching: one probe, or many at once. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/log.h"
#include "observe/attach.h"

/*
 * The kernel takes kprobes away one after the other, but it does not hold the lock for all that it
 * waits for. Trampolines it takes away strictly one by one: 0.1 to 0.15 s each on Linux 6.1.
 */
#define PERF_THREADS 4

void hp_probe__detach(struct hp_probe *probe)
{
	if (probe->link_fd >= 0)
		close(probe->link_fd);
	if (probe->prog_fd >= 0)
		close(probe->prog_fd);
	*probe = HP_PROBE_NONE;
}

struct queue {
	struct hp_probe **probes;
	size_t count;
	atomic_size_t next;
};

static void *detach_queue(void *arg)
{
	struct queue *queue = arg;
	size_t i;

	while ((i = atomic_fetch_add(&queue->next, 1)) < queue->count) {
		hp_progress("detaching: %zu of %zu probes", i, queue->count);
		hp_probe__detach(queue->probes[i]);
	}
	return NULL;
}

/* Those with ->perf first. Returns how many these are. */
static size_t partition(struct hp_probe **probes, size_t count)
{
	size_t perf = 0;

	for (size_t i = 0; i < count; i++) {
		struct hp_probe *probe = probes[i];

		if (!probe->perf)
			continue;
		probes[i] = probes[perf];
		probes[perf++] = probe;
	}
	return perf;
}

void hp_probes__detach(struct hp_probe **probes, size_t count)
{
	size_t perf = partition(probes, count), threads = 0;
	struct queue perfs = { .probes = probes, .count = perf };
	struct queue links = { .probes = probes + perf, .count = count - perf };
	pthread_t thread[PERF_THREADS];

	/* This thread is one of them, and does all of it if there can be no others. */
	while (count > 1 && threads < PERF_THREADS && threads < perf &&
	       !pthread_create(&thread[threads], NULL, detach_queue, &perfs))
		threads++;
	detach_queue(&links);
	detach_queue(&perfs);
	while (threads)
		pthread_join(thread[--threads], NULL);
	hp_progress_end();
}
