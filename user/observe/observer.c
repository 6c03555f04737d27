// SPDX-License-Identifier: GPL-2.0
/* The observer: points armed, states flipped, counters read. */
#include "observe/observer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "bpf/observe.skel.h"
#include "observe/attach.h"
#include "observe/hist.h"
#include "observe/shared.h"

/* Return addresses beyond the cells of a point: room for this many of each target. */
#define MORE_CALLERS_PER_TARGET 64

/* Shards of a point: enough that tasks that run at the same time seldom meet in one. */
#define SHARDS_PER_CPU 8
#define SHARDS_MAX     1024

struct armed_point {
	struct hp_probe entry;
	struct hp_probe exit; /* when it is timed */
	uint64_t misses;      /* of probes that were disarmed since */
	struct hp_shared shards;
};

struct hp_observer {
	struct observe_bpf *skel;
	struct hp_btf *btf;	    /* NULL when the kernel has none */
	struct armed_point *points; /* by slot */
	size_t targets;		    /* one more than asked for: the last is for calibration */
	struct hp_shared patch_map;
	uint32_t shards; /* of a point */
	int cpus;
	bool time;
	bool count_more; /* callers or scope are wanted too */
};

const char *hp_method_name(enum hp_method method)
{
	static const char *const names[] = {
		[HP_METHOD_NONE] = "none",
		[HP_METHOD_FENTRY] = "fentry",
		[HP_METHOD_FENTRY_FEXIT] = "fentry+fexit",
		[HP_METHOD_KPROBE] = "kprobe",
		[HP_METHOD_KPROBE_KRETPROBE] = "kprobe+kretprobe",
		[HP_METHOD_UPROBE] = "uprobe",
	};

	return names[method];
}

static int set_map_sizes(struct observe_bpf *skel, size_t targets, const struct hp_observer_opts *o)
{
	size_t slots = targets * HP_SLOTS_PER_TARGET;
	int ret;

	ret = bpf_map__set_max_entries(skel->maps.counters, slots);
	if (o->time)
		ret = ret ?: bpf_map__set_max_entries(skel->maps.hists, slots * HP_PM_STATES);
	if (o->processes)
		ret = ret
			      ?: bpf_map__set_max_entries(skel->maps.processes,
							  (__u32)(slots * o->processes));
	if (o->callers) {
		ret = ret ?: bpf_map__set_max_entries(skel->maps.callers, slots);
		ret = ret
			      ?: bpf_map__set_max_entries(skel->maps.more_callers,
							  targets * MORE_CALLERS_PER_TARGET);
	}
	return ret;
}

int hp_observer__open(struct hp_observer **out, const struct hp_observer_opts *opts,
		      struct hp_error *err)
{
	struct hp_observer *obs = calloc(1, sizeof(*obs));
	int ret;

	if (!obs)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	obs->targets = opts->targets + 1;
	obs->time = opts->time;
	obs->count_more = opts->callers || opts->scope;
	obs->cpus = libbpf_num_possible_cpus();
	obs->patch_map = HP_SHARED_NONE;
	obs->shards = SHARDS_PER_CPU;
	while (obs->shards < SHARDS_MAX && obs->shards < SHARDS_PER_CPU * (uint32_t)obs->cpus)
		obs->shards *= 2;
	obs->points = calloc(obs->targets * HP_SLOTS_PER_TARGET, sizeof(*obs->points));
	obs->skel = observe_bpf__open();
	if (!obs->points || !obs->skel || obs->cpus < 0) {
		ret = hp_fail(err, HP_E_NOMEM, "out of memory");
		goto fail;
	}
	for (size_t i = 0; i < obs->targets * HP_SLOTS_PER_TARGET; i++)
		obs->points[i] =
			(struct armed_point){ HP_PROBE_NONE, HP_PROBE_NONE, 0, HP_SHARED_NONE };

	obs->skel->rodata->want_callers = opts->callers;
	obs->skel->rodata->want_scope = opts->scope;
	obs->skel->rodata->want_processes = opts->processes != 0;
	bpf_program__set_autoload(obs->skel->progs.scope_fork, opts->scope);
	/* Kernels in lockdown refuse every trampoline program, and allow the probes of processes. */
	bpf_program__set_autoload(obs->skel->progs.count_fentry,
				  !opts->processes && !obs->count_more);
	bpf_program__set_autoload(obs->skel->progs.count_more_fentry,
				  !opts->processes && obs->count_more);
	bpf_program__set_autoload(obs->skel->progs.count_kprobe, !opts->processes);
	bpf_program__set_autoload(obs->skel->progs.count_uprobe, opts->processes != 0);
	bpf_program__set_autoload(obs->skel->progs.time_fentry, opts->time);
	bpf_program__set_autoload(obs->skel->progs.time_fexit, opts->time);
	bpf_program__set_autoload(obs->skel->progs.time_kprobe, opts->time);
	bpf_program__set_autoload(obs->skel->progs.time_kretprobe, opts->time);
	bpf_program__set_autoload(obs->skel->progs.calibrate_run, opts->time);
	ret = set_map_sizes(obs->skel, obs->targets, opts);
	ret = ret ?: observe_bpf__load(obs->skel);
	if (ret) {
		hp_fail_errno(err, HP_E_OBSERVER, ret, "the observer cannot be loaded");
		goto fail;
	}
	if (opts->scope) {
		obs->skel->links.scope_fork = bpf_program__attach(obs->skel->progs.scope_fork);
		if (!obs->skel->links.scope_fork) {
			ret = hp_fail_errno(err, HP_E_OBSERVER, -errno,
					    "cannot follow the workload's children");
			goto fail;
		}
	}

