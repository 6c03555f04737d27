// SPDX-License-Identifier: GPL-2.0
/* What is done about an entry of the journal, for every state of the host. */
#include "report.h"

#include "report/recover.h"
#include "state/recover.h"

#define BITS 5 /* this_boot, loader_alive, registered, loaded, same_file */

static struct hp_journal_entry entry_of(enum hp_journal_phase phase)
{
	struct hp_journal_entry entry = { .phase = phase, .pid = 42, .time = 1 };

	strcpy(entry.hotfix, "lp");
	strcpy(entry.engine, "klp");
	return entry;
}

static enum hp_recover_action decide(enum hp_journal_phase phase, struct hp_recover_facts facts)
{
	struct hp_journal_entry entry = entry_of(phase);
	char why[160] = "";
	enum hp_recover_action action;

	action = hp_recover__decide(&entry, &facts, why, sizeof(why));
	assert_true(why[0]);
	return action;
}

/* The one rule that must hold whatever else is true: undo only what hotproof itself left halfway. */
static void only_halfway_work_of_a_dead_loader_is_undone(void **state)
{
	for (unsigned int bits = 0; bits < 1u << BITS; bits++) {
		struct hp_recover_facts f = {
			.this_boot = bits & 1,
			.loader_alive = bits & 2,
			.registered = bits & 4,
			.loaded = bits & 8,
			.same_file = bits & 16,
		};

		for (int phase = HP_PHASE_LOADING; phase <= HP_PHASE_DAMAGED; phase++) {
			bool halfway = phase == HP_PHASE_LOADING || phase == HP_PHASE_REVERTING;
			bool there = f.registered || f.loaded;
			bool ours = !f.loaded || f.same_file;
			bool wanted = halfway && f.this_boot && !f.loader_alive && there && ours;

			assert_int_equal(decide(phase, f) == HP_RECOVER_UNDO, wanted);
		}
	}
}

/* Of a hotfix for processes: what is by half goes, what is whole stays, whoever lives or died. */
static void processes_keep_what_is_whole(void **state)
{
	for (unsigned int bits = 0; bits < 1u << 5; bits++) {
		struct hp_recover_facts f = {
			.this_boot = bits & 1,
			.loader_alive = bits & 2,
			.unseen = { bits & 16 ? 'x' : '\0' },
			.whole = bits & 4 ? 3 : 0,
			.half = bits & 8 ? 1 : 0,
		};

		for (int phase = HP_PHASE_LOADING; phase < HP_PHASE_DAMAGED; phase++) {
			struct hp_journal_entry entry = entry_of(phase);
			enum hp_recover_action wanted = HP_RECOVER_FORGET;
			char why[160] = "";

			strcpy(entry.engine, "proc");
			if (f.this_boot && f.loader_alive && phase != HP_PHASE_APPLIED)
				wanted = HP_RECOVER_WAIT;
			else if (f.this_boot && f.half)
				wanted = HP_RECOVER_UNDO;
			else if (f.this_boot && (f.whole || f.unseen[0]))
				wanted = HP_RECOVER_KEEP;
			assert_int_equal(hp_recover__decide(&entry, &f, why, sizeof(why)), wanted);
			assert_true(why[0]);
		}
	}
}

static void each_case_has_its_action(void **state)
{
	const struct hp_recover_facts here = {
		.this_boot = true, .registered = true, .loaded = true, .same_file = true
	};
	struct hp_recover_facts f = here;

	assert_int_equal(decide(HP_PHASE_APPLIED, f), HP_RECOVER_KEEP);
	assert_int_equal(decide(HP_PHASE_LOADING, f), HP_RECOVER_UNDO);
	assert_int_equal(decide(HP_PHASE_REVERTING, f), HP_RECOVER_UNDO);
	assert_int_equal(decide(HP_PHASE_DAMAGED, f), HP_RECOVER_FORGET);
	f.loader_alive = true;
	assert_int_equal(decide(HP_PHASE_LOADING, f), HP_RECOVER_WAIT);
	assert_int_equal(decide(HP_PHASE_APPLIED, f), HP_RECOVER_KEEP);
	f = here;
	f.this_boot = false;
	assert_int_equal(decide(HP_PHASE_APPLIED, f), HP_RECOVER_FORGET);
	f = here;
	f.same_file = false;
	assert_int_equal(decide(HP_PHASE_APPLIED, f), HP_RECOVER_FORGET);
	/* Disabled, and not unloaded yet: a revert can be brought to its end. */
	f = here;
	f.registered = false;
	assert_int_equal(decide(HP_PHASE_REVERTING, f), HP_RECOVER_UNDO);
	assert_int_equal(decide(HP_PHASE_APPLIED, f), HP_RECOVER_FORGET);
	f.loaded = false;
	assert_int_equal(decide(HP_PHASE_LOADING, f), HP_RECOVER_FORGET);
}

static void report_holds_its_schema_and_says_what_failed(void **state)
{
	struct hp_recovery entries[2] = { 0 };
	struct hp_recover_report report = { .entries = entries, .count = 2 };
	struct memory out;
	char *text;

	entries[0].entry = entry_of(HP_PHASE_LOADING);
	entries[0].action = HP_RECOVER_UNDO;
	strcpy(entries[0].why, "its loader died");
	hp_fail(&entries[0].err, HP_E_KLP_TIMEOUT, "not reverted: \xff");
	entries[1].entry = entry_of(HP_PHASE_APPLIED);
	strcpy(entries[1].entry.file, "/x.ko");
	strcpy(entries[1].why, "applied");
	assert_valid("recover", hp_recover_report__json(&report));

	open_memory(&out);
	assert_int_equal(hp_recover_report__print(&report, out.stream), 0);
	text = take_text(&out);
	assert_contains(text, "lp: NOT reverted: its loader died");
	assert_contains(text, "HP_E_KLP_TIMEOUT");
	assert_contains(text, "lp: left as it is");
	assert_lacks(text, "Nothing to recover");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_halfway_work_of_a_dead_loader_is_undone),
		cmocka_unit_test(processes_keep_what_is_whole),
		cmocka_unit_test(each_case_has_its_action),
		cmocka_unit_test(report_holds_its_schema_and_says_what_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
