// SPDX-License-Identifier: GPL-2.0
/* A hotfix taken out of one process: the entries first, the mapping when no thread needs it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engines/proc/session.h"

static int unmap(struct hp_attempt *a, const struct hp_arch_gadgets *gadgets, struct hp_error *err)
{
	struct hp_range range = {
		.start = a->hotfix_bias,
		.end = a->hotfix_bias + a->proc->image->span,
		.name = "a replacement",
	};
	int ret, end;

	ret = hp_attempt__check_stacks(a, &range, 1, err);
	ret = ret ?: hp_inject__begin(&a->inject, a->stop, gadgets, err);
	if (ret)
		return ret;
	ret = hp_load__unmap(a, err);
	end = hp_inject__end(a->inject, err);
	a->inject = NULL;
	return ret ?: end;
}

struct plan {
	struct hp_arch_gadgets gadgets;
	struct hp_outcome_record *record;
};

/* All that is done while the process stands still. */
static int take_away(struct hp_attempt *a, void *arg, struct hp_error *err)
{
	struct plan *plan = arg;
	int ret = hp_edits__revert(a, err);

	if (ret)
		return ret;
	plan->record->outcome = HP_OUTCOME_LINGERING;
	return unmap(a, &plan->gadgets, err);
}

static int attempt(struct hp_attempt *a, struct hp_outcome_record *record,
		   const struct hp_proc_opts *opts, struct hp_error *err)
{
	struct plan plan = { .record = record };
	int ret;

	if (!a->hotfix_bias) {
		if (record->outcome != HP_OUTCOME_LINGERING)
			record->outcome = HP_OUTCOME_NOT_APPLIED;
		return 0;
	}
	ret = hp_attempt__find_other(a, err);
	ret = ret
		      ?: hp_gadget_cache__find(a->proc->gadgets, a->process->pid, &a->maps,
					       &plan.gadgets, err);
	ret = ret ?: hp_attempt__stop_and(a, record, opts, take_away, &plan, err);
	if (!ret)
		record->outcome = HP_OUTCOME_REVERTED;
	return ret;
}

int hp_revert__attempt(struct hp_proc *proc, struct hp_tracer *tracer,
		       struct hp_outcome_record *record, const struct hp_proc_opts *opts)
{
	struct hp_error *err = &record->error;
	struct hp_attempt a = { .mem = -1 };
	int ret;

	memset(err, 0, sizeof(*err));
	ret = hp_attempt__open(&a, proc, &record->process, err);
	a.tracer = tracer;
	ret = ret ?: attempt(&a, record, opts, err);
	hp_attempt__close(&a);
	return ret;
}
