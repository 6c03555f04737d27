// SPDX-License-Identifier: GPL-2.0
/* A hotfix applied to one process: everything is checked before the first write, then all or nothing. */
#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "engines/proc/memory.h"
#include "engines/proc/room.h"
#include "engines/proc/session.h"

static size_t site_count(const struct hp_attempt *a)
{
	return hp_hotfix__meta(a->proc->hotfix)->forward_count;
}

/* The parent of @pid, 0 when it is not known. */
static pid_t parent_of(pid_t pid)
{
	_cleanup_file_ FILE *f = NULL;
	char path[32], line[256];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "PPid:", 5))
			return atoi(line + 5);
	return 0;
}

/*
 * Another process runs in the same memory, between vfork() and exec: its threads would have to be
 * stopped as well, and ours cannot be.
 */
static bool shares_memory(pid_t pid, pid_t other)
{
	return other > 0 && syscall(SYS_kcmp, pid, other, KCMP_VM, 0, 0) == 0;
}

static int check_process(const struct hp_process *p, struct hp_error *err)
{
	pid_t parent = parent_of(p->pid);

	if (p->bits32)
		return hp_fail(err, HP_E_PROC_32BIT, "process %d is a 32-bit program", p->pid);
	if (p->copies > 1)
		return hp_fail(err, HP_E_PROC_COPIES, "process %d maps the target %u times", p->pid,
			       p->copies);
	if (!shares_memory(p->pid, p->shares_with) && !shares_memory(p->pid, parent))
		return 0;
	hp_fail(err, HP_E_PROC_SHARED, "process %d shares its memory with process %d", p->pid,
		shares_memory(p->pid, parent) ? parent : p->shares_with);
	return -EBUSY;
}

/* 0: nothing is applied; -EALREADY: everything is; else what is in the way. */
static int check_sites(struct hp_attempt *a, struct hp_error *err)
{
	size_t in_place = 0;

	for (size_t i = 0; i < site_count(a); i++) {
		struct hp_read_back back = hp_attempt__read_back(a, &a->sites[i], err);

		in_place += back.redirect == HP_REDIRECT_IN_PLACE;
		if (back.redirect != HP_REDIRECT_IN_PLACE && back.redirect != HP_REDIRECT_ABSENT &&
		    back.redirect != HP_REDIRECT_SUPERSEDED)
			return -EEXIST;
	}
	if (a->hotfix_bias && in_place == site_count(a))
		return -EALREADY;
	if (a->hotfix_bias)
		return hp_fail(
			err, HP_E_PROC_PARTIAL,
			"an apply to process %d was cut short, or the target loaded again since: %zu of "
			"%zu targets are redirected",
			a->process->pid, in_place, site_count(a));
	return hp_attempt__find_other(a, err) ?: hp_attempt__check_other(a, err);
}

/* True if the target at @address is redirected by the hotfix of @other. */
static bool is_redirected(struct hp_attempt *other, uint64_t address)
{
	for (size_t i = 0; other && i < site_count(other); i++)
		if (other->sites[i].address == address)
			return hp_attempt__read_back(other, &other->sites[i], NULL).redirect ==
			       HP_REDIRECT_IN_PLACE;
	return false;
}

/* The bytes of the probe in the old body at @at; 0 when it is something else, or in the entry. */
static size_t probe_length(const struct hp_attempt *a, const struct hp_site *site,
			   const uint8_t *here, size_t at)
{
	size_t len = site->forward->size - at;

	if (at < (size_t)site->entry.skip + site->entry.length)
		return 0;
	if (hp_arch__is_breakpoint(here + at, len))
		return 1;
	return hp_attempt__probe_call(a, here + at, len, site->address + at);
}

/*
 * The targets' code: its entry once more, since somebody may have come before the stop, and what stays,
 * where threads may go on with --consistency entry. Breakpoints in there are probes, ours among them.
 */
