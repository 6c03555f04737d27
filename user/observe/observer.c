// SPDX-License-Identifier: GPL-2.0
/* The observer: programs loaded, points armed, states flipped. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "host/namespaces.h"
#include "observe/observer_internal.h"

/* Return addresses beyond the cells of a point: room for this many of each target. */
#define MORE_CALLERS_PER_TARGET 64

/* Return addresses in processes: room for this many, of all targets. */
#define PROCESS_CALLERS 16384

/* Shards of a point: enough that tasks that run at the same time seldom meet in one. */
#define SHARDS_PER_CPU 8
#define SHARDS_MAX     1024

const char *hp_method_name(enum hp_method method)
{
	static const char *const names[] = {
		[HP_METHOD_NONE] = "none",
		[HP_METHOD_FENTRY] = "fentry",
		[HP_METHOD_FENTRY_FEXIT] = "fentry+fexit",
		[HP_METHOD_KPROBE] = "kprobe",
		[HP_METHOD_KPROBE_KRETPROBE] = "kprobe+kretprobe",
		[HP_METHOD_UPROBE] = "uprobe",
		[HP_METHOD_UPROBES] = "uprobes",
		[HP_METHOD_UPROBES_STEPPED] = "uprobes, stepped",
		[HP_METHOD_UPROBE_URETPROBE] = "uprobe+uretprobe",
		[HP_METHOD_UPROBE_URETPROBE_STEPPED] = "uprobe+uretprobe, stepped",
	};

	return names[method];
}

enum hp_method hp_method_find(const char *name)
{
	for (int method = HP_METHOD_NONE; method < HP_METHODS; method++)
		if (!strcmp(hp_method_name(method), name))
			return method;
	return HP_METHOD_NONE;
}

static int set_map_sizes(struct observe_bpf *skel, size_t targets, const struct hp_observer_opts *o)
{
	size_t slots = targets * HP_SLOTS_PER_TARGET;
	int ret;

	ret = bpf_map__set_max_entries(skel->maps.counters, slots);
	if (o->time)
		ret = ret ?: bpf_map__set_max_entries(skel->maps.hists, slots * HP_PM_STATES);
	if (o->process_counters)
		ret = ret
			      ?: bpf_map__set_max_entries(skel->maps.processes,
							  (__u32)o->process_counters);
	if (o->process_counters)
		ret = ret ?: bpf_map__set_max_entries(skel->maps.process_callers, PROCESS_CALLERS);
	if (o->callers) {
		ret = ret ?: bpf_map__set_max_entries(skel->maps.callers, slots);
		ret = ret
			      ?: bpf_map__set_max_entries(skel->maps.more_callers,
							  targets * MORE_CALLERS_PER_TARGET);
	}
	return ret;
}

/* Tasks that the workload's tasks fork are the workload's too. */
static int follow_children(struct hp_observer *obs, struct hp_error *err)
{
	struct hp_error why = { 0 };
	int ret = hp_probe__attach_tracepoint(
		&obs->scope_fork, hp_templates__find(&obs->templates, obs->skel->progs.scope_fork),
		obs->btf, "sched_process_fork", &why);

	return ret ? hp_fail_errno(err, HP_E_OBSERVER, ret, "cannot follow the workload's children")
		   : 0;
}

