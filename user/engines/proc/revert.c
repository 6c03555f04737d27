// SPDX-License-Identifier: GPL-2.0
/* A hotfix taken out of one process: the entries first, the mapping when no thread needs it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engines/proc/session.h"

static int unmap(struct hp_attempt *a, struct hp_unwinder *unwinder,
		 const struct hp_arch_gadgets *gadgets, struct hp_error *err)
{
	struct hp_range range = {
		.start = a->hotfix_bias,
		.end = a->hotfix_bias + a->proc->image->span,
		.name = "a replacement",
	};
	int ret, end;

	ret = hp_attempt__check_stacks(a, unwinder, &range, 1, err);
	ret = ret ?: hp_inject__begin(&a->inject, a->stop, gadgets, err);
	if (ret)
		return ret;
	ret = hp_load__unmap(a, err);
	end = hp_inject__end(a->inject, err);
	a->inject = NULL;
	return ret ?: end;
}

static int attempt(struct hp_attempt *a, struct hp_outcome_record *record,
		   const struct hp_proc_opts *opts, struct hp_unwinder **unwinder,
		   struct hp_error *err)
{
	struct hp_arch_gadgets gadgets;
	uint64_t pause;
	int ret;

	if (!a->hotfix_bias) {
		if (record->outcome != HP_OUTCOME_LINGERING)
			record->outcome = HP_OUTCOME_NOT_APPLIED;
		return 0;
	}
	ret = hp_attempt__find_other(a, err);
	ret = ret
		      ?: hp_gadget_cache__find(a->proc->gadgets, a->process->pid, &a->maps,
					       &gadgets, err);
	ret = ret ?: hp_unwinder__open(unwinder, a->process->pid, &a->maps, err);
	if (ret)
		return ret;

	ret = hp_stop__begin(&a->stop, a->tracer, a->process->pid,
			     hp_attempt__stop_deadline(record, opts), err);
	record->attempts++;
	if (ret)
		return ret;
	ret = hp_edits__revert(a, err);
	if (!ret) {
		record->outcome = HP_OUTCOME_LINGERING;
		ret = unmap(a, *unwinder, &gadgets, err);
	}
	pause = hp_stop__end(a->stop);
	a->stop = NULL;
	if (pause > record->pause_ns)
		record->pause_ns = pause;
	if (!ret)
		record->outcome = HP_OUTCOME_REVERTED;
	return ret;
}

int hp_revert__attempt(struct hp_proc *proc, struct hp_tracer *tracer,
		       struct hp_outcome_record *record, const struct hp_proc_opts *opts)
{
	struct hp_error *err = &record->error;
	struct hp_unwinder *unwinder = NULL;
	struct hp_attempt a = { 0 };
	int ret;

	memset(err, 0, sizeof(*err));
	ret = hp_attempt__open(&a, proc, &record->process, err);
	a.tracer = tracer;
	ret = ret ?: attempt(&a, record, opts, &unwinder, err);
	hp_attempt__close(&a);
	if (unwinder)
		hp_unwinder__close(unwinder);
	return ret;
}
