// SPDX-License-Identifier: GPL-2.0
/* Reading what the observer's programs have counted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "observe/hist.h"
#include "observe/observer_internal.h"

/* All CPUs' values of one key: @size bytes each, 8-byte aligned as the kernel copies them. */
static void *read_per_cpu(struct hp_observer *obs, struct bpf_map *map, const void *key,
			  size_t size)
{
	void *values = calloc((size_t)obs->cpus, (size + 7) & ~7ul);

	if (values && bpf_map_lookup_elem(bpf_map__fd(map), key, values)) {
		int ret = errno;

		free(values);
		errno = ret;
		return NULL;
	}
	return values;
}

static uint64_t read_shards(const struct hp_observer *obs, const struct armed_point *p,
			    enum hp_pm_state state)
{
	const struct hp_shard *shards = p->shards.value;
	uint64_t calls = 0;

	for (uint32_t i = 0; shards && i < obs->shards; i++)
		calls += __atomic_load_n(&shards[i].calls[state], __ATOMIC_RELAXED);
	return calls;
}

/* How many calls have a time. */
static int read_timed(struct hp_observer *obs, uint32_t slot, enum hp_pm_state state,
		      uint64_t *timed)
{
	uint32_t key = HP_HIST_INDEX(slot, state);
	_cleanup_free_ struct hp_hist *h =
		read_per_cpu(obs, obs->skel->maps.hists, &key, sizeof(*h));

	*timed = 0;
	if (!h)
		return -errno;
	for (int cpu = 0; cpu < obs->cpus; cpu++)
		*timed += h[cpu].count;
	return 0;
}

uint64_t hp_observer__calls(const struct hp_observer *obs, size_t target, enum hp_point_role role,
			    enum hp_pm_state state)
{
	return read_shards(obs, &obs->points[HP_SLOT(target, role)], state);
}

int hp_observer__read(struct hp_observer *obs, size_t target, enum hp_point_role role,
		      enum hp_pm_state state, struct hp_counts *out)
{
	uint32_t slot = (uint32_t)HP_SLOT(target, role);
	const struct armed_point *p = &obs->points[slot];
	_cleanup_free_ struct hp_counters *c =
		read_per_cpu(obs, obs->skel->maps.counters, &slot, sizeof(*c));
	uint64_t timed = 0;

	memset(out, 0, sizeof(*out));
	if (!c)
		return -errno;
	for (int cpu = 0; cpu < obs->cpus; cpu++) {
		out->scoped += c[cpu].scoped[state];
		out->foreign += c[cpu].foreign;
		out->no_caller += c[cpu].no_caller;
		if (c[cpu].first_ns[state] &&
		    (!out->first_ns || c[cpu].first_ns[state] < out->first_ns))
			out->first_ns = c[cpu].first_ns[state];
	}
	/* The times first: a call has its time later than its count. */
	if (p->timed) {
		int ret = read_timed(obs, slot, state, &timed);

		if (ret)
			return ret;
	}
	out->calls = read_shards(obs, p, state);
	out->untimed = p->timed ? out->calls - timed : 0;
	out->misses = p->misses + hp_probe__misses(&p->entry);
	return 0;
}

int hp_observer__read_process(struct hp_observer *obs, size_t target, enum hp_point_role role,
			      enum hp_pm_state state, int tgid, uint64_t *calls, uint64_t *lost)
{
	struct hp_process_key key = {
		.slot = (uint32_t)HP_SLOT(target, role),
		.state = state,
		.tgid = (uint32_t)tgid,
	};

	*calls = 0;
	*lost = obs->skel->bss->lost_process_calls;
	if (!bpf_map_lookup_elem(bpf_map__fd(obs->skel->maps.processes), &key, calls))
		return 0;
	return errno == ENOENT ? 0 : -errno;
}