/* Open and load the BPF object: what it leaves in the kernel are maps, the programs are templates. */
static int load(struct hp_observer *obs, const struct hp_observer_opts *opts)
{
	struct observe_bpf *skel;
	uint64_t device, inode;
	int ret;

	ret = hp_templates__begin(&obs->templates);
	if (ret)
		return ret;
	skel = obs->skel = observe_bpf__open();
	if (!skel) {
		ret = -errno;
		hp_templates__end(&obs->templates, -1, -1);
		return ret;
	}
	skel->rodata->want_callers = opts->callers;
	skel->rodata->want_scope = opts->scope;
	skel->rodata->want_processes = opts->process_counters != 0;
	if (hp_ns__pid(&device, &inode)) {
		skel->rodata->pid_ns_device = device;
		skel->rodata->pid_ns_inode = inode;
	}
	bpf_program__set_autoload(skel->progs.scope_fork, opts->scope);
	bpf_program__set_autoload(skel->progs.time_fentry, opts->time);
	bpf_program__set_autoload(skel->progs.time_fexit, opts->time);
	bpf_program__set_autoload(skel->progs.time_kprobe, opts->time);
	bpf_program__set_autoload(skel->progs.time_kretprobe, opts->time);
	bpf_program__set_autoload(skel->progs.time_uprobe, opts->time);
	bpf_program__set_autoload(skel->progs.calibrate_run, opts->time);
	ret = set_map_sizes(skel, obs->targets, opts);
	ret = ret ?: observe_bpf__load(skel);
	hp_templates__end(&obs->templates, bpf_map__fd(skel->maps.data_patch_map),
			  bpf_map__fd(skel->maps.data_shards));
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
	obs->patch_map = HP_SHARED_NONE;
	obs->scope_fork = HP_PROBE_NONE;
	obs->points = calloc(obs->targets * HP_SLOTS_PER_TARGET, sizeof(*obs->points));
	if (!obs->points) {
		ret = hp_fail(err, HP_E_NOMEM, "out of memory");
		goto fail;
	}
	for (size_t i = 0; i < obs->targets * HP_SLOTS_PER_TARGET; i++)
		obs->points[i] = (struct armed_point){ .entry = HP_PROBE_NONE,
						       .exit = HP_PROBE_NONE,
						       .shards = HP_SHARED_NONE };
	obs->cpus = libbpf_num_possible_cpus();
	obs->shards = SHARDS_PER_CPU;
	while (obs->shards < SHARDS_MAX && (int)obs->shards < SHARDS_PER_CPU * obs->cpus)
		obs->shards *= 2;
	ret = obs->cpus < 0 ? obs->cpus : load(obs, opts);
	if (ret) {
		hp_fail_errno(err, HP_E_OBSERVER, ret, "the observer cannot be loaded");
		goto fail;
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
	ret = opts->scope ? follow_children(obs, err) : 0;
	if (ret)
		goto fail;
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

void hp_observer__close(struct hp_observer *obs)
{
	size_t slots = obs->points ? obs->targets * HP_SLOTS_PER_TARGET : 0, count = 0;
	struct hp_probe **probes = calloc(2 * slots + 1, sizeof(*probes));

	for (size_t i = 0; probes && i < slots; i++) {
		if (obs->points[i].entry.link_fd >= 0)
			probes[count++] = &obs->points[i].entry;
		if (obs->points[i].exit.link_fd >= 0)
			probes[count++] = &obs->points[i].exit;
	}
	if (obs->scope_fork.link_fd >= 0 && probes)
		probes[count++] = &obs->scope_fork;
	hp_probes__detach(probes, count);
	free(probes);
	for (size_t i = 0; i < slots; i++) {
		hp_observer__disarm_processes(&obs->points[i]);
		disarm_point(&obs->points[i]);
		hp_shared__free(&obs->points[i].shards);
	}
	hp_probe__detach(&obs->scope_fork);
	free(obs->points);
	for (int method = 0; method < HP_METHODS; method++)
		free(obs->cost[method]);
	hp_shared__free(&obs->patch_map);
	if (obs->btf)
		hp_btf__close(obs->btf);
	hp_templates__free(&obs->templates);
	observe_bpf__destroy(obs->skel);
	free(obs);
}

static const struct hp_template *template_of(struct hp_observer *obs,
					     const struct bpf_program *program)
{
	return hp_templates__find(&obs->templates, program);
}

struct hp_place hp_observer__place(struct hp_observer *obs, uint32_t slot)
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
	const struct hp_template *entry = template_of(obs, obs->skel->progs.time_fentry);
	const struct hp_template *exit = template_of(obs, obs->skel->progs.time_fexit);
	struct hp_place place = hp_observer__place(obs, slot);
	struct armed_point *p = &obs->points[slot];
	int ret;

	if (!time) {
		entry = template_of(obs, obs->count_more ? obs->skel->progs.count_more_fentry
							 : obs->skel->progs.count_fentry);
		return hp_probe__attach_trampoline(&p->entry, entry, obs->btf, point, &place, err);
	}
	/* The exit first: an entry whose exit is not seen would leave its frame behind. */
	ret = hp_probe__attach_trampoline(&p->exit, exit, obs->btf, point, &place, err);
	if (ret)
		return ret;
	ret = hp_probe__attach_trampoline(&p->entry, entry, obs->btf, point, &place, err);
	if (ret)
		hp_probe__detach(&p->exit);
	return ret;
}

static bool is_one_of_many(const struct hp_observer *obs)
{
	return HP_COST_TARGET(obs) > HP_TRAMPOLINES_MAX;
}

/* A kprobe that only counts: at the better place if there is one, and *offset says where. */
static int arm_counting_kprobe(struct hp_observer *obs, const struct hp_point *point, uint32_t slot,
			       uint64_t *offset, struct hp_error *err)
{
	const struct hp_template *entry = template_of(obs, obs->skel->progs.count_kprobe);
	struct hp_probe *probe = &obs->points[slot].entry;
	struct hp_place place = hp_observer__place(obs, slot);
	struct hp_point better = *point;

	better.offset = point->better_offset;
	place.depth = point->better_depth;
	/* Of many entries, each by ftrace: behind it the kernel makes a jump of the kprobe. */
	if (point->better_offset && !(is_one_of_many(obs) && !point->offset) &&
	    !hp_probe__attach_kprobe(probe, entry, &better, &place, false, NULL)) {
		*offset = better.offset;
		return 0;
	}
	place.depth = 0;
	return hp_probe__attach_kprobe(probe, entry, point, &place, false, err);
}

static int arm_timing_kprobe(struct hp_observer *obs, const struct hp_point *point, uint32_t slot,
			     struct hp_error *err)
{
	const struct hp_template *entry = template_of(obs, obs->skel->progs.time_kprobe);
	const struct hp_template *exit = template_of(obs, obs->skel->progs.time_kretprobe);
	struct hp_place place = hp_observer__place(obs, slot);
	struct armed_point *p = &obs->points[slot];
	int ret;

	ret = hp_probe__attach_kprobe(&p->exit, exit, point, &place, true, err);
	if (ret)
		return ret;
	ret = hp_probe__attach_kprobe(&p->entry, entry, point, &place, false, err);
	if (ret)
		hp_probe__detach(&p->exit);
	return ret;
}

/* Attach to @point in the cheapest way that works, which is told in *armed. */
static int attach(struct hp_observer *obs, const struct hp_point *point, uint32_t slot, bool time,
		  struct hp_armed *armed, struct hp_error *err)
{
	struct hp_error first = { 0 };

	armed->offset = point->offset;
	if (point->path) {
		const struct bpf_program *count = point->callers
							  ? obs->skel->progs.count_callers_uprobe
							  : obs->skel->progs.count_uprobe;
		struct hp_place place = hp_observer__place(obs, slot);

		place.depth = point->depth;
		armed->method = HP_METHOD_UPROBE;
		return hp_probe__attach_uprobe(&obs->points[slot].entry, template_of(obs, count),
					       point, &place, err);
	}
	if (point->trampoline && !point->offset && (time || !is_one_of_many(obs))) {
		armed->method = time ? HP_METHOD_FENTRY_FEXIT : HP_METHOD_FENTRY;
		if (!arm_trampoline(obs, point, slot, time, &first))
			return 0;
		hp_info("%s: %s; trying a kprobe", point->symbol, first.message);
	}
	armed->method = time ? HP_METHOD_KPROBE_KRETPROBE : HP_METHOD_KPROBE;
	return time ? arm_timing_kprobe(obs, point, slot, err)
		    : arm_counting_kprobe(obs, point, slot, &armed->offset, err);
}

/* Calls that were going on when the point was disarmed will not come to their exit. */
static void forget_frames(const struct hp_observer *obs, const struct armed_point *p)
{
	struct hp_shard *shards = p->shards.value;

	for (uint32_t i = 0; i < obs->shards; i++)
		shards[i].frame = 0;
}

int hp_observer__make_shards(struct hp_observer *obs, uint32_t slot, const struct hp_point *point,
			     struct hp_error *err)
{
	struct hp_shared *shards = &obs->points[slot].shards;
	int ret = 0;

	if (!shards->value)
		ret = hp_shared__create(shards, "shards", obs->shards * sizeof(struct hp_shard));
	return ret ? hp_fail_errno(err, HP_E_OBSERVER, ret, "no memory to count the calls of %s in",
				   point->symbol)
		   : 0;
}

int hp_observer__arm(struct hp_observer *obs, size_t target, const struct hp_point *point,
		     bool time, struct hp_armed *armed, struct hp_error *err)
{
	uint32_t slot = (uint32_t)HP_SLOT(target, point->role);
	struct armed_point *p = &obs->points[slot];
	struct hp_armed how = { .method = HP_METHOD_NONE };
	int ret;

	if (armed)
		*armed = how;
	if (time && (!obs->time || point->path))
		return hp_fail(err, HP_E_INTERNAL, "calls at this point are not timed");
	disarm_point(p);
	ret = hp_observer__make_shards(obs, slot, point, err);
	if (ret)
		return ret;
	forget_frames(obs, p);
	ret = attach(obs, point, slot, time, &how, err);
	if (ret)
		return ret;
	p->timed = time;
	if (armed)
		*armed = how;
	/* Before anything is counted. hp_observer__calibrate() will say why not, if not. */
	if (time && target != HP_COST_TARGET(obs))
		hp_observer__measure_cost(obs, how.method, NULL);
	return 0;
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

int hp_observer__scope_task(struct hp_observer *obs, int pidfd, struct hp_error *err)
{
	uint8_t present = 1;

	if (bpf_map_update_elem(bpf_map__fd(obs->skel->maps.scope), &pidfd, &present, BPF_ANY))
		return hp_fail_errno(err, HP_E_OBSERVER, -errno, "cannot mark the workload");
	return 0;
}
