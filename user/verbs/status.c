// SPDX-License-Identifier: GPL-2.0
/* hotproof status: every hotfix that the kernel of this host has, as far as the caller may see. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "engines/bpf/bpf.h"
#include "engines/klp/list.h"
#include "engines/klp/tasks.h"
#include "report/error.h"
#include "report/json.h"
#include "report/status.h"
#include "verbs/begin.h"
#include "verbs/guard.h"
#include "verbs/session.h"
#include "verbs/verbs.h"

/* The kernel's own list, or else what sysfs shows to everybody. */
static int read_list(struct hp_klp_reader *reader, struct hp_error *why,
		     struct hp_status_report *report, struct hp_error *err)
{
	if (reader && !hp_klp_list__read(reader, &report->snap, why))
		return 0;
	hp_debug("%s\n%s", why->message, why->detail);
	snprintf(report->limited, sizeof(report->limited), "%s (%s: %s)", why->message,
		 hp_reason_code(why->reason), hp_reason_hint(why->reason));
	return hp_klp_list__read_sysfs(NULL, &report->snap, err);
}

static void read_tasks(struct hp_klp_reader *reader, struct hp_status_report *report)
{
	bool transition = false, enabled = false;
	struct hp_error err = { 0 };
	int wanted = -1;

	for (size_t i = 0; i < report->snap->count; i++) {
		transition |= report->snap->patches[i].transition;
		enabled |= report->snap->patches[i].enabled;
	}
	if (!transition && !enabled)
		return; /* nothing to reach */
	if (transition)
		wanted = report->snap->target_state;
	if (hp_klp_tasks__read(reader, wanted, true, &report->progress, &err))
		snprintf(report->no_progress, sizeof(report->no_progress), "%s", err.message);
}

static void read_journal(struct hp_status_report *report)
{
	__cleanup(hp_cleanup_hp_journal__close) struct hp_journal *journal = NULL;
	_cleanup_free_ struct hp_journal_entry *entries = NULL;
	struct hp_error err = { 0 };
	size_t count = 0;
	int ret = hp_journal__open(&journal, &err);

	ret = ret ?: hp_journal__list(journal, &entries, &count, &err);
	if (!ret && count) {
		report->entries = calloc(count, sizeof(*report->entries));
		if (!report->entries)
			ret = hp_fail(&err, HP_E_NOMEM, "out of memory");
	}
	if (ret) {
		snprintf(report->no_journal, sizeof(report->no_journal), "%s", err.message);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct hp_status_entry *e = &report->entries[report->entry_count++];

		e->entry = entries[i];
		hp_recover__look(&e->entry, &e->facts);
		e->action = hp_recover__decide(&e->entry, &e->facts, e->why, sizeof(e->why));
	}
}

static void read_programs(struct hp_status_report *report)
{
	__cleanup(hp_session_close) struct hp_session session = { .engine = &hp_bpf_engine };
	struct hp_error err = { 0 };
	int ret = session.engine->open(&session.state, &err);

	ret = ret
		      ?: session.engine->discover(session.state, NULL, &report->replaced,
						  &report->replaced_count, &err);
	if (!ret && report->replaced_count) {
		report->replaced_by = calloc(report->replaced_count, sizeof(*report->replaced_by));
		if (!report->replaced_by)
			ret = hp_fail(&err, HP_E_NOMEM, "out of memory");
		else
			ret = session.engine->read_back(session.state, report->replaced,
							report->replaced_count, report->replaced_by,
							&err);
	}
	if (!ret)
		return;
	report->replaced_count = 0;
	snprintf(report->no_programs, sizeof(report->no_programs), "%s", err.message);
}

static void read_guards(struct hp_status_report *report)
{
	struct hp_error err = { 0 };

	if (!hp_guard_report_all(&report->guards, &err)) {
		hp_guard_report_name_sites(&report->guards);
		return;
	}
	hp_guard_report__free(&report->guards);
	snprintf(report->no_guards, sizeof(report->no_guards), "%s", err.message);
}

static int gather(struct hp_status_report *report, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_klp_reader__close) struct hp_klp_reader *reader = NULL;
	struct hp_error why = { 0 };
	int ret;

	hp_klp_reader__open(&reader, &why);
	read_journal(report);
	read_guards(report);
	read_programs(report);
	ret = read_list(reader, &why, report, err);
	/* A kernel without livepatches has none; guards, hotfixes of processes and BPF programs it may have. */
	if (ret && err->reason == HP_E_KLP_UNSUPPORTED) {
		report->snap = calloc(1, sizeof(*report->snap));
		if (!report->snap)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		report->snap->source = HP_KLP_FROM_SYSFS;
		report->snap->ftrace_disabled = -1;
		snprintf(report->limited, sizeof(report->limited), "%s", err->message);
		return 0;
	}
	if (!ret)
		read_tasks(reader, report);
	return ret;
}

HP_VERB(status)
{
	static const struct hp_option options[] = { { 0 } };
	struct hp_status_report report = { 0 };
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 0 };
	int ret, status;

	if (hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status) < 0)
		return status;
	hp_interrupt_catch();
	ret = gather(&report, &err);
	if (!ret && hp_interrupted())
		ret = hp_fail(&err, HP_E_INTERRUPTED, "interrupted");
	if (!ret && globals.json) {
		json_t *json = hp_status_report__json(&report);

		ret = json ? hp_json_print(json) : -ENOMEM;
	} else if (!ret) {
		ret = hp_status_report__print(&report, stdout, globals.color, globals.verbosity);
	}
	hp_status_report__free(&report);
	if (!ret)
		return HP_EXIT_OK;
	hp_fail_errno(&err, HP_E_INTERNAL, ret, "cannot report");
	return hp_report_error(&globals, cmd->name, &err);
}
