// SPDX-License-Identifier: GPL-2.0
/* What everybody may see of livepatches and tasks, from trees made for the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engines/klp/list.h"
#include "engines/klp/sysfs.h"
#include "engines/klp/tasks.h"

static char root[64];

static void __attribute__((format(printf, 1, 2))) shell(const char *fmt, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
	strcpy(root, "/tmp/hotproof-sysfs.XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	shell("rm -rf %s", root);
	return 0;
}

static void put_patch(const char *name, int enabled, int transition)
{
	shell("mkdir -p %s/kernel/livepatch/%s && cd %s/kernel/livepatch/%s && "
	      "echo %d > enabled && echo %d > transition && echo > force",
	      root, name, root, name, enabled, transition);
}

static void livepatches_are_read_from_sysfs(void **state)
{
	struct hp_klp_snapshot *snap;
	const struct hp_klp_patch *p;
	struct hp_read_back out;
	struct hp_error err = { 0 };

	put_patch("lp_one", 1, 0);
	put_patch("lp_two", 0, 1);
	shell("mkdir -p %s/kernel/livepatch/lp_one/vmlinux/vfs_read,1 "
	      "%s/kernel/livepatch/lp_one/absent_mod/f.constprop.0,3 "
	      "%s/module/here_mod %s/kernel/livepatch/lp_two/here_mod/g,1 && "
	      "echo live > %s/module/here_mod/initstate",
	      root, root, root, root, root);

	assert_int_equal(hp_klp_list__read_sysfs(root, &snap, &err), 0);
	assert_int_equal(snap->source, HP_KLP_FROM_SYSFS);
	assert_int_equal(snap->count, 2);
	assert_int_equal(snap->target_state, 0);
	p = hp_klp_snapshot__find(snap, "lp_one");
	assert_non_null(p);
	assert_true(p->enabled && !p->transition);
	assert_int_equal(p->object_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct hp_klp_object *o = &p->objects[i];

		assert_int_equal(o->func_count, 1);
		if (!strcmp(o->name, "vmlinux")) {
			assert_true(o->loaded);
			assert_string_equal(o->funcs[0].old_name, "vfs_read");
			assert_int_equal(o->funcs[0].sympos, 0);
			continue;
		}
		assert_string_equal(o->name, "absent_mod");
		assert_false(o->loaded);
		assert_string_equal(o->funcs[0].old_name, "f.constprop.0");
		assert_int_equal(o->funcs[0].sympos, 3);
		hp_klp_snapshot__read_back(snap, p, o, &o->funcs[0], &out);
		assert_int_equal(out.redirect, HP_REDIRECT_ABSENT);
	}
	p = hp_klp_snapshot__find(snap, "lp_two");
	assert_non_null(p);
	assert_true(!p->enabled && p->transition);
	assert_true(p->objects[0].loaded);
	assert_null(hp_klp_snapshot__find(snap, "lp"));
	hp_klp_snapshot__free(snap);
}

static void kernel_without_livepatching_is_told_from_missing_sysfs(void **state)
{
	struct hp_klp_snapshot *snap;
	struct hp_error err = { 0 };

	assert_true(hp_klp_list__read_sysfs(root, &snap, &err) < 0);
	assert_int_equal(err.reason, HP_E_KLP_SYSFS);
	memset(&err, 0, sizeof(err));
	shell("mkdir -p %s/kernel", root);
	assert_true(hp_klp_list__read_sysfs(root, &snap, &err) < 0);
	assert_int_equal(err.reason, HP_E_KLP_UNSUPPORTED);
	shell("mkdir -p %s/kernel/livepatch", root);
	assert_int_equal(hp_klp_list__read_sysfs(root, &snap, &err), 0);
	assert_int_equal(snap->count, 0);
	hp_klp_snapshot__free(snap);
}

static void switches_are_read_and_written(void **state)
{
	struct hp_error err = { 0 };

	put_patch("lp", 1, 0);
	assert_int_equal(hp_klp_sysfs__enabled(root, "lp"), 1);
	assert_int_equal(hp_klp_sysfs__transition(root, "lp"), 0);
	assert_int_equal(hp_klp_sysfs__enabled(root, "none"), -ENOENT);
	assert_true(hp_klp_sysfs__exists(root, "lp"));
	assert_false(hp_klp_sysfs__exists(root, "none"));
	assert_int_equal(hp_klp_sysfs__set_enabled(root, "lp", false, &err), 0);
	assert_int_equal(hp_klp_sysfs__enabled(root, "lp"), 0);
	assert_int_equal(hp_klp_sysfs__set_enabled(root, "none", false, &err), -ENODEV);
	assert_int_equal(err.reason, HP_E_KLP_NOT_LOADED);
}

/* A task of the fake /proc. */
static void put_task(int tgid, int tid, const char *comm, unsigned int flags, const char *state)
{
	shell("mkdir -p %s/%d/task/%d && cd %s/%d/task/%d && echo %s > patch_state && "
	      "echo '%d (%s) S 1 1 1 0 -1 %u 0 0' > stat && "
	      "printf '[<0>] do_wait+0x1/0x2\\n[<0>] child_rip+0x3/0x4\\n' > stack",
	      root, tgid, tid, root, tgid, tid, state, tid, comm, flags);
}

