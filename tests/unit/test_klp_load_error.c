// SPDX-License-Identifier: GPL-2.0
/* Each refusal of finit_module() has its own reason, exit status and the kernel's own words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engines/klp/load_error.h"

static struct hp_error explain(int ret, struct hp_load_facts facts)
{
	struct hp_error err = { 0 };

	if (!facts.log)
		facts.log = "";
	assert_int_equal(hp_load_error__explain("lp", ret, &facts, &err), ret);
	assert_non_null(strstr(err.message, "lp"));
	return err;
}

/* The kernel's log of the guest, as it was read there, and what it means. */
static void log_tells_the_cause(void **state)
{
	static const struct {
		int ret;
		const char *log;
		enum hp_reason reason;
		enum hp_exit status;
	} cases[] = {
		{ -ENOEXEC,
		  "lp: version magic '5.10.0-1-amd64 SMP mod_unload modversions ' should be "
		  "'6.1.0-56-amd64 SMP preempt mod_unload modversions '",
		  HP_E_MODULE_VERMAGIC, HP_EXIT_INELIGIBLE },
		{ -EINVAL, "lp: disagrees about version of symbol seq_printf", HP_E_MODULE_CRC,
		  HP_EXIT_INELIGIBLE },
		{ -EINVAL,
		  "livepatch: enabling patch 'lp'\n"
		  "livepatch: symbol 'hp_no_such_function' not found in symbol table",
		  HP_E_KLP_NO_SYMBOL, HP_EXIT_INELIGIBLE },
		{ -EINVAL, "livepatch: unresolvable ambiguity for symbol 'x' in object 'vmlinux'",
		  HP_E_KLP_AMBIGUOUS, HP_EXIT_INELIGIBLE },
		{ -EINVAL,
		  "livepatch: symbol position '7' for symbol 'x' in object 'vmlinux' not found",
		  HP_E_KLP_NO_SYMBOL, HP_EXIT_INELIGIBLE },
		{ -EINVAL, "livepatch: failed to find location for function 'x'",
		  HP_E_KLP_NOT_TRACED, HP_EXIT_INELIGIBLE },
		{ -EBUSY, "livepatch: failed to register ftrace handler for function 'x' (-16)",
		  HP_E_KLP_CONFLICT, HP_EXIT_INELIGIBLE },
		{ -EINVAL, "livepatch: module lp is not marked as a livepatch module",
		  HP_E_KLP_NO_LIVEPATCH, HP_EXIT_USAGE },
		{ -EINVAL,
		  "livepatch: Livepatch patch (lp) is not compatible with the already installed "
		  "livepatches.",
		  HP_E_KLP_INCOMPATIBLE, HP_EXIT_INELIGIBLE },
		{ -ENOENT, "lp: Unknown symbol no_such (err -2)", HP_E_MODULE_SYMBOL,
		  HP_EXIT_INELIGIBLE },
		{ -ENOEXEC, "Invalid ELF section header overflow", HP_E_MODULE_FORMAT,
		  HP_EXIT_USAGE },
		{ -ENOEXEC,
		  "module: x86/modules: Skipping invalid relocation target, existing value is "
		  "nonzero for type 4, loc 0, val 0",
		  HP_E_MODULE_FORMAT, HP_EXIT_USAGE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hp_error err = explain(cases[i].ret, (struct hp_load_facts){
								    .log = cases[i].log,
								    .log_readable = true,
								    .capable = true,
							    });
		const char *last = strrchr(cases[i].log, '\n');

		assert_string_equal(hp_reason_code(err.reason), hp_reason_code(cases[i].reason));
		assert_int_equal(hp_reason_exit(err.reason), cases[i].status);
		assert_non_null(strstr(err.message, last ? last + 1 : cases[i].log));
		assert_string_equal(err.detail, cases[i].log);
		assert_true(hp_load_error__knows(last ? last + 1 : cases[i].log));
	}
}

static void without_a_log_the_errno_tells(void **state)
{
	static const struct {
		int ret;
		enum hp_reason reason;
	} cases[] = {
		{ -EEXIST, HP_E_MODULE_EXISTS },
		{ -ENOEXEC, HP_E_MODULE_FORMAT },
		{ -ENOENT, HP_E_MODULE_SYMBOL },
		{ -EINVAL, HP_E_KLP_REFUSED },
		{ -EBUSY, HP_E_KLP_CONFLICT },
		{ -ENODEV, HP_E_KLP_FTRACE_DEAD },
		{ -ENOMEM, HP_E_NOMEM },
		{ -EKEYREJECTED, HP_E_MODULE_SIGNATURE },
		{ -ENOKEY, HP_E_MODULE_SIGNATURE },
		{ -EBADMSG, HP_E_MODULE_SIGNATURE },
		{ -EFBIG, HP_E_MODULE_LOAD },
		{ -ETXTBSY, HP_E_MODULE_LOAD },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hp_error err = explain(cases[i].ret, (struct hp_load_facts){ 0 });

		assert_string_equal(hp_reason_code(err.reason), hp_reason_code(cases[i].reason));
	}
	/* That the log was not seen must not read as if it had been empty. */
	assert_non_null(strstr(explain(-EINVAL, (struct hp_load_facts){ 0 }).message,
			       "log cannot be read"));
	assert_non_null(
		strstr(explain(-EINVAL, (struct hp_load_facts){ .log_readable = true }).message,
		       "said nothing"));
}

static void permission_has_three_causes(void **state)
{
	struct hp_load_facts facts = { .capable = true };

	assert_int_equal(explain(-EPERM, (struct hp_load_facts){ 0 }).reason,
			 HP_E_MODULE_CAPABILITY);
	facts.locked_down = true;
	assert_int_equal(explain(-EPERM, facts).reason, HP_E_MODULE_LOCKDOWN);
	assert_int_equal(explain(-EKEYREJECTED, facts).reason, HP_E_MODULE_LOCKDOWN);
	facts.modules_disabled = true;
	assert_int_equal(explain(-EPERM, facts).reason, HP_E_MODULE_DISABLED);
	facts = (struct hp_load_facts){ .modules_disabled = true };
	assert_int_equal(explain(-EPERM, facts).reason, HP_E_MODULE_DISABLED);
	assert_int_equal(hp_reason_exit(HP_E_MODULE_DISABLED), HP_EXIT_PRIVILEGE);
}

static void busy_is_another_transition_if_there_is_one(void **state)
{
	struct hp_load_facts facts = { .capable = true, .transition = true };

	assert_int_equal(explain(-EBUSY, facts).reason, HP_E_KLP_BUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_tells_the_cause),
		cmocka_unit_test(without_a_log_the_errno_tells),
		cmocka_unit_test(permission_has_three_causes),
		cmocka_unit_test(busy_is_another_transition_if_there_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
