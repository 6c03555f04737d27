// SPDX-License-Identifier: GPL-2.0
/* The journal: what is written is whole, what was killed is known, two loaders exclude each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "state/journal.h"
#include "state/journal_json.h"

static char folder[64];

static void path_of(char *out, size_t size, const char *name)
{
	snprintf(out, size, "%s/%s", folder, name);
}

static void put_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	path_of(path, sizeof(path), name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state)
{
	strcpy(folder, "/tmp/hotproof-journal.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	return setenv("HOTPROOF_STATE_DIR", folder, 1);
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static struct hp_journal *opened(void)
{
	struct hp_error err = { 0 };
	struct hp_journal *journal;

	assert_int_equal(hp_journal__open(&journal, &err), 0);
	return journal;
}

static void written_entry_is_read_back(void **state)
{
	struct hp_journal *journal = opened();
	struct hp_journal_entry entry, read;
	struct hp_error err = { 0 };

	assert_int_equal(hp_journal__read(journal, "lp", &read, &err), -ENOENT);
	assert_int_equal(err.reason, HP_E_NONE);
	assert_int_equal(hp_journal_entry__init(&entry, "klp", "lp", "/proc/self/exe", &err), 0);
	assert_int_equal(entry.file[0], '/');
	strcpy(entry.srcversion, "ABC");
	assert_int_equal(hp_journal__write(journal, &entry, &err), 0);
	assert_int_equal(hp_journal__read(journal, "lp", &read, &err), 0);
	assert_memory_equal(&entry, &read, sizeof(entry));
	assert_int_equal(read.phase, HP_PHASE_LOADING);
	assert_true(hp_journal_entry__this_boot(&read));
	assert_true(hp_journal_entry__loader_alive(&read));

	assert_int_equal(hp_journal__set_phase(journal, &entry, HP_PHASE_APPLIED, &err), 0);
	assert_int_equal(hp_journal__read(journal, "lp", &read, &err), 0);
	assert_int_equal(read.phase, HP_PHASE_APPLIED);
	assert_int_equal(read.time, entry.time);

	assert_int_equal(hp_journal__remove(journal, "lp", &err), 0);
	assert_int_equal(hp_journal__read(journal, "lp", &read, &err), -ENOENT);
	assert_int_equal(hp_journal__remove(journal, "lp", &err), 0);
	hp_journal__close(journal);
}

static void list_is_sorted_and_keeps_damaged_files(void **state)
{
	struct hp_journal *journal = opened();
	struct hp_journal_entry entry, *list;
	struct hp_error err = { 0 };
	size_t count;

	assert_int_equal(hp_journal_entry__init(&entry, "klp", "zz", NULL, &err), 0);
	assert_int_equal(hp_journal__write(journal, &entry, &err), 0);
	assert_int_equal(hp_journal_entry__init(&entry, "klp", "aa", NULL, &err), 0);
	assert_int_equal(hp_journal__write(journal, &entry, &err), 0);
	put_file("cut.json", "{\"schema\": \"hotproof.jour");
	put_file("half.tmp", "{");
	put_file("lock", "1\n");
	put_file(".hidden.json", "{}");

	assert_int_equal(hp_journal__list(journal, &list, &count, &err), 0);
	assert_int_equal(count, 3);
	assert_string_equal(list[0].hotfix, "aa");
	assert_string_equal(list[1].hotfix, "cut");
	assert_int_equal(list[1].phase, HP_PHASE_DAMAGED);
	assert_string_equal(list[2].hotfix, "zz");
	free(list);
	hp_journal__close(journal);
}

static void entry_of_another_name_is_damaged(void **state)
{
	struct hp_journal *journal = opened();
	struct hp_journal_entry entry, read;
	struct hp_error err = { 0 };
	char from[128], to[128];

	assert_int_equal(hp_journal_entry__init(&entry, "klp", "one", NULL, &err), 0);
	assert_int_equal(hp_journal__write(journal, &entry, &err), 0);
	path_of(from, sizeof(from), "one.json");
	path_of(to, sizeof(to), "two.json");
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(hp_journal__read(journal, "two", &read, &err), 0);
	assert_int_equal(read.phase, HP_PHASE_DAMAGED);
	assert_string_equal(read.hotfix, "two");
	hp_journal__close(journal);
}

static void every_cut_of_an_entry_is_refused(void **state)
{
	struct hp_journal_entry entry, read;
	struct hp_error err = { 0 };
	char *text;

	assert_int_equal(hp_journal_entry__init(&entry, "klp", "lp", "/proc/self/exe", &err), 0);
	text = hp_journal_entry__format(&entry);
	assert_non_null(text);
	assert_int_equal(hp_journal_entry__parse(text, &read), 0);
	for (size_t len = strlen(text) - 1; len > 0; len--) {
		text[len] = 0;
		assert_int_equal(hp_journal_entry__parse(text, &read), -EPROTO);
	}
	free(text);
}

static void names_that_are_paths_are_refused(void **state)
{
	static const char *const names[] = { "", ".", "..", "a/b", "/etc/passwd", ".hidden" };
	struct hp_journal *journal = opened();
	struct hp_journal_entry entry;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct hp_error err = { 0 };

		assert_int_equal(hp_journal_entry__init(&entry, "klp", names[i], NULL, &err),
				 -EINVAL);
		assert_int_equal(err.reason, HP_E_USAGE);
		assert_int_equal(hp_journal__read(journal, names[i], &entry, &err), -EINVAL);
		assert_int_equal(hp_journal__remove(journal, names[i], &err), -EINVAL);
	}
	hp_journal__close(journal);
}

static void dead_loader_and_reused_pid_are_known(void **state)
{
	struct hp_journal_entry entry;
	struct hp_error err = { 0 };
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	assert_true(child > 0);
	assert_int_equal(hp_journal_entry__init(&entry, "klp", "lp", NULL, &err), 0);
	entry.pid = child;
	entry.pid_start = hp_process_start(child);
	assert_true(entry.pid_start > 0);
	assert_true(hp_journal_entry__loader_alive(&entry));
	entry.pid_start++;
	assert_false(hp_journal_entry__loader_alive(&entry));
	entry.pid_start--;
	kill(child, SIGKILL);
	/* A zombie holds no lock and does no work: it is dead before it is waited for. */
	while (hp_process_start(child))
		usleep(1000);
	assert_false(hp_journal_entry__loader_alive(&entry));
	waitpid(child, NULL, 0);
	assert_false(hp_journal_entry__loader_alive(&entry));
	strcpy(entry.boot_id, "another");
	assert_false(hp_journal_entry__this_boot(&entry));
}

