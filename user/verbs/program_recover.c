// SPDX-License-Identifier: GPL-2.0
/* hotproof recover of hotfixes of BPF programs: those that were killed while their links were pinned. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engines/bpf/pins.h"
#include "host/bpffs.h"
#include "verbs/program.h"

static int recover_one(struct hp_recover_report *report, const char *name, bool locked)
{
	struct hp_pin_recovery *grown =
		realloc(report->programs, (report->program_count + 1) * sizeof(*grown));
	struct hp_pin_recovery *r;

	if (!grown)
		return -ENOMEM;
	report->programs = grown;
	r = &grown[report->program_count++];
	memset(r, 0, sizeof(*r));
	snprintf(r->name, sizeof(r->name), "%.*s", (int)sizeof(r->name) - 1, name);
	r->action = locked ? HP_RECOVER_UNDO : HP_RECOVER_WAIT;
	snprintf(r->why, sizeof(r->why), "%s",
		 locked ? "its loader died before all of its functions were pinned"
			: "another hotproof is changing what is pinned");
	if (locked && !report->dry_run)
		r->done = !hp_link_pins__remove(name, &r->err);
	return 0;
}

int hp_program_recover(struct hp_recover_report *report, uint64_t deadline, struct hp_error *err)
{
	_cleanup_free_ struct hp_link_pin *pins = NULL;
	struct hp_error busy = { 0 };
	_cleanup_close_ int lock = -1;
	const char *last = "";
	size_t count = 0;
	int ret;

	if (access(HP_PINS_ROOT, F_OK))
		return 0;
	lock = hp_bpffs__lock(deadline, &busy);
	if (lock < 0 && busy.reason != HP_E_STATE_LOCKED) {
		*err = busy;
		return lock;
	}
	/* Sorted by hotfix, with an entry for each function. */
	ret = hp_link_pins__list(&pins, &count, err);
	for (size_t i = 0; i < count && !ret; i++) {
		if (!hp_link_pins__unfinished(&pins[i]) || !strcmp(pins[i].hotfix, last))
			continue;
		last = pins[i].hotfix;
		if (recover_one(report, last, lock >= 0))
			ret = hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	return ret;
}
