// SPDX-License-Identifier: GPL-2.0
/* Calls of functions of processes, timed: probes that one process has, at entry and exit. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/arch.h"
#include "host/maps.h"
#include "observe/observer_internal.h"

#define COST_RUNS 1000

static enum hp_method method_of(const struct hp_timing *timing)
{
	if (timing->return_count)
		return timing->stepped ? HP_METHOD_UPROBES_STEPPED : HP_METHOD_UPROBES;
	return timing->stepped ? HP_METHOD_UPROBE_URETPROBE_STEPPED : HP_METHOD_UPROBE_URETPROBE;
}

void hp_observer__disarm_processes(struct armed_point *point)
{
	/* The entries come last, and go first. */
	while (point->of_process_count)
		hp_probe__detach(&point->of_processes[--point->of_process_count]);
	free(point->of_processes);
	point->of_processes = NULL;
}

static int attach_all(struct hp_probe *probes, const struct hp_point *point,
		      const struct hp_timing *timing, int entry_fd, int exit_fd,
		      struct hp_error *err)
{
	size_t exits = timing->return_count ?: 1;
	int ret = 0;

	if (!timing->return_count)
		ret = hp_probe__attach_uprobe_of(&probes[0], exit_fd, point, point->file_offset,
						 timing->pid, true, err);
	for (size_t i = 0; i < timing->return_count && !ret; i++)
		ret = hp_probe__attach_uprobe_of(&probes[i], exit_fd, point, timing->returns[i],
						 timing->pid, false, err);
	return ret
		       ?: hp_probe__attach_uprobe_of(&probes[exits], entry_fd, point,
						     point->file_offset, timing->pid, false, err);
}

int hp_observer__time_process(struct hp_observer *obs, size_t target, const struct hp_point *point,
			      const struct hp_timing *timing, enum hp_method *method,
			      struct hp_error *err)
{
	uint32_t slot = (uint32_t)HP_SLOT(target, point->role);
	struct armed_point *p = &obs->points[slot];
	size_t count = (timing->return_count ?: 1) + 1;
	_cleanup_close_ int entry_fd = -1, exit_fd = -1;
	struct hp_probe *probes;
	struct hp_place place;
	int ret;

	if (method)
		*method = method_of(timing);
	ret = hp_observer__make_shards(obs, slot, point, err);
	if (ret)
		return ret;
	probes = realloc(p->of_processes, (p->of_process_count + count) * sizeof(*probes));
	if (!probes)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	p->of_processes = probes;
	probes += p->of_process_count;
	for (size_t i = 0; i < count; i++)
		probes[i] = HP_PROBE_NONE;
	place = hp_observer__place(obs, slot);
	entry_fd = hp_probe__load_uprobe(hp_templates__find(&obs->templates,
							    obs->skel->progs.time_uprobe),
					 point, &place, err);
	if (entry_fd < 0)
		return entry_fd;
	exit_fd = hp_probe__load_uprobe(hp_templates__find(&obs->templates,
							   obs->skel->progs.time_kretprobe),
					point, &place, err);
	if (exit_fd < 0)
		return exit_fd;
	ret = attach_all(probes, point, timing, entry_fd, exit_fd, err);
	if (ret) {
		for (size_t i = count; i; i--)
			hp_probe__detach(&probes[i - 1]);
		return ret;
	}
	p->of_process_count += count;
	p->timed = true;
	/* Before anything is counted. hp_observer__calibrate() will say why not, if not. */
	if (target != HP_COST_TARGET(obs) && !obs->cost[method_of(timing)])
		hp_observer__measure_cost(obs, method_of(timing), NULL);
	return 0;
}

/* Where in our own file the code at @function is. */
static int find_own(const void *function, uint64_t *file_offset)
{
	struct hp_maps maps;
	const struct hp_map *map;
	int ret = hp_maps__read(&maps, getpid());

	if (ret)
		return ret;
	map = hp_maps__at(&maps, (uintptr_t)function);
	if (map)
		*file_offset = (uintptr_t)function - map->start + map->offset;
	hp_maps__free(&maps);
	return map ? 0 : -ENOENT;
}

int hp_observer__measure_process_cost(struct hp_observer *obs, enum hp_method method,
				      struct hp_error *err)
{
	bool stepped =
		method == HP_METHOD_UPROBES_STEPPED || method == HP_METHOD_UPROBE_URETPROBE_STEPPED;
	bool returns = method == HP_METHOD_UPROBES || method == HP_METHOD_UPROBES_STEPPED;
	void (*volatile empty)(void) = stepped ? hp_arch_empty_stepped : hp_arch_empty_emulated;
	struct hp_point point = {
		.role = HP_POINT_OLD_ENTRY,
		.symbol = "an empty function",
		.path = "/proc/self/exe",
	};
	size_t target = HP_COST_TARGET(obs);
	struct armed_point *p = &obs->points[HP_SLOT(target, point.role)];
	struct hp_timing timing = { .pid = getpid(), .stepped = stepped };
	uint64_t back;
	int ret;

	ret = find_own((const void *)empty, &point.file_offset);
	if (ret)
		return hp_fail_errno(err, HP_E_OBSERVER, ret, "cannot measure what a uprobe costs");
	back = point.file_offset + HP_ARCH_EMPTY_RETURN;
	if (returns) {
		timing.returns = &back;
		timing.return_count = 1;
	}
	ret = hp_observer__time_process(obs, target, &point, &timing, NULL, err);
	if (ret)
		return ret;
	hp_observer__set_state(obs, target, HP_PM_BASELINE);
	for (int i = 0; i < COST_RUNS; i++)
		empty();
	hp_observer__set_state(obs, target, HP_PM_OFF);
	hp_observer__disarm_processes(p);
	return hp_observer__keep_cost(obs, method, err);
}