int hp_observer__read_hist(struct hp_observer *obs, size_t target, enum hp_point_role role,
			   enum hp_pm_state state, struct hp_hist *out)
{
	uint32_t key = HP_HIST_INDEX((uint32_t)HP_SLOT(target, role), state);
	_cleanup_free_ struct hp_hist *h =
		read_per_cpu(obs, obs->skel->maps.hists, &key, sizeof(*h));

	memset(out, 0, sizeof(*out));
	if (!h)
		return -errno;
	for (int cpu = 0; cpu < obs->cpus; cpu++)
		hp_hist__merge(out, &h[cpu]);
	return 0;
}

/* Add @calls from @address to a growing array. */
static int add_caller(struct hp_caller **array, size_t *count, uint64_t address, uint64_t calls)
{
	struct hp_caller *grown;

	if (!calls)
		return 0;
	for (size_t i = 0; i < *count; i++) {
		if ((*array)[i].address == address) {
			(*array)[i].calls += calls;
			return 0;
		}
	}
	grown = realloc(*array, (*count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*array = grown;
	grown[(*count)++] = (struct hp_caller){ address, calls };
	return 0;
}

static int compare_callers(const void *a, const void *b)
{
	const struct hp_caller *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static int read_more_callers(struct hp_observer *obs, uint32_t slot, enum hp_pm_state state,
			     struct hp_caller **out, size_t *count)
{
	struct bpf_map *map = obs->skel->maps.more_callers;
	struct hp_caller_key key, *previous = NULL;
	int ret = 0;

	while (!ret && !bpf_map_get_next_key(bpf_map__fd(map), previous, &key)) {
		previous = &key;
		if (key.slot == slot && key.state == state) {
			_cleanup_free_ uint64_t *calls =
				read_per_cpu(obs, map, &key, sizeof(*calls));

			for (int cpu = 0; calls && cpu < obs->cpus && !ret; cpu++)
				ret = add_caller(out, count, key.address, calls[cpu]);
		}
	}
	return ret;
}

int hp_observer__read_callers(struct hp_observer *obs, size_t target, enum hp_point_role role,
			      enum hp_pm_state state, struct hp_caller **out, size_t *count)
{
	uint32_t slot = (uint32_t)HP_SLOT(target, role);
	_cleanup_free_ struct hp_callers *tables =
		read_per_cpu(obs, obs->skel->maps.callers, &slot, sizeof(*tables));
	int ret = 0;

	*out = NULL;
	*count = 0;
	if (!tables)
		return -errno;
	for (int cpu = 0; cpu < obs->cpus; cpu++) {
		for (size_t i = 0; i < HP_CALLER_CELLS && !ret; i++) {
			const struct hp_caller_cell *cell = &tables[cpu].cell[i];

			ret = add_caller(out, count, cell->address, cell->calls[state]);
		}
	}
	ret = ret ?: read_more_callers(obs, slot, state, out, count);
	if (ret) {
		free(*out);
		*out = NULL;
		*count = 0;
		return ret;
	}
	if (*count)
		qsort(*out, *count, sizeof(**out), compare_callers);
	return 0;
}

int hp_observer__read_process_callers(struct hp_observer *obs, size_t target,
				      enum hp_point_role role, enum hp_pm_state state, int tgid,
				      struct hp_caller **out, size_t *count)
{
	int fd = bpf_map__fd(obs->skel->maps.process_callers), ret = 0;
	struct hp_process_caller_key key, *previous = NULL;
	uint32_t slot = (uint32_t)HP_SLOT(target, role);

	*out = NULL;
	*count = 0;
	while (!ret && !bpf_map_get_next_key(fd, previous, &key)) {
		uint64_t calls;

		previous = &key;
		if (key.slot == slot && key.state == state && key.tgid == (uint32_t)tgid &&
		    !bpf_map_lookup_elem(fd, &key, &calls))
			ret = add_caller(out, count, key.address, calls);
	}
	if (*count)
		qsort(*out, *count, sizeof(**out), compare_callers);
	return ret;
}