	ret = hp_shared__create(&obs->patch_map, "patch_map",
				obs->targets * sizeof(struct hp_pm_entry));
	if (ret) {
		hp_fail_errno(err, HP_E_OBSERVER, ret, "cannot make the patch map");
		goto fail;
	}
	ret = hp_btf__open(&obs->btf);
	if (ret)
		hp_info("no kernel BTF (%s): kprobes only", strerror(-ret));
	*out = obs;
	return 0;
fail:
	hp_observer__close(obs);
	return ret;
}

static void disarm_point(struct armed_point *p)
{
	/* Entries first: an exit that nobody waits for is harmless. */
	p->misses += hp_probe__misses(&p->entry);
	hp_probe__detach(&p->entry);
	hp_probe__detach(&p->exit);
}

static void free_point(struct armed_point *p)
{
	disarm_point(p);
	hp_shared__free(&p->shards);
}

void hp_observer__close(struct hp_observer *obs)
{
	if (obs->points)
		for (size_t i = 0; i < obs->targets * HP_SLOTS_PER_TARGET; i++)
			free_point(&obs->points[i]);
	free(obs->points);
	hp_shared__free(&obs->patch_map);
	if (obs->btf)
		hp_btf__close(obs->btf);
	observe_bpf__destroy(obs->skel);
	free(obs);
}

static struct hp_template template_of(struct hp_observer *obs, const struct bpf_program *program)
{
	return (struct hp_template){
		.program = program,
		.patch_map_fd = bpf_map__fd(obs->skel->maps.data_patch_map),
		.shards_fd = bpf_map__fd(obs->skel->maps.data_shards),
	};
}

static struct hp_place place_of(struct hp_observer *obs, uint32_t slot)
{
	return (struct hp_place){
		.slot = slot,
		.patch_map_fd = obs->patch_map.fd,
		.shards_fd = obs->points[slot].shards.fd,
		.shards = obs->shards,
	};
}

static int arm_trampoline(struct hp_observer *obs, const struct hp_point *point, uint32_t slot,
			  bool time, struct hp_error *err)
{
	struct hp_template entry = template_of(obs, obs->skel->progs.time_fentry);
	struct hp_template exit = template_of(obs, obs->skel->progs.time_fexit);
	struct hp_place place = place_of(obs, slot);
	struct armed_point *p = &obs->points[slot];
	int ret;

	if (!time) {
		entry.program = obs->count_more ? obs->skel->progs.count_more_fentry
						: obs->skel->progs.count_fentry;
		return hp_probe__attach_trampoline(&p->entry, &entry, obs->btf, point, &place, err);
	}
	/* The exit first: an entry whose exit is not seen would leave its frame behind. */
	ret = hp_probe__attach_trampoline(&p->exit, &exit, obs->btf, point, &place, err);
	if (ret)
		return ret;
	ret = hp_probe__attach_trampoline(&p->entry, &entry, obs->btf, point, &place, err);
	if (ret)
		hp_probe__detach(&p->exit);
	return ret;
}

static int arm_kprobe(struct hp_observer *obs, const struct hp_point *point, uint32_t slot,
		      bool time, struct hp_error *err)
{
	struct hp_template entry = template_of(obs, obs->skel->progs.time_kprobe);
	struct hp_template exit = template_of(obs, obs->skel->progs.time_kretprobe);
	struct hp_place place = place_of(obs, slot);
	struct armed_point *p = &obs->points[slot];
	struct hp_point behind = *point;
	int ret;

	if (!time) {
		entry.program = obs->skel->progs.count_kprobe;
		behind.offset += point->ftrace_site;
		if (point->ftrace_site &&
		    !hp_probe__attach_kprobe(&p->entry, &entry, &behind, &place, false, NULL))
			return 0;
		return hp_probe__attach_kprobe(&p->entry, &entry, point, &place, false, err);
	}
	ret = hp_probe__attach_kprobe(&p->exit, &exit, point, &place, true, err);
	if (ret)
		return ret;
	ret = hp_probe__attach_kprobe(&p->entry, &entry, point, &place, false, err);
	if (ret)
		hp_probe__detach(&p->exit);
	return ret;
}

