// SPDX-License-Identifier: GPL-2.0
/* A livepatch that is registered is believed only when its entry, its ops and its stack agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engines/klp/snapshot.h"

#define OLD	   0xffffffff81000000ull
#define TRAMPOLINE 0xffffffffc0100000ull

static const unsigned char nop5[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };

/* One livepatch of one function, in order in every respect; the tests break one thing each. */
static struct hp_klp_snapshot *good(void)
{
	struct hp_klp_snapshot *snap = calloc(1, sizeof(*snap));
	struct hp_klp_patch *patch = hp_klp_snapshot__add_patch(snap);
	struct hp_klp_object *object = hp_klp_patch__add_object(patch);
	struct hp_klp_func *func = hp_klp_object__add_func(object);
	int32_t relative = (int32_t)(TRAMPOLINE - (OLD + 5));

	snap->source = HP_KLP_FROM_KERNEL;
	snap->ftrace_disabled = 0;
	strcpy(patch->name, "lp");
	patch->enabled = true;
	strcpy(object->name, "vmlinux");
	object->loaded = object->patched = true;
	strcpy(func->old_name, "target");
	strcpy(func->new_name, "replacement");
	strcpy(func->ops_func, "klp_ftrace_handler");
	func->address = func->top_func = 0x1000;
	func->old_addr = OLD;
	func->new_addr = 0xffffffffc0200000ull;
	func->patched = func->have_ops = func->have_entry = true;
	func->ops_flags = 0x11843;
	func->trampoline = TRAMPOLINE;
	func->trampoline_size = 0xcf;
	func->entry[0] = 0xe8;
	memcpy(func->entry + 1, &relative, sizeof(relative));
	hp_klp_snapshot__resolve(snap);
	return snap;
}

static struct hp_klp_func *func_of(struct hp_klp_snapshot *snap)
{
	return &snap->patches[0].objects[0].funcs[0];
}

/* Judge the first function of @snap, and free it. */
static struct hp_read_back judge(struct hp_klp_snapshot *snap)
{
	struct hp_read_back out = { 0 };

	hp_klp_snapshot__read_back(snap, &snap->patches[0], &snap->patches[0].objects[0],
				   func_of(snap), &out);
	assert_true(out.reason[0]);
	hp_klp_snapshot__free(snap);
	return out;
}

static void good_redirect_is_in_place(void **state)
{
	struct hp_read_back out = judge(good());

	assert_int_equal(out.redirect, HP_REDIRECT_IN_PLACE);
	assert_non_null(strstr(out.reason, "own trampoline"));
	assert_non_null(strstr(out.reason, "replacement"));
}

/* klp_force_transition() lets no task wait, wherever it is: reach says nothing any more. */
static void forced_transition_is_told(void **state)
{
	struct hp_klp_snapshot *snap = good();
	struct hp_read_back out;

	snap->patches[0].forced = true;
	out = judge(snap);
	assert_int_equal(out.redirect, HP_REDIRECT_IN_PLACE);
	assert_non_null(strstr(out.reason, "its transition was forced"));
}

static void call_to_ftrace_itself_is_in_place(void **state)
{
	struct hp_klp_snapshot *snap = good();
	struct hp_read_back out;

	func_of(snap)->trampoline = 0;
	out = judge(snap);
	assert_int_equal(out.redirect, HP_REDIRECT_IN_PLACE);
	assert_null(strstr(out.reason, "own trampoline"));
}

static void entry_that_is_a_nop_is_broken(void **state)
{
	struct hp_klp_snapshot *snap = good();
	struct hp_read_back out;

	memcpy(func_of(snap)->entry, nop5, sizeof(nop5));
	out = judge(snap);
	assert_int_equal(out.redirect, HP_REDIRECT_BROKEN);
	assert_non_null(strstr(out.reason, "nop"));
}

