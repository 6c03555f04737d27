// SPDX-License-Identifier: GPL-2.0
/* One process as it is: where the target and the hotfix lie in it, and what its entries hold. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "engines/proc/memory.h"
#include "engines/proc/scan.h"
#include "engines/proc/session.h"

/* The sites: from link addresses to this process's, with the bytes that belong there. */
static int fill_sites(struct hp_attempt *a, struct hp_error *err)
{
	const struct hp_hotfix_meta *meta = hp_hotfix__meta(a->proc->hotfix);
	const struct hp_body *bodies;
	int ret = hp_bodies__get(a->proc->bodies, a->target, meta, &bodies, err);

	if (ret)
		return ret;
	a->sites = calloc(meta->forward_count, sizeof(*a->sites));
	if (!a->sites)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < meta->forward_count; i++)
		a->sites[i] = (struct hp_site){
			.forward = &meta->forward[i],
			.address = a->target_bias + meta->forward[i].address,
			.entry = bodies[i].entry,
			.original = bodies[i].original,
			.body = bodies[i].code,
		};
	return 0;
}

int hp_attempt__open(struct hp_attempt *a, struct hp_proc *proc, const struct hp_process *process,
		     struct hp_error *err)
{
	const struct hp_map *map;
	int ret;

	memset(a, 0, sizeof(*a));
	a->proc = proc;
	a->process = process;
	a->mem = -1;
	ret = hp_maps__read(&a->maps, process->pid);
	if (ret == -ENOENT || ret == -ESRCH)
		return hp_fail(err, HP_E_PROC_GONE, "process %d has ended", process->pid);
	if (ret)
		return hp_fail_errno(err, HP_E_PROC_PERMISSION, ret,
				     "the mappings of process %d cannot be read", process->pid);
	map = hp_maps__at(&a->maps, process->start);
	if (!map || map->start != process->start || map->inode != process->inode)
		return hp_fail(err, HP_E_PROC_GONE, "process %d does not map the target any more",
			       process->pid);
	ret = hp_objects__get(proc->objects, process->pid, map, &a->target, err);
	if (ret)
		return ret;
	if (hp_elf__bias(a->target, map->start, map->offset, &a->target_bias))
		return hp_fail(err, HP_E_PROC_CODE, "process %d maps the target in a strange way",
			       process->pid);
	ret = fill_sites(a, err);
	if (ret)
		return ret;
	hp_attempt__find_hotfix(a);
	return 0;
}

void hp_attempt__close(struct hp_attempt *a)
{
	if (a->inject)
		hp_inject__end(a->inject, NULL);
	if (a->stop)
		hp_stop__end(a->stop);
	if (a->unwinder)
		hp_unwinder__close(a->unwinder);
	if (a->other)
		hp_attempt__close(a->other);
	free(a->other);
	if (a->mem >= 0)
		close(a->mem);
	free(a->sites);
	hp_maps__free(&a->maps);
}

static bool is_this_hotfix(const struct hp_attempt *a, const struct hp_elf *elf)
{
	return elf && hp_elf__build_id(elf) &&
	       hp_build_id__equal(hp_elf__build_id(elf),
				  hp_elf__build_id(hp_hotfix__elf(a->proc->hotfix)));
}

const struct hp_map *hp_attempt__find_hotfix(struct hp_attempt *a)
{
	const struct hp_map *found = NULL;

	a->hotfix_bias = 0;
	for (size_t i = 0; i < a->maps.count && !a->hotfix_bias; i++) {
		const struct hp_map *map = &a->maps.items[i];

		/* The room is mapped from the file's beginning, which is link address 0. */
		if (map->offset || !is_this_hotfix(a, hp_attempt__hotfix_behind(a, map)))
			continue;
		a->hotfix_bias = map->start;
		found = map;
	}
	for (size_t i = 0; i < hp_hotfix__meta(a->proc->hotfix)->forward_count; i++)
		a->sites[i].replacement =
			a->hotfix_bias ? a->hotfix_bias + a->sites[i].forward->new_address : 0;
	return found;
}