static void blockers_are_found_in_proc(void **state)
{
	struct hp_progress progress;
	struct hp_error err = { 0 };

	put_task(1, 1, "init", 0x400100, "1");
	put_task(7, 7, "a) R (b", 0x400100, "1");
	put_task(7, 8, "worker) S 9", 0x400100, "0");
	put_task(9, 9, "kthread", 0x208040, "0");
	shell("mkdir -p %s/sys %s/10/task/10 %s/11", root, root, root); /* the last two exited */

	assert_int_equal(hp_klp_tasks__read_proc(root, 1, true, &progress, &err), 0);
	assert_int_equal(progress.total, 4);
	assert_int_equal(progress.switched, 2);
	assert_false(progress.complete);
	assert_int_equal(progress.blocker_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct hp_blocker *b = &progress.blockers[i];

		assert_int_equal(b->state, 'S');
		assert_string_equal(b->stack, "do_wait+0x1/0x2\nchild_rip+0x3/0x4\n");
		if (b->pid == 8) {
			assert_int_equal(b->tgid, 7);
			assert_string_equal(b->comm, "worker) S 9");
			assert_false(b->kthread);
		} else {
			assert_int_equal(b->pid, 9);
			assert_true(b->kthread);
		}
	}
	hp_progress_free(&progress);

	assert_int_equal(hp_klp_tasks__read_proc(root, 0, false, &progress, &err), 0);
	assert_int_equal(progress.switched, 2);
	assert_null(progress.blockers[0].stack);
	hp_progress_free(&progress);
}

static void proc_without_patch_states_is_no_progress(void **state)
{
	struct hp_progress progress;
	struct hp_error err = { 0 };

	shell("mkdir -p %s/1/task/1", root);
	assert_true(hp_klp_tasks__read_proc(root, 1, false, &progress, &err) < 0);
	assert_int_equal(err.reason, HP_E_KLP_UNSUPPORTED);
	assert_null(progress.blockers);
}

/* Two loadings of a module are never taken for one. */
static void loadings_are_told_apart(void **state)
{
	uint64_t first, other;

	assert_int_equal(hp_klp_sysfs__load(root, "some_mod"), 0);
	shell("mkdir -p %s/module/some_mod %s/module/other_mod", root, root);
	first = hp_klp_sysfs__load(root, "some_mod");
	other = hp_klp_sysfs__load(root, "other_mod");
	assert_true(first && other && first != other);
	assert_true(hp_klp_sysfs__load(root, "some_mod") == first);
	/* Kept under another name, so that its inode number cannot come again. */
	shell("mv %s/module/some_mod %s/module/gone && mkdir %s/module/some_mod", root, root, root);
	assert_true(hp_klp_sysfs__load(root, "some_mod") != first);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(livepatches_are_read_from_sysfs),
		TEST(kernel_without_livepatching_is_told_from_missing_sysfs),
		TEST(switches_are_read_and_written),
		TEST(blockers_are_found_in_proc),
		TEST(proc_without_patch_states_is_no_progress),
		TEST(loadings_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