static int check_bodies(struct hp_attempt *a, struct hp_error *err)
{
	for (size_t i = 0; i < site_count(a); i++) {
		const struct hp_site *site = &a->sites[i];
		size_t len = site->forward->size;
		const uint8_t *file = site->body;
		_cleanup_free_ uint8_t *here = malloc(len);

		if (!here)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		if (hp_memory__read(a->process->pid, site->address, here, len))
			return hp_fail(err, HP_E_PROC_CODE, "the code of %s cannot be read",
				       site->forward->target);
		/* The jump of the hotfix that is replaced, checked with it. */
		if (is_redirected(a->other, site->address))
			memcpy(here + site->entry.skip, file + site->entry.skip,
			       len - site->entry.skip < site->entry.length ? len - site->entry.skip
									   : site->entry.length);
		for (size_t at = 0, same; at < len; at += same) {
			same = here[at] == file[at] ? 1 : probe_length(a, site, here, at);
			if (!same)
				return hp_fail(err, HP_E_PROC_CODE,
					       "the code of %s was changed at offset %zu",
					       site->forward->target, at);
		}
	}
	return 0;
}

/*
 * Who goes on in the old body must not jump into our jump. With --consistency entry that is any thread;
 * else whoever called another function and left for another stack there, as coroutines do: their
 * stacks are not looked at.
 */
static int check_jumps_back(struct hp_attempt *a, bool entry_only, struct hp_error *err)
{
	for (size_t i = 0; i < site_count(a); i++) {
		const struct hp_site *site = &a->sites[i];
		size_t len = site->forward->size;

		if (!hp_arch__jumps_into_entry(site->body, len, &site->entry))
			continue;
		if (entry_only)
			return hp_fail(err, HP_E_TARGET_ENTRY,
				       "%s jumps back to its entry: not with --consistency entry",
				       site->forward->target);
		if (hp_arch__calls_others(site->body, len))
			return hp_fail(err, HP_E_TARGET_ENTRY,
				       "%s jumps back to its entry, and calls others: a coroutine "
				       "that waits there would come back into the jump",
				       site->forward->target);
	}
	return 0;
}

static int find_room(struct hp_attempt *a, struct hp_error *err)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (size_t i = 0; i < site_count(a); i++) {
		const struct hp_site *site = &a->sites[i];

		low = site->address < low ? site->address : low;
		high = site->address + site->forward->size > high
			       ? site->address + site->forward->size
			       : high;
	}
	if (hp_room__find(&a->maps, low, high, a->proc->image->span, HP_ARCH_REACH,
			  &a->hotfix_bias))
		return hp_fail(err, HP_E_PROC_MAP,
			       "process %d has no room within 2 GiB of the target",
			       a->process->pid);
	for (size_t i = 0; i < site_count(a); i++)
		a->sites[i].replacement = a->hotfix_bias + a->sites[i].forward->new_address;
	return 0;
}

/* No thread is about to run what is overwritten; at its first byte it will just take the jump. */
static int check_threads(struct hp_attempt *a, struct hp_error *err)
{
	for (size_t t = 0; t < a->stop->count; t++) {
		const struct hp_thread *thread = &a->stop->threads[t];
		uint64_t ip = hp_arch__ip(&thread->regs);

		for (size_t i = 0; i < site_count(a) && thread->stopped; i++) {
			const struct hp_site *site = &a->sites[i];
			uint64_t start = site->address + site->entry.skip;

			if (ip <= start || ip >= start + site->entry.length)
				continue;
			hp_fail(err, HP_E_PROC_STACK, "thread %d is at the entry of %s",
				thread->tid, site->forward->target);
			return -EBUSY;
		}
	}
	return 0;
}

