// SPDX-License-Identifier: GPL-2.0
/*
 * Does a hotfix fit a host: asked of hosts that are made here, a folder with the few files of
 * /proc, /sys and /lib/modules that count. Each test changes one thing of a host where the hotfix
 * is eligible, and wants just that as the reason. And the reports of what was found.
 */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hotfix/eligibility.h"
#include "report.h"
#include "report/inspect.h"

#define FIXTURES  "build/fixtures/"
#define PATH_SIZE (PATH_MAX / 2)

/* A host and a hotfix to try on it. */
struct trial {
	char root[64];
	char release[65];
	struct hp_klp_module *mod;
	struct hp_eligibility *fit;
};

__attribute__((format(printf, 3, 4))) static void put(const struct trial *t, const char *text,
						      const char *format, ...)
{
	char path[PATH_MAX], *slash;
	va_list ap;
	FILE *file;
	int len = snprintf(path, sizeof(path), "%s", t->root);

	va_start(ap, format);
	vsnprintf(path + len, sizeof(path) - (size_t)len, format, ap);
	va_end(ap);
	for (slash = path + len; (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* The symbols of a host where everything that the module needs is there, once. */
static void put_kallsyms(const struct trial *t, const char *more)
{
	struct memory text;
	uint64_t address = 0xffffffff81000000;
	char *all;

	open_memory(&text);
	fprintf(text.stream, "%016" PRIx64 " D jiffies\n", address);
	for (size_t i = 0; i < t->mod->import_count; i++)
		fprintf(text.stream, "%016" PRIx64 " T %s\n", address += 0x40, t->mod->imports[i]);
	for (size_t i = 0; i < t->mod->target_count; i++)
		if (!strcmp(t->mod->targets[i].object, "vmlinux"))
			fprintf(text.stream, "%016" PRIx64 " T %s\n", address += 0x40,
				t->mod->targets[i].symbol);
	for (size_t i = 0; i < t->mod->reverse_count; i++)
		if (!strcmp(t->mod->reverses[i].object, "vmlinux"))
			fprintf(text.stream, "%016" PRIx64 " T %s\n", address += 0x40,
				t->mod->reverses[i].symbol);
	fprintf(text.stream, "%016" PRIx64 " T _etext\n%s", address + 0x40, more);
	all = take_text(&text);
	put(t, all, "/proc/kallsyms");
	free(all);
}

static void begin(struct trial *t, const char *fixture)
{
	struct hp_error err = { 0 };
	char path[PATH_SIZE];

	*t = (struct trial){ .root = "/tmp/hotproof-test.XXXXXX" };
	assert_non_null(mkdtemp(t->root));
	snprintf(path, sizeof(path), FIXTURES "%s", fixture);
	if (hp_klp_module__open(&t->mod, path, &err))
		fail_msg("%s: %s", path, err.message);
	snprintf(t->release, sizeof(t->release), "%.*s", (int)strcspn(t->mod->vermagic, " "),
		 t->mod->vermagic);
	put(t, "", "/sys/kernel/livepatch/.keep");
	put(t, "0\n", "/proc/sys/kernel/modules_disabled");
	put(t, "N\n", "/sys/module/module/parameters/sig_enforce");
	put(t, "[none] integrity confidentiality\n", "/sys/kernel/security/lockdown");
	put_kallsyms(t, "");
}

static void check(struct trial *t)
{
	const struct hp_eligibility_host host = { .root = t->root, .release = t->release };
	struct hp_error err = { 0 };

	hp_eligibility__free(t->fit);
	t->fit = NULL;
	if (hp_eligibility__check(&t->fit, t->mod, &host, &err))
		fail_msg("%s", err.message);
	assert_int_equal(t->fit->target_count, t->mod->target_count);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static void end(struct trial *t)
{
	hp_eligibility__free(t->fit);
	hp_klp_module__close(t->mod);
	assert_int_equal(nftw(t->root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Exactly one refusal, for @reason, whose text holds @part; and apply would fail with it. */
static void assert_refused(struct trial *t, enum hp_reason reason, const char *part)
{
	struct hp_error err = { 0 };

	check(t);
	for (size_t i = 1; i < t->fit->refusal_count; i++)
		print_message("also refused: %s\n", t->fit->remarks[i].text);
	assert_int_equal(t->fit->refusal_count, 1);
	assert_string_equal(hp_reason_code(t->fit->remarks[0].reason), hp_reason_code(reason));
	assert_contains(t->fit->remarks[0].text, part);
	assert_true(hp_eligibility__require(t->fit, &err) < 0);
	assert_int_equal(err.reason, reason);
	assert_contains(err.message, part);
}

static void assert_eligible(struct trial *t)
{
	struct hp_error err = { 0 };

	check(t);
	if (hp_eligibility__require(t->fit, &err))
		fail_msg("%s", err.message);
}

/* Some note, not a refusal, holds @part. */
static void assert_noted(const struct trial *t, const char *part)
{
	for (size_t i = t->fit->refusal_count; i < t->fit->remark_count; i++)
		if (strstr(t->fit->remarks[i].text, part))
			return;
	fail_msg("no note with '%s'", part);
}

static int need_fixtures(void **state)
{
	if (!access(FIXTURES "hp_lp_objects.ko", R_OK))
		return 0;
	print_message("no fixtures in " FIXTURES ": run 'make fixtures' first\n");
	return -1;
}

static void test_eligible(void **state)
{
	struct trial t;

	begin(&t, "hp_lp_getpgid.ko");
	assert_eligible(&t);
	assert_int_equal(t.fit->remark_count, 0);
	assert_int_equal(t.fit->targets[0].state, HP_TARGET_FOUND);
	assert_int_equal(t.fit->targets[0].matches, 1);
	assert_true(t.fit->targets[0].address > 0xffffffff81000000);
	assert_false(t.fit->addresses_hidden);
	assert_false(t.fit->traceable_known);
	assert_string_equal(t.fit->release, t.release);
	end(&t);
}

/* Without privilege all addresses read as 0; the counts stay. */
static void test_hidden_addresses(void **state)
{
	_cleanup_file_ FILE *file = NULL;
	char path[PATH_SIZE], line[256];
	struct memory text;
	struct trial t;
	char *hidden;

	begin(&t, "hp_lp_getpgid.ko");
	snprintf(path, sizeof(path), "%s/proc/kallsyms", t.root);
	file = fopen(path, "re");
	assert_non_null(file);
	open_memory(&text);
	while (fgets(line, sizeof(line), file))
		fprintf(text.stream, "0000000000000000%s", line + 16);
	hidden = take_text(&text);
	put(&t, hidden, "/proc/kallsyms");
	free(hidden);
	assert_eligible(&t);
	assert_true(t.fit->addresses_hidden);
	assert_int_equal(t.fit->targets[0].state, HP_TARGET_FOUND);
	assert_int_equal(t.fit->targets[0].address, 0);
	end(&t);
}

static void test_other_release(void **state)
{
	struct trial t;

	begin(&t, "hp_lp_getpgid.ko");
	snprintf(t.release, sizeof(t.release), "6.1.0-9999-amd64");
	assert_refused(&t, HP_E_MODULE_VERMAGIC, "this is 6.1.0-9999-amd64");
	/* A longer release that begins like the right one. */
	snprintf(t.release, sizeof(t.release), "%.*s+", (int)strcspn(t.mod->vermagic, " "),
		 t.mod->vermagic);
	assert_refused(&t, HP_E_MODULE_VERMAGIC, "this is ");
	end(&t);
}

/* The kernel's own modules tell what else it will compare. */
static void test_other_configuration(void **state)
{
	char wrong[PATH_MAX], right[PATH_MAX], link[PATH_MAX];
	struct trial t;

	begin(&t, "hp_lp_getpgid.ko");
	assert_non_null(realpath(FIXTURES "hp_lp_wrong_vermagic.ko", wrong));
	assert_non_null(realpath(FIXTURES "hp_fixture_mod.ko", right));
	put(&t, "kernel/a.ko: kernel/b.ko\n", "/lib/modules/%s/modules.dep", t.release);
	put(&t, "", "/lib/modules/%s/kernel/a.ko", t.release);
	assert_eligible(&t); /* not a module: nothing to compare with */

	snprintf(link, sizeof(link), "%s/lib/modules/%s/kernel/a.ko", t.root, t.release);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink(right, link), 0);
	assert_eligible(&t);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink(wrong, link), 0);
	assert_refused(&t, HP_E_MODULE_VERMAGIC, "configured otherwise");
	end(&t);
}

static void test_target_missing(void **state)
{
	struct trial t;

	begin(&t, "hp_lp_missing.ko");
	assert_eligible(&t); /* on a host that has it */
	put(&t,
	    "ffffffff81000000 T klp_enable_patch\nffffffff81000040 T __fentry__\n"
	    "ffffffff81000080 T __x86_return_thunk\nffffffff810000c0 t other\n",
	    "/proc/kallsyms");
	assert_refused(&t, HP_E_KLP_NO_SYMBOL, "vmlinux has no function hp_no_such_function");
	assert_int_equal(t.fit->targets[0].state, HP_TARGET_MISSING);
	end(&t);
}

static void test_target_ambiguous(void **state)
{
	struct trial t;

	begin(&t, "hp_lp_getpgid.ko");
	put_kallsyms(&t, "ffffffff82000000 t __x64_sys_getpgid\n");
	assert_refused(&t, HP_E_KLP_AMBIGUOUS, "2 functions named __x64_sys_getpgid");
	assert_int_equal(t.fit->targets[0].state, HP_TARGET_AMBIGUOUS);
	assert_int_equal(t.fit->targets[0].matches, 2);
	/* The same name in a module is another function. */
	put_kallsyms(&t, "ffffffffc0000000 t __x64_sys_getpgid\t[other]\n");
	assert_eligible(&t);
	end(&t);
}

static void test_sympos(void **state)
{
	struct trial t;

	begin(&t, "hp_lp_sympos.ko"); /* the third flags_show(); the host has one so far */
	assert_refused(&t, HP_E_KLP_NO_SYMBOL, "the 3. is meant");
	put_kallsyms(&t, "ffffffff82000000 t flags_show\nffffffff82000100 t flags_show\n"
			 "ffffffff82000200 t flags_show\n");
	assert_eligible(&t);
	assert_int_equal(t.fit->targets[0].matches, 4);
	assert_int_equal(t.fit->targets[0].address, 0xffffffff82000100);
	end(&t);
}

static void test_module_object(void **state)
{
	static const char symbols[] = "ffffffffc0000000 t hp_fixture_target\t[hp_fixture_mod]\n"
				      "ffffffffc0001000 b hp_fixture_count\t[hp_fixture_mod]\n";
	struct trial t;

	begin(&t, "hp_lp_mod.ko");
	assert_eligible(&t);
	assert_int_equal(t.fit->targets[0].state, HP_TARGET_NOT_LOADED);
	assert_noted(&t, "hp_fixture_mod is not loaded");

	put(&t, "live\n", "/sys/module/hp_fixture_mod/initstate");
	put_kallsyms(&t, symbols);
	assert_eligible(&t);
	assert_int_equal(t.fit->remark_count, 0);
	assert_int_equal(t.fit->targets[0].address, 0xffffffffc0000000);

	/* The module is another version: the function is there, the variable is not. */
	put_kallsyms(&t, "ffffffffc0000000 t hp_fixture_target\t[hp_fixture_mod]\n");
	assert_refused(&t, HP_E_KLP_NO_SYMBOL, "hp_fixture_count of hp_fixture_mod");
	end(&t);
}

/* Fifty targets in one module that is not loaded are one remark. */
static void test_many_not_loaded(void **state)
{
	struct trial t;

	begin(&t, "hp_lp_many50.ko");
	assert_eligible(&t);
	assert_int_equal(t.fit->remark_count, 1);
	assert_noted(&t, "hp_fixture_mod is not loaded: 50 functions");
	put(&t, "1\n", "/sys/kernel/livepatch/other/enabled");
	put(&t, "", "/sys/kernel/livepatch/other/hp_fixture_mod/hp_fixture_target_03,1/.keep");
	put(&t, "", "/sys/kernel/livepatch/other/hp_fixture_mod/hp_fixture_target_07,1/.keep");
	assert_eligible(&t);
	assert_int_equal(t.fit->remark_count, 2);
	assert_noted(&t, "other replaces hp_fixture_target_03 and 1 more target already");
	end(&t);
}

static void test_missing_import(void **state)
{
	struct trial t;

	begin(&t, "hp_lp_getpgid.ko");
	put(&t,
	    "ffffffff81000000 D jiffies\nffffffff81000040 T klp_enable_patch\n"
	    "ffffffff81000080 T __fentry__\nffffffff810000c0 T __x86_return_thunk\n"
	    "ffffffff81000100 T __x64_sys_getpgid\nffffffff81000140 T security_task_getpgid\n"
	    "ffffffff81000180 T find_vpid\nffffffff810001c0 T pid_vnr\n"
	    "ffffffff81000200 T __rcu_read_lock\nffffffff81000240 T __rcu_read_unlock\n"
	    "ffffffff81000280 A current_task\nffffffff810002c0 A pcpu_hot\n",
	    "/proc/kallsyms");
	assert_refused(&t, HP_E_MODULE_SYMBOL, "it needs the symbol pid_task");
	end(&t);
}

static void test_loaded_already(void **state)
{
	struct trial t;

	begin(&t, "hp_lp_getpgid.ko");
	put(&t, "live\n", "/sys/module/hp_lp_getpgid/initstate");
	assert_refused(&t, HP_E_MODULE_EXISTS, "hp_lp_getpgid");
	end(&t);
}

static void test_signature_enforced(void **state)
{
	struct trial t;

	begin(&t, "hp_lp_getpgid.ko");
	put(&t, "Y\n", "/sys/module/module/parameters/sig_enforce");
	assert_refused(&t, HP_E_MODULE_SIGNATURE, "module.sig_enforce");
	put(&t, "none [integrity] confidentiality\n", "/sys/kernel/security/lockdown");
	assert_refused(&t, HP_E_MODULE_LOCKDOWN, "lockdown=integrity");
	/* Signed: the kernel will say. */
	t.mod->signature.present = true;
	snprintf(t.mod->signature.signer, sizeof(t.mod->signature.signer), "somebody");
	assert_eligible(&t);
	assert_noted(&t, "somebody");
	end(&t);
}

static void test_modules_disabled(void **state)
{
	struct trial t;

	begin(&t, "hp_lp_getpgid.ko");
	put(&t, "1\n", "/proc/sys/kernel/modules_disabled");
	assert_refused(&t, HP_E_MODULE_DISABLED, "switched off");
	end(&t);
}

static void test_not_traceable(void **state)
{
	struct trial t;

	begin(&t, "hp_lp_getpgid.ko");
	put(&t, "__x64_sys_getpgid2\n__x64_sys_getpgid [other]\nschedule\n",
	    "/sys/kernel/tracing/available_filter_functions");
	assert_refused(&t, HP_E_KLP_NOT_TRACED, "__x64_sys_getpgid of vmlinux");
	assert_true(t.fit->traceable_known);
	put(&t, "schedule\n__x64_sys_getpgid\n", "/sys/kernel/tracing/available_filter_functions");
	assert_eligible(&t);
	assert_false(t.fit->targets[0].untraceable);
	end(&t);
}

static void test_other_livepatches(void **state)
{
	struct trial t;

	begin(&t, "hp_lp_getpgid.ko");
	put(&t, "1\n", "/sys/kernel/livepatch/other/enabled");
	put(&t, "0\n", "/sys/kernel/livepatch/other/transition");
	put(&t, "", "/sys/kernel/livepatch/other/vmlinux/__x64_sys_getpgid,1/.keep");
	assert_eligible(&t);
	assert_string_equal(t.fit->targets[0].stacked_on, "other");
	assert_noted(&t, "on top");

	put(&t, "1\n", "/sys/kernel/livepatch/other/transition");
	assert_refused(&t, HP_E_KLP_BUSY, "other");
	put(&t, "0\n", "/sys/kernel/livepatch/other/enabled");
	put(&t, "0\n", "/sys/kernel/livepatch/other/transition");
	assert_eligible(&t);
	assert_string_equal(t.fit->targets[0].stacked_on, "");
	end(&t);
}

static void test_atomic_replace(void **state)
{
	struct trial t;

	begin(&t, "hp_lp_getpgid_replace.ko");
	put(&t, "1\n", "/sys/kernel/livepatch/other/enabled");
	assert_eligible(&t);
	assert_noted(&t, "will replace the livepatch other");
	end(&t);
}

/* Refusals come first, the first one decides, and the others are told with -v. */
static void test_several_refusals(void **state)
{
	struct hp_error err = { 0 };
	struct trial t;

	begin(&t, "hp_lp_getpgid.ko");
	snprintf(t.release, sizeof(t.release), "0.0");
	put(&t, "1\n", "/proc/sys/kernel/modules_disabled");
	put(&t, "1\n", "/sys/kernel/livepatch/other/enabled");
	put(&t, "", "/sys/kernel/livepatch/other/vmlinux/__x64_sys_getpgid,1/.keep");
	put(&t, "Y\n", "/sys/module/module/parameters/sig_enforce");
	check(&t);
	assert_int_equal(t.fit->refusal_count, 3);
	assert_int_equal(t.fit->remark_count, 4);
	assert_int_equal(t.fit->remarks[3].reason, HP_E_NONE);
	assert_true(hp_eligibility__require(t.fit, &err) < 0);
	assert_int_equal(err.reason, HP_E_MODULE_VERMAGIC);
	assert_contains(err.detail, "switched off");
	assert_contains(err.detail, "sig_enforce");
	end(&t);
}

static void test_reports(void **state)
{
	static const char *const fixtures[] = { "hp_lp_getpgid.ko", "hp_lp_objects.ko",
						"hp_lp_kpatch.ko", "btf/hp_lp_sympos.ko" };

	for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
		struct hp_inspect_report report;
		struct memory memory;
		struct trial t;
		char *text;

		begin(&t, fixtures[i]);
		put(&t, "", "/sys/kernel/tracing/available_filter_functions");
		check(&t);
		report = (struct hp_inspect_report){ t.mod, t.fit };
		assert_valid("inspect", hp_inspect_report__json(&report));

		t.mod->signature = (struct hp_module_signature){
			.present = true, .signer = "\033[31m\xff", .key_id = "12", .hash = "sha256"
		};
		open_memory(&memory);
		assert_int_equal(hp_inspect_report__print(&report, memory.stream, false, 1), 0);
		text = take_text(&memory);
		assert_contains(text, t.mod->name);
		assert_contains(text, t.mod->targets[0].symbol);
		assert_contains(text, "not eligible on this host");
		assert_contains(text, "not verified here");
		assert_lacks(text, "\033");
		free(text);
		assert_valid("inspect", hp_inspect_report__json(&report));
		end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eligible),
		cmocka_unit_test(test_hidden_addresses),
		cmocka_unit_test(test_other_release),
		cmocka_unit_test(test_other_configuration),
		cmocka_unit_test(test_target_missing),
		cmocka_unit_test(test_target_ambiguous),
		cmocka_unit_test(test_sympos),
		cmocka_unit_test(test_module_object),
		cmocka_unit_test(test_many_not_loaded),
		cmocka_unit_test(test_missing_import),
		cmocka_unit_test(test_loaded_already),
		cmocka_unit_test(test_signature_enforced),
		cmocka_unit_test(test_modules_disabled),
		cmocka_unit_test(test_not_traceable),
		cmocka_unit_test(test_other_livepatches),
		cmocka_unit_test(test_atomic_replace),
		cmocka_unit_test(test_several_refusals),
		cmocka_unit_test(test_reports),
	};

	return cmocka_run_group_tests_name("eligibility", tests, need_fixtures, NULL);
}
