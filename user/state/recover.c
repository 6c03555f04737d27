// SPDX-License-Identifier: GPL-2.0
/*
 * Deciding about entries of the journal. What was not finished is undone and not finished: nobody
 * proved it, and whoever asked for it has seen no report.
 */
#include "state/recover.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "engines/klp/sysfs.h"
#include "engines/proc/survey.h"

static bool is_proc(const struct hp_journal_entry *entry)
{
	return !strcmp(entry->engine, "proc");
}

static void look_at_processes(const struct hp_journal_entry *entry, struct hp_recover_facts *facts)
{
	struct hp_proc_survey survey;
	struct hp_build_id id;
	struct hp_error err = { 0 };

	if (hp_build_id__parse(&id, entry->build_id) ||
	    hp_proc_survey__make(&survey, entry->file, &id, &err)) {
		hp_debug("%s: %s", entry->hotfix, err.message);
		snprintf(facts->unseen, sizeof(facts->unseen), "%.190s", err.message);
		return;
	}
	if (!hp_journal_entry__sees_all(entry))
		snprintf(facts->unseen, sizeof(facts->unseen),
			 "it was applied from another PID namespace too, whose processes are not "
			 "seen here");
	else if (survey.unreadable)
		snprintf(facts->unseen, sizeof(facts->unseen), "%zu mapping%s may not be looked at",
			 survey.unreadable, survey.unreadable == 1 ? "" : "s");
	facts->whole = survey.whole;
	facts->half = survey.half_count;
	hp_proc_survey__free(&survey);
}

void hp_recover__look(const struct hp_journal_entry *entry, struct hp_recover_facts *facts)
{
	char srcversion[sizeof(entry->srcversion)];

	memset(facts, 0, sizeof(*facts));
	facts->this_boot = hp_journal_entry__this_boot(entry);
	facts->loader_alive = hp_journal_entry__loader_alive(entry);
	if (is_proc(entry)) {
		look_at_processes(entry, facts);
		return;
	}
	facts->registered = hp_klp_sysfs__exists(NULL, entry->hotfix);
	facts->loaded = hp_klp_sysfs__module_exists(NULL, entry->hotfix);
	hp_klp_sysfs__srcversion(NULL, entry->hotfix, srcversion, sizeof(srcversion));
	/* A module may have none. */
	facts->same_file =
		!entry->srcversion[0] || !srcversion[0] || !strcmp(entry->srcversion, srcversion);
}

/*
 * Each process was a transaction of its own, and read back before the next one's turn: what is
 * whole stays, whatever became of the loader.
 */
static enum hp_recover_action decide_processes(const struct hp_journal_entry *entry,
					       const struct hp_recover_facts *facts, char *why,
					       size_t size)
{
	if (facts->half) {
		snprintf(why, size, "%zu process%s it by half%s", facts->half,
			 facts->half == 1 ? " has" : "es have",
			 entry->phase == HP_PHASE_APPLIED ? "" : ": its loader died");
		return HP_RECOVER_UNDO;
	}
	if (facts->whole) {
		snprintf(why, size, "applied to %zu process%s", facts->whole,
			 facts->whole == 1 ? "" : "es");
		return HP_RECOVER_KEEP;
	}
	if (facts->unseen[0]) {
		snprintf(why, size, "who has it cannot be seen: %s", facts->unseen);
		return HP_RECOVER_KEEP;
	}
	snprintf(why, size, "no process has it");
	return HP_RECOVER_FORGET;
}

enum hp_recover_action hp_recover__decide(const struct hp_journal_entry *entry,
					  const struct hp_recover_facts *facts, char *why,
					  size_t size)
{
	if (entry->phase == HP_PHASE_DAMAGED) {
		snprintf(why, size, "its entry in the journal cannot be read");
		return HP_RECOVER_FORGET;
	}
	if (!facts->this_boot) {
		snprintf(why, size, "the host has been restarted since");
		return HP_RECOVER_FORGET;
	}
	if (facts->loader_alive && entry->phase != HP_PHASE_APPLIED) {
		snprintf(why, size, "hotproof (pid %d) is at work on it", entry->pid);
		return HP_RECOVER_WAIT;
	}
	if (is_proc(entry))
		return decide_processes(entry, facts, why, size);
	if (facts->loaded && !facts->same_file) {
		snprintf(why, size, "somebody has loaded another module of that name since");
		return HP_RECOVER_FORGET;
	}
	if (entry->phase == HP_PHASE_APPLIED) {
		if (facts->registered) {
			snprintf(why, size, "applied");
			return HP_RECOVER_KEEP;
		}
		snprintf(why, size, "somebody else has reverted it");
		return HP_RECOVER_FORGET;
	}
	if (facts->registered || facts->loaded) {
		snprintf(why, size, "its loader (pid %d) died while %s it", entry->pid,
			 entry->phase == HP_PHASE_LOADING ? "applying" : "reverting");
		return HP_RECOVER_UNDO;
	}
	snprintf(why, size, "its loader (pid %d) died, and nothing is loaded", entry->pid);
	return HP_RECOVER_FORGET;
}

const char *hp_recover_action_name(enum hp_recover_action action)
{
	static const char *const names[] = {
		[HP_RECOVER_KEEP] = "keep",
		[HP_RECOVER_WAIT] = "wait",
		[HP_RECOVER_FORGET] = "forget",
		[HP_RECOVER_UNDO] = "revert",
	};

	return names[action];
}