static void entry_behind_endbr64_is_found(void **state)
{
	static const unsigned char skipped[][4] = {
		{ 0xf3, 0x0f, 0x1e, 0xfa }, /* endbr64 */
		{ 0x66, 0x0f, 0x1f, 0x00 }, /* sealed */
		{ 0x0f, 0x1f, 0x40, 0xd6 }, /* sealed, FineIBT */
	};

	for (size_t i = 0; i < 3; i++) {
		struct hp_klp_snapshot *snap = good();
		unsigned char *entry = func_of(snap)->entry;
		int32_t relative = (int32_t)(TRAMPOLINE - (OLD + 9));
		struct hp_read_back out;

		memcpy(entry, skipped[i], 4);
		entry[4] = 0xe8;
		memcpy(entry + 5, &relative, sizeof(relative));
		assert_int_equal(hp_klp_entry__offset(entry), 4);
		assert_int_equal(hp_klp_entry__size(entry), 9);
		assert_true(hp_klp_entry__traceable(entry));
		out = judge(snap);
		assert_int_equal(out.redirect, HP_REDIRECT_IN_PLACE);
		assert_non_null(strstr(out.reason, "own trampoline"));

		snap = good();
		memcpy(func_of(snap)->entry, skipped[i], 4);
		memcpy(func_of(snap)->entry + 4, nop5, sizeof(nop5));
		assert_int_equal(judge(snap).redirect, HP_REDIRECT_BROKEN);
	}
}

static void altered_entry_is_broken_and_a_breakpoint_is_unknown(void **state)
{
	struct hp_klp_snapshot *snap = good();

	func_of(snap)->entry[0] = 0xe9; /* jmp */
	assert_false(hp_klp_entry__traceable(func_of(snap)->entry));
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_BROKEN);
	snap = good();
	func_of(snap)->entry[0] = 0x55; /* push %rbp */
	assert_false(hp_klp_entry__traceable(func_of(snap)->entry));
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_BROKEN);
	snap = good();
	func_of(snap)->entry[0] = 0xcc; /* int3 */
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_UNKNOWN);
	snap = good();
	func_of(snap)->have_entry = false;
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_UNKNOWN);
}

static void ops_that_are_not_the_livepatchs_are_broken(void **state)
{
	struct hp_klp_snapshot *snap = good();
	struct hp_read_back out;

	func_of(snap)->ops_flags &= ~1ull;
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_BROKEN);

	snap = good();
	strcpy(func_of(snap)->ops_func, "ftrace_stub");
	out = judge(snap);
	assert_int_equal(out.redirect, HP_REDIRECT_BROKEN);
	assert_non_null(strstr(out.reason, "ftrace_stub"));

	snap = good();
	func_of(snap)->ops_func[0] = 0;
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_BROKEN);

	snap = good();
	func_of(snap)->have_ops = false;
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_UNKNOWN);
}

static void dead_ftrace_is_broken_whatever_the_entry_is(void **state)
{
	struct hp_klp_snapshot *snap = good();
	struct hp_read_back out;

	snap->ftrace_disabled = 1;
	out = judge(snap);
	assert_int_equal(out.redirect, HP_REDIRECT_BROKEN);
	assert_non_null(strstr(out.reason, "still leads to the livepatch"));

	snap = good();
	snap->ftrace_disabled = 1;
	func_of(snap)->trampoline = 0;
	out = judge(snap);
	assert_int_equal(out.redirect, HP_REDIRECT_BROKEN);
	assert_non_null(strstr(out.reason, "redirects nothing"));

	snap = good();
	snap->ftrace_disabled = 1;
	memcpy(func_of(snap)->entry, nop5, sizeof(nop5));
	out = judge(snap);
	assert_int_equal(out.redirect, HP_REDIRECT_BROKEN);
	assert_non_null(strstr(out.reason, "old code"));

	snap = good();
	snap->ftrace_disabled = 1;
	snap->source = HP_KLP_FROM_SYSFS;
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_BROKEN);
}