/* In a child, because a process does not exclude itself by two descriptors' accident. */
static int lock_in_child(uint64_t wait_ns)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct hp_error err = { 0 };
		struct hp_journal *journal = opened();
		int ret = hp_journal__lock(journal, hp_now_ns() + wait_ns, &err);

		if (ret)
			_exit(err.reason == HP_E_STATE_LOCKED && strstr(err.message, "pid") ? 1
											    : 2);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void lock_excludes_and_dies_with_its_holder(void **state)
{
	struct hp_journal *journal = opened();
	struct hp_error err = { 0 };

	assert_int_equal(hp_journal__lock(journal, 0, &err), 0);
	assert_int_equal(hp_journal__lock(journal, 0, &err), 0);
	assert_int_equal(lock_in_child(0), 1);
	assert_int_equal(lock_in_child(30 * HP_NSEC_PER_MSEC), 1);
	hp_journal__close(journal);
	assert_int_equal(lock_in_child(0), 0);
	/* That child died without closing it. */
	assert_int_equal(lock_in_child(0), 0);
}

static void folder_that_cannot_be_written_is_named(void **state)
{
	struct hp_journal *journal;
	struct hp_journal_entry entry;
	struct hp_error err = { 0 };

	setenv("HOTPROOF_STATE_DIR", "/proc/hotproof", 1);
	journal = opened();
	assert_int_equal(hp_journal_entry__init(&entry, "klp", "lp", NULL, &err), 0);
	assert_true(hp_journal__write(journal, &entry, &err) < 0);
	assert_int_equal(err.reason, HP_E_STATE);
	assert_non_null(strstr(err.message, "/proc/hotproof"));
	hp_journal__close(journal);

	memset(&err, 0, sizeof(err));
	setenv("HOTPROOF_STATE_DIR", "relative", 1);
	assert_int_equal(hp_journal__open(&journal, &err), -EINVAL);
	assert_int_equal(err.reason, HP_E_USAGE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(written_entry_is_read_back),
		TEST(list_is_sorted_and_keeps_damaged_files),
		TEST(entry_of_another_name_is_damaged),
		TEST(every_cut_of_an_entry_is_refused),
		TEST(names_that_are_paths_are_refused),
		TEST(dead_loader_and_reused_pid_are_known),
		TEST(lock_excludes_and_dies_with_its_holder),
		TEST(folder_that_cannot_be_written_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