/* The mapping of a hotfix's first page, which the mapping @map belongs to. */
static const struct hp_map *first_map(const struct hp_attempt *a, const struct hp_map *map)
{
	while (map > a->maps.items && map->offset && map[-1].inode == map->inode)
		map--;
	return map;
}

static void describe_jump(struct hp_attempt *a, uint64_t to, struct hp_read_back *back,
			  struct hp_error *err)
{
	const struct hp_map *map = hp_maps__at(&a->maps, to);
	const struct hp_hotfix_meta *same =
		map ? hp_attempt__same_id_behind(a, first_map(a, map)) : NULL;

	if (same) {
		back->redirect = HP_REDIRECT_SUPERSEDED;
		snprintf(back->reason, sizeof(back->reason),
			 "the entry jumps to %s with sequence number %" PRIu64, same->id,
			 same->sequence);
		return;
	}
	snprintf(back->reason, sizeof(back->reason), "the entry jumps to %s",
		 map && *map->path ? map->path : "memory of no file");
	if (map && hp_attempt__hotfix_behind(a, map))
		hp_fail(err, HP_E_PROC_TAKEN, "another hotfix replaces it: %s", back->reason);
	else
		hp_fail(err, HP_E_PROC_CODE, "another patcher was here: %s", back->reason);
}

/*
 * On a nop of five bytes a uprobe becomes a call of the kernel's code after its first hit (Linux 6.18,
 * arch/x86/kernel/uprobes.c): the name of its page is all that tells it from others.
 */
size_t hp_attempt__probe_call(const struct hp_attempt *a, const uint8_t *code, size_t len,
			      uint64_t address)
{
	uint64_t to;
	size_t length = hp_arch__decode_call(code, len, address, &to);
	const struct hp_map *map = length ? hp_maps__at(&a->maps, to) : NULL;

	return map && !strcmp(map->path, "[uprobes-trampoline]") ? length : 0;
}

/* Programs may put a copy in the place of their code, in huge pages say (node --use-largepages). */
static bool is_moved(const struct hp_attempt *a, const struct hp_site *site)
{
	const struct hp_map *map = hp_maps__at(&a->maps, site->address);

	return !map || map->inode != a->process->inode;
}

struct hp_read_back hp_attempt__read_back(struct hp_attempt *a, const struct hp_site *site,
					  struct hp_error *err)
{
	const struct hp_arch_entry *entry = &site->entry;
	size_t len = (size_t)entry->skip + entry->length;
	struct hp_read_back back = {
		.redirect = HP_REDIRECT_BROKEN,
		.body_moved = is_moved(a, site),
	};
	uint8_t code[HP_ARCH_ENTRY_MAX];
	uint64_t to;
	int ret;

	ret = hp_memory__read(a->process->pid, site->address, code, len);
	if (ret) {
		back.redirect = HP_REDIRECT_UNKNOWN;
		snprintf(back.reason, sizeof(back.reason), "the entry cannot be read: %s",
			 strerror(-ret));
		/* Yama forbids it, for one (ptrace_scope, Documentation/admin-guide/LSM/Yama.rst). */
		hp_fail(err, ret == -EPERM ? HP_E_PROC_PERMISSION : HP_E_PROC_CODE, "%s",
			back.reason);
		return back;
	}
	if (!memcmp(code, site->original, len)) {
		back.redirect = HP_REDIRECT_ABSENT;
		snprintf(back.reason, sizeof(back.reason), "the entry has its own bytes");
		return back;
	}
	if (hp_arch__is_breakpoint(code, len) ||
	    hp_arch__is_breakpoint(code + entry->skip, entry->length) ||
	    hp_attempt__probe_call(a, code + entry->skip, entry->length,
				   site->address + entry->skip)) {
		snprintf(back.reason, sizeof(back.reason),
			 "a breakpoint or probe of somebody else stands at the entry");
		hp_fail(err, HP_E_PROC_CODE, "%s: %s", site->forward->target, back.reason);
		return back;
	}
	if (memcmp(code, site->original, entry->skip) ||
	    !hp_arch__decode_jump(code + entry->skip, entry->length, site->address + entry->skip,
				  &to)) {
		snprintf(back.reason, sizeof(back.reason), "the bytes at the entry were changed");
		hp_fail(err, HP_E_PROC_CODE, "%s: %s", site->forward->target, back.reason);
		return back;
	}
	if (site->replacement && to == site->replacement) {
		back.redirect = HP_REDIRECT_IN_PLACE;
		snprintf(back.reason, sizeof(back.reason), "the entry jumps to the replacement");
		return back;
	}
	describe_jump(a, to, &back, err);
	return back;
}

