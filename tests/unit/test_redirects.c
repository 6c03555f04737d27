// SPDX-License-Identifier: GPL-2.0
/* Has a module been loaded again since its points were armed? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proof/redirects.h"

static void moved(void **state)
{
	const struct hp_target before = {
		.old_addr = 0xffffffffc0100000,
		.new_addr = 0xffffffffc0200000,
		.old_load = 7001,
		.new_load = 7002,
	};
	struct hp_target now = before;

	assert_null(hp_redirects__moved(&before, &now));
	/* What a livepatch does to its target is no move. */
	now.patched = now.transition = now.entry_taken = true;
	assert_null(hp_redirects__moved(&before, &now));

	now = before;
	now.old_load = 7003;
	assert_string_equal(hp_redirects__moved(&before, &now),
			    "its module was loaded again while it was observed");
	now = before;
	now.old_addr += 0x1000;
	assert_string_equal(hp_redirects__moved(&before, &now),
			    "its module was loaded again while it was observed");
	now = before;
	now.new_load = 7003;
	assert_string_equal(hp_redirects__moved(&before, &now),
			    "the livepatch was loaded again while it was observed");
	now = before;
	now.new_addr += 0x1000;
	assert_string_equal(hp_redirects__moved(&before, &now),
			    "the livepatch was loaded again while it was observed");
}

static void loaded_meanwhile(void **state)
{
	const struct hp_target before = { .new_addr = 0xffffffffc0200000, .new_load = 7002 };
	struct hp_target now = before;

	assert_null(hp_redirects__moved(&before, &now));
	now.old_addr = 0xffffffffc0100000;
	now.old_load = 7003;
	assert_string_equal(hp_redirects__moved(&before, &now),
			    "its module was loaded while it was observed");
	/* Unloaded: there is no redirect any more, which is another verdict. */
	assert_non_null(hp_redirects__moved(&now, &before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moved),
		cmocka_unit_test(loaded_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
