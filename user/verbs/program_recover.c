// SPDX-License-Identifier: GPL-2.0
/* hotproof recover of hotfixes of BPF programs: what is left of those whose loader was killed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engines/bpf/pins.h"
#include "host/bpffs.h"
#include "verbs/program.h"

static struct hp_pin_recovery *add(struct hp_recover_report *report, const char *name)
{
	struct hp_pin_recovery *grown =
		realloc(report->programs, (report->program_count + 1) * sizeof(*grown));
	struct hp_pin_recovery *r;

	if (!grown)
		return NULL;
	report->programs = grown;
	r = &grown[report->program_count++];
	memset(r, 0, sizeof(*r));
	snprintf(r->name, sizeof(r->name), "%s", name);
	return r;
}

static int keep(struct hp_recover_report *report, const char *name, size_t functions)
{
	struct hp_pin_recovery *r = add(report, name);

	if (!r)
		return -ENOMEM;
	r->action = HP_RECOVER_KEEP;
	snprintf(r->why, sizeof(r->why), "it is applied, with all of its functions (%zu)",
		 functions);
	return 0;
}

static int recover_one(struct hp_recover_report *report, const char *name, bool locked)
{
	struct hp_pin_recovery *r = add(report, name);

	if (!r)
		return -ENOMEM;
	r->action = locked ? HP_RECOVER_UNDO : HP_RECOVER_WAIT;
	snprintf(r->why, sizeof(r->why), "%s",
		 locked ? "its loader died before all of its functions were pinned, or unpinned"
			: "another hotproof is changing what is pinned");
	if (locked && !report->dry_run)
		r->done = !hp_link_pins__sweep(name, &r->err);
	return 0;
}

/* Those that are whole. The list is sorted by hotfix, with an entry for each function. */
static int keep_whole(struct hp_recover_report *report, struct hp_error *err)
{
	_cleanup_free_ struct hp_link_pin *pins = NULL;
	size_t count = 0, functions;
	int ret = hp_link_pins__list(&pins, &count, err);

	for (size_t i = 0; i < count && !ret; i += functions) {
		for (functions = 1;
		     i + functions < count && !strcmp(pins[i + functions].hotfix, pins[i].hotfix);)
			functions++;
		if (!hp_link_pins__unfinished(&pins[i]) && keep(report, pins[i].hotfix, functions))
			ret = hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	return ret;
}

int hp_program_recover(struct hp_recover_report *report, uint64_t deadline, struct hp_error *err)
{
	_cleanup_free_ struct hp_link_pin *unfinished = NULL;
	struct hp_error busy = { 0 };
	_cleanup_close_ int lock = -1;
	size_t count = 0;
	int ret;

	if (access(HP_PINS_ROOT, F_OK))
		return 0;
	lock = hp_bpffs__lock(deadline, &busy);
	if (lock < 0 && busy.reason != HP_E_STATE_LOCKED) {
		*err = busy;
		return lock;
	}
	ret = keep_whole(report, err);
	ret = ret ?: hp_link_pins__list_unfinished(&unfinished, &count, err);
	for (size_t i = 0; i < count && !ret; i++)
		if (recover_one(report, unfinished[i].hotfix, lock >= 0))
			ret = hp_fail(err, HP_E_NOMEM, "out of memory");
	if (lock >= 0 && !report->dry_run)
		hp_link_pins__tidy();
	return ret;
}