/* A thread whose next instruction is in one of @ranges; NULL when there is none. */
static const struct hp_range *runs_in(const struct hp_thread *thread, const struct hp_range *ranges,
				      size_t count)
{
	uint64_t ip = hp_arch__ip(&thread->regs);

	for (size_t i = 0; i < count; i++)
		if (ip >= ranges[i].start && ip < ranges[i].end)
			return &ranges[i];
	return NULL;
}

int hp_attempt__check_stacks(struct hp_attempt *a, const struct hp_range *ranges, size_t count,
			     struct hp_error *err)
{
	struct hp_scan scan;
	int ret = 0;

	for (size_t i = 0; i < a->stop->count; i++) {
		const struct hp_thread *thread = &a->stop->threads[i];
		const struct hp_range *range =
			thread->stopped ? runs_in(thread, ranges, count) : NULL;

		if (!range)
			continue;
		hp_fail(err, HP_E_PROC_STACK, "thread %d is in %s (frame 0)", thread->tid,
			range->name);
		return -EBUSY;
	}
	hp_scan__prepare(&scan, a->process->pid, &a->maps);
	for (size_t i = 0; i < a->stop->count && !ret; i++) {
		const struct hp_thread *thread = &a->stop->threads[i];

		if (!thread->stopped || hp_scan__is_outside(&scan, thread, ranges, count))
			continue;
		ret = a->unwinder ? hp_unwinder__check(a->unwinder, thread->tid, ranges, count,
						       &scan.hidden, err)
				  : -EAGAIN;
	}
	return ret;
}

/* Until when the threads may take to stop: longer each time, never past the budget. */
static uint64_t stop_deadline(const struct hp_outcome_record *record,
			      const struct hp_proc_opts *opts)
{
	/* Threads that wait for a processor stop when they get one: 50 ms, 100 ms … 1.6 s. */
	unsigned int doubled = record->attempts < 5 ? record->attempts : 5;
	uint64_t deadline = hp_now_ns() + ((50 * HP_NSEC_PER_MSEC) << doubled);

	return deadline < opts->deadline ? deadline : opts->deadline;
}

int hp_attempt__stop_and(struct hp_attempt *a, struct hp_outcome_record *record,
			 const struct hp_proc_opts *opts, hp_stopped_fn *fn, void *arg,
			 struct hp_error *err)
{
	int ret;

	if (a->mem < 0)
		a->mem = hp_memory__open(a->process->pid);
	if (a->mem < 0)
		return a->mem == -ENOENT || a->mem == -ESRCH
			       ? hp_fail(err, HP_E_PROC_GONE, "process %d has ended",
					 a->process->pid)
			       : hp_fail_errno(err, HP_E_PROC_PERMISSION, a->mem,
					       "process %d may not be traced", a->process->pid);
	do {
		uint64_t pause;

		/* It takes time: before the stop, and not for those that do not need it. */
		if (record->unwind && !a->unwinder) {
			ret = hp_unwinder__open(&a->unwinder, a->process->pid, &a->maps, err);
			if (ret)
				return ret;
		}
		ret = hp_stop__begin(&a->stop, a->tracer, a->process->pid,
				     stop_deadline(record, opts), err);
		record->attempts++;
		if (ret)
			return ret;
		ret = fn(a, arg, err);
		pause = hp_stop__end(a->stop);
		a->stop = NULL;
		if (pause > record->pause_ns)
			record->pause_ns = pause;
		record->unwind |= ret == -EAGAIN;
	} while (ret == -EAGAIN && !a->unwinder);
	return ret;
}