/* No thread is in a target; nor in the hotfix that is replaced, which is unmapped at once. */
static int check_stacks(struct hp_attempt *a, bool entry_only, struct hp_error *err)
{
	const struct hp_hotfix_meta *meta = hp_hotfix__meta(a->proc->hotfix);
	_cleanup_free_ struct hp_range *ranges =
		calloc(site_count(a) + meta->remark_count + 1, sizeof(*ranges));
	size_t count = 0;

	if (!ranges)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < site_count(a) && !entry_only; i++)
		ranges[count++] = (struct hp_range){
			.start = a->sites[i].address,
			.end = a->sites[i].address + a->sites[i].forward->size,
			.name = a->sites[i].forward->target,
		};
	for (size_t i = 0; i < meta->remark_count && !entry_only; i++)
		if (meta->remarks[i].kind == HP_REMARK_COLD)
			ranges[count++] = (struct hp_range){
				.start = a->target_bias + meta->remarks[i].address,
				.end = a->target_bias + meta->remarks[i].address +
				       meta->remarks[i].size,
				.name = meta->remarks[i].target,
			};
	if (a->other)
		ranges[count++] = (struct hp_range){
			.start = a->other->hotfix_bias,
			.end = a->other->hotfix_bias + a->other->proc->image->span,
			.name = "a replacement of the hotfix that is replaced",
		};
	return count ? hp_attempt__check_stacks(a, ranges, count, err) : 0;
}

/* What was prepared before the process was stopped. */
struct plan {
	struct hp_outcome_record *record;
	bool entry_only;
	struct hp_arch_gadgets gadgets;
	struct hp_binding binding;
};

/* All that is done while the process stands still. */
static int commit(struct hp_attempt *a, void *arg, struct hp_error *err)
{
	struct plan *plan = arg;
	struct hp_error left = { 0 };
	int ret, end;

	ret = hp_attempt__check_other(a, err);
	ret = ret ?: check_bodies(a, err);
	ret = ret ?: check_threads(a, err);
	ret = ret ?: check_stacks(a, plan->entry_only, err);
	ret = ret ?: hp_inject__begin(&a->inject, a->stop, &plan->gadgets, err);
	if (ret)
		return ret;
	ret = hp_load__map(a, &plan->binding, err);
	if (!ret) {
		ret = hp_edits__apply(a, err);
		if (ret)
			hp_load__unmap(a, NULL);
		else if (a->other && hp_load__unmap_other(a, &left))
			hp_warn("%s", left.message);
	}
	plan->record->written = !ret;
	end = hp_inject__end(a->inject, err);
	a->inject = NULL;
	return ret ?: end;
}

static int attempt(struct hp_attempt *a, struct hp_outcome_record *record,
		   const struct hp_proc_opts *opts, struct plan *plan, struct hp_error *err)
{
	int ret = check_sites(a, err);

	if (ret == -EALREADY)
		record->outcome = record->written ? HP_OUTCOME_APPLIED : HP_OUTCOME_ALREADY;
	if (ret)
		return ret == -EALREADY ? 0 : ret;
	ret = check_jumps_back(a, opts->entry_only, err);
	ret = ret
		      ?: hp_gadget_cache__find(a->proc->gadgets, a->process->pid, &a->maps,
					       &plan->gadgets, err);
	ret = ret ?: find_room(a, err);
	if (!ret) {
		struct hp_bind_place place = {
			.pid = a->process->pid,
			.maps = &a->maps,
			.target = a->target,
			.target_bias = a->target_bias,
			.hotfix_bias = a->hotfix_bias,
		};

		ret = hp_binding__make(&plan->binding, a->proc->image, &place, a->proc->objects,
				       err);
	}
	if (ret)
		return ret;
	if (opts->dry_run) {
		record->outcome = HP_OUTCOME_ELIGIBLE;
		return 0;
	}
	ret = hp_attempt__stop_and(a, record, opts, commit, plan, err);
	if (!ret)
		record->outcome = a->other ? HP_OUTCOME_REPLACED : HP_OUTCOME_APPLIED;
	return ret;
}

int hp_apply__attempt(struct hp_proc *proc, struct hp_tracer *tracer,
		      struct hp_outcome_record *record, const struct hp_proc_opts *opts)
{
	struct hp_error *err = &record->error;
	struct plan plan = { .record = record, .entry_only = opts->entry_only };
	struct hp_attempt a = { .mem = -1 };
	int ret;

	memset(err, 0, sizeof(*err));
	ret = check_process(&record->process, err);
	ret = ret ?: hp_attempt__open(&a, proc, &record->process, err);
	a.tracer = tracer;
	ret = ret ?: attempt(&a, record, opts, &plan, err);
	hp_attempt__close(&a);
	hp_binding__free(&plan.binding);
	return ret;
}
