// SPDX-License-Identifier: GPL-2.0
/* The journal of hotfixes for processes: one entry for each build of a hotfix. */
#include "verbs/process_journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "engines/proc/survey.h"

/* Two hotfixes of one id may be applied at once, to different processes: ID-BUILDID, cut. */
static void entry_name(const struct hp_hotfix *hotfix, char name[HP_NAME_MAX])
{
	char hex[HP_BUILD_ID_TEXT_MAX];

	hp_build_id__format(hp_elf__build_id(hp_hotfix__elf(hotfix)), hex);
	snprintf(name, HP_NAME_MAX, "%.46s-%.12s", hp_hotfix__meta(hotfix)->id, hex);
}

static int make_entry(struct hp_journal_entry *entry, struct hp_proc *proc, const char *name,
		      struct hp_error *err)
{
	char hex[HP_BUILD_ID_TEXT_MAX];
	const char *path;
	int ret = hp_proc__stage(proc, &path, err);

	ret = ret ?: hp_journal_entry__init(entry, "proc", name, path, err);
	if (!ret)
		snprintf(entry->build_id, sizeof(entry->build_id), "%s",
			 hp_build_id__format(
				 hp_elf__build_id(hp_hotfix__elf(hp_proc__hotfix(proc))), hex));
	return ret;
}

int hp_process_journal__begin(struct hp_process_journal *j, struct hp_proc *proc,
			      enum hp_journal_phase phase, uint64_t deadline, struct hp_error *err)
{
	char name[HP_NAME_MAX];
	int ret;

	memset(j, 0, sizeof(*j));
	entry_name(hp_proc__hotfix(proc), name);
	ret = hp_journal__open(&j->journal, err);
	ret = ret ?: hp_journal__lock(j->journal, deadline, err);
	if (ret)
		return ret;
	ret = hp_journal__read(j->journal, name, &j->entry, NULL);
	if (ret || j->entry.phase == HP_PHASE_DAMAGED || !hp_journal_entry__this_boot(&j->entry))
		ret = make_entry(&j->entry, proc, name, err);
	return ret ?: hp_journal__set_phase(j->journal, &j->entry, phase, err);
}

int hp_process_journal__forget(struct hp_journal *journal, const struct hp_journal_entry *entry,
			       struct hp_error *err)
{
	const char *base = strrchr(entry->file, '/');

	/* The copy that the processes mapped: no name of ours but that is ever removed. */
	if (base && !strncmp(base + 1, "hotproof-", 9) && unlink(entry->file) && errno != ENOENT)
		hp_info("cannot remove %s: %s", entry->file, strerror(errno));
	return hp_journal__remove(journal, entry->hotfix, err);
}

/* Forget @entry when no process runs code of its hotfix. */
static int tidy(struct hp_journal *journal, const struct hp_journal_entry *entry,
		struct hp_error *err)
{
	struct hp_build_id id;
	size_t count;
	int ret;

	if (hp_build_id__parse(&id, entry->build_id) || !hp_journal_entry__sees_all(entry))
		return 0;
	ret = hp_proc_survey__count(&id, &count, err);
	return ret || count ? ret : hp_process_journal__forget(journal, entry, err);
}

static int tidy_replaced(struct hp_process_journal *j, struct hp_error *err)
{
	_cleanup_free_ struct hp_journal_entry *entries = NULL;
	size_t count = 0;
	int ret = hp_journal__list(j->journal, &entries, &count, err);

	for (size_t i = 0; i < count && !ret; i++)
		if (!strcmp(entries[i].engine, "proc") && entries[i].phase == HP_PHASE_APPLIED &&
		    strcmp(entries[i].hotfix, j->entry.hotfix))
			ret = tidy(j->journal, &entries[i], err);
	return ret;
}

static bool has_outcome(const struct hp_processes_report *report, enum hp_outcome outcome)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->rows[i].record.outcome == outcome)
			return true;
	return false;
}

void hp_process_journal__end(struct hp_process_journal *j, const struct hp_processes_report *report)
{
	bool replaced = has_outcome(report, HP_OUTCOME_REPLACED);
	struct hp_error err = { 0 };
	int ret;

	if (!j->journal)
		return;
	ret = j->entry.hotfix[0]
		      ? hp_journal__set_phase(j->journal, &j->entry, HP_PHASE_APPLIED, &err)
		      : 0;
	/* Others may have it, out of this command's scope. */
	if (!ret && j->entry.hotfix[0] && !replaced && !has_outcome(report, HP_OUTCOME_APPLIED) &&
	    !has_outcome(report, HP_OUTCOME_ALREADY) && !has_outcome(report, HP_OUTCOME_LINGERING))
		ret = tidy(j->journal, &j->entry, &err);
	if (!ret && replaced)
		ret = tidy_replaced(j, &err);
	if (ret)
		hp_warn("the journal is not up to date: %s", err.message);
	hp_journal__close(j->journal);
	memset(j, 0, sizeof(*j));
}
