// SPDX-License-Identifier: GPL-2.0
/* hotproof recover of guards: the pins of those that were killed on their way. */
#include <stdlib.h>
#include <string.h>

#include "verbs/guard.h"

static void recover_one(struct hp_pin_recovery *r, bool locked, bool dry_run)
{
	struct hp_error gone = { 0 };
	struct hp_guard guard;
	bool left_over;

	if (hp_guard__open(&guard, r->name, &gone)) {
		r->action = HP_RECOVER_KEEP;
		snprintf(r->why, sizeof(r->why), "%.150s", gone.message);
		return;
	}
	left_over = hp_guard__is_left_over(&guard, r->why, sizeof(r->why));
	hp_guard__close(&guard);
	r->action = !left_over ? HP_RECOVER_KEEP : locked ? HP_RECOVER_UNDO : HP_RECOVER_WAIT;
	if (r->action == HP_RECOVER_WAIT)
		snprintf(r->why, sizeof(r->why), "another hotproof is changing guards");
	if (r->action == HP_RECOVER_UNDO && !dry_run)
		r->done = !hp_pins__remove(r->name, &r->err);
}

int hp_guard_recover(struct hp_recover_report *report, uint64_t deadline, struct hp_error *err)
{
	_cleanup_free_ hp_guard_name *names = NULL;
	struct hp_error busy = { 0 };
	_cleanup_close_ int lock = -1;
	size_t count = 0;
	int ret = hp_pins__list(&names, &count, err);

	/* No folder: nobody has ever made a guard, or all are gone. */
	if (ret || (!count && access(HP_PINS_ROOT, F_OK)))
		return ret;
	lock = hp_bpffs__lock(deadline, &busy);
	if (lock < 0 && busy.reason != HP_E_STATE_LOCKED) {
		*err = busy;
		return lock;
	}
	report->guards = calloc(count + 1, sizeof(*report->guards));
	if (!report->guards)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		struct hp_pin_recovery *r = &report->guards[report->guard_count++];

		strcpy(r->name, names[i]);
		recover_one(r, lock >= 0, report->dry_run);
	}
	if (lock >= 0 && !report->dry_run)
		hp_pins__tidy();
	return 0;
}