static void what_is_not_registered_is_absent(void **state)
{
	struct hp_klp_snapshot *snap = good();
	struct hp_read_back out;

	func_of(snap)->patched = false;
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_ABSENT);

	snap = good();
	snap->patches[0].enabled = false;
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_ABSENT);

	/* While it is being disabled it is still there. */
	snap = good();
	snap->patches[0].enabled = false;
	snap->patches[0].transition = true;
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_IN_PLACE);

	snap = good();
	strcpy(snap->patches[0].objects[0].name, "some_module");
	snap->patches[0].objects[0].loaded = false;
	out = judge(snap);
	assert_int_equal(out.redirect, HP_REDIRECT_ABSENT);
	assert_non_null(strstr(out.reason, "some_module"));
}

static void sysfs_alone_knows_no_redirect(void **state)
{
	struct hp_klp_snapshot *snap = good();

	snap->source = HP_KLP_FROM_SYSFS;
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_UNKNOWN);
}

/* A second livepatch of the same function on top of the first. */
static struct hp_klp_snapshot *stacked(bool nop)
{
	struct hp_klp_snapshot *snap = good();
	struct hp_klp_func bottom = *func_of(snap), *top;
	struct hp_klp_patch *patch = hp_klp_snapshot__add_patch(snap);
	struct hp_klp_object *object = hp_klp_patch__add_object(patch);

	strcpy(patch->name, "lp2");
	patch->enabled = true;
	strcpy(object->name, "vmlinux");
	object->loaded = object->patched = true;
	top = hp_klp_object__add_func(object);
	*top = bottom;
	top->address = top->top_func = func_of(snap)->top_func = 0x2000;
	top->nop = nop;
	hp_klp_snapshot__resolve(snap);
	return snap;
}

static void lower_of_two_is_superseded(void **state)
{
	struct hp_klp_snapshot *snap = stacked(false);
	struct hp_target *targets;
	struct hp_read_back out;
	size_t count;

	hp_klp_snapshot__read_back(snap, &snap->patches[1], &snap->patches[1].objects[0],
				   &snap->patches[1].objects[0].funcs[0], &out);
	assert_int_equal(out.redirect, HP_REDIRECT_IN_PLACE);
	assert_int_equal(hp_klp_snapshot__targets(snap, NULL, &targets, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(targets[0].superseded_by, "lp2");
	assert_string_equal(targets[1].superseded_by, "");
	assert_true(targets[0].entry_taken);
	assert_int_equal(targets[0].entry_size, 5);
	free(targets);
	assert_int_equal(hp_klp_snapshot__targets(snap, &snap->patches[1], &targets, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(targets[0].hotfix, "lp2");
	free(targets);
	out = judge(snap);
	assert_int_equal(out.redirect, HP_REDIRECT_SUPERSEDED);
	assert_non_null(strstr(out.reason, "lp2"));
}

static void given_back_function_is_no_target(void **state)
{
	struct hp_klp_snapshot *snap = stacked(true);
	struct hp_target *targets;
	size_t count;

	assert_int_equal(hp_klp_snapshot__targets(snap, &snap->patches[1], &targets, &count), 0);
	assert_int_equal(count, 0);
	free(targets);
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_SUPERSEDED);
}

static void unknown_top_of_the_stack_is_not_believed(void **state)
{
	struct hp_klp_snapshot *snap = good();

	func_of(snap)->top_func = 0x3000;
	hp_klp_snapshot__resolve(snap);
	assert_int_equal(judge(snap).redirect, HP_REDIRECT_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_redirect_is_in_place),
		cmocka_unit_test(forced_transition_is_told),
		cmocka_unit_test(call_to_ftrace_itself_is_in_place),
		cmocka_unit_test(entry_that_is_a_nop_is_broken),
		cmocka_unit_test(entry_behind_endbr64_is_found),
		cmocka_unit_test(altered_entry_is_broken_and_a_breakpoint_is_unknown),
		cmocka_unit_test(ops_that_are_not_the_livepatchs_are_broken),
		cmocka_unit_test(dead_ftrace_is_broken_whatever_the_entry_is),
		cmocka_unit_test(what_is_not_registered_is_absent),
		cmocka_unit_test(sysfs_alone_knows_no_redirect),
		cmocka_unit_test(lower_of_two_is_superseded),
		cmocka_unit_test(given_back_function_is_no_target),
		cmocka_unit_test(unknown_top_of_the_stack_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