int hp_observer__arm(struct hp_observer *obs, size_t target, const struct hp_point *point,
		     bool time, enum hp_method *method, struct hp_error *err)
{
	uint32_t slot = (uint32_t)HP_SLOT(target, point->role);
	struct armed_point *p = &obs->points[slot];
	struct hp_error first = { 0 };
	int ret;

	if (method)
		*method = HP_METHOD_NONE;
	if (time && !obs->time)
		return hp_fail(err, HP_E_INTERNAL, "the observer was not opened for timing");
	disarm_point(p);
	if (!p->shards.value) {
		ret = hp_shared__create(&p->shards, "shards",
					obs->shards * sizeof(struct hp_shard));
		if (ret)
			return hp_fail_errno(err, HP_E_OBSERVER, ret,
					     "no memory to count the calls of %s in",
					     point->symbol);
	}
	if (point->path) {
		struct hp_template entry = template_of(obs, obs->skel->progs.count_uprobe);
		struct hp_place place = place_of(obs, slot);

		if (time)
			return hp_fail(err, HP_E_INTERNAL, "calls in processes are not timed");
		ret = hp_probe__attach_uprobe(&p->entry, &entry, point, &place, err);
		if (!ret && method)
			*method = HP_METHOD_UPROBE;
		return ret;
	}
	if (point->trampoline && !point->offset) {
		ret = arm_trampoline(obs, point, slot, time, &first);
		if (!ret) {
			if (method)
				*method = time ? HP_METHOD_FENTRY_FEXIT : HP_METHOD_FENTRY;
			return 0;
		}
		hp_info("%s: %s; trying a kprobe", point->symbol, first.message);
	}
	ret = arm_kprobe(obs, point, slot, time, err);
	if (!ret && method)
		*method = time ? HP_METHOD_KPROBE_KRETPROBE : HP_METHOD_KPROBE;
	return ret;
}

void hp_observer__disarm(struct hp_observer *obs, size_t target, enum hp_point_role role)
{
	disarm_point(&obs->points[HP_SLOT(target, role)]);
}

void hp_observer__set_state(struct hp_observer *obs, size_t target, enum hp_pm_state state)
{
	struct hp_pm_entry *entries = obs->patch_map.value;

	__atomic_store_n(&entries[target].state, state, __ATOMIC_SEQ_CST);
}

void hp_observer__set_state_all(struct hp_observer *obs, enum hp_pm_state state)
{
	for (size_t i = 0; i < obs->targets; i++)
		hp_observer__set_state(obs, i, state);
}

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

int hp_observer__read(struct hp_observer *obs, size_t target, enum hp_point_role role,
		      enum hp_pm_state state, struct hp_counts *out)
{
	uint32_t slot = (uint32_t)HP_SLOT(target, role);
	const struct armed_point *p = &obs->points[slot];
	_cleanup_free_ struct hp_counters *c =
		read_per_cpu(obs, obs->skel->maps.counters, &slot, sizeof(*c));

	memset(out, 0, sizeof(*out));
	if (!c)
		return -errno;
	for (int cpu = 0; cpu < obs->cpus; cpu++) {
		out->scoped += c[cpu].scoped[state];
		out->foreign += c[cpu].foreign;
		out->no_caller += c[cpu].no_caller;
		out->untimed += c[cpu].untimed;
		if (c[cpu].first_ns[state] &&
		    (!out->first_ns || c[cpu].first_ns[state] < out->first_ns))
			out->first_ns = c[cpu].first_ns[state];
	}
	out->calls = read_shards(obs, p, state);
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

int hp_observer__calibrate(struct hp_observer *obs, enum hp_method method, unsigned int runs,
			   struct hp_hist *out, struct hp_error *err)
{
	struct hp_point point = {
		.role = HP_POINT_OLD_ENTRY,
		.object = "vmlinux",
		.symbol = "bpf_fentry_test1",
		.trampoline = method == HP_METHOD_FENTRY_FEXIT,
	};
	size_t target = obs->targets - 1;
	enum hp_method used;
	int ret;

	ret = hp_observer__arm(obs, target, &point, true, &used, err);
	if (ret)
		return ret;
	hp_observer__set_state(obs, target, HP_PM_BASELINE);
	for (unsigned int i = 0; i < runs && !ret; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, run);

		ret = bpf_prog_test_run_opts(bpf_program__fd(obs->skel->progs.calibrate_run), &run);
	}
	hp_observer__set_state(obs, target, HP_PM_OFF);
	hp_observer__disarm(obs, target, HP_POINT_OLD_ENTRY);
	if (ret)
		return hp_fail_errno(err, HP_E_OBSERVER, ret, "cannot run the calibration");
	if (used != method)
		return hp_fail(err, HP_E_OBSERVER, "calibrated with %s instead of %s",
			       hp_method_name(used), hp_method_name(method));
	return hp_observer__read_hist(obs, target, HP_POINT_OLD_ENTRY, HP_PM_BASELINE, out);
}

int hp_observer__scope_task(struct hp_observer *obs, int pidfd, struct hp_error *err)
{
	uint8_t present = 1;

	if (bpf_map_update_elem(bpf_map__fd(obs->skel->maps.scope), &pidfd, &present, BPF_ANY))
		return hp_fail_errno(err, HP_E_OBSERVER, -errno, "cannot mark the workload");
	return 0;
}
