// SPDX-License-Identifier: GPL-2.0
/* What explains a refusal: facts from a faked host, and the cause that follows from them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "base/bpf_util.h"
#include "base/cleanup.h"
#include "host/abilities.h"
#include "host/cause.h"
#include "host/try.h"

#define BIT(n) (1ull << (n))
#define ALL    UINT64_MAX

/* A host in a folder of its own, removed at the end. */
struct host {
	char root[64];
};

static int setup(void **state)
{
	static struct host host;

	snprintf(host.root, sizeof(host.root), "/tmp/hotproof-unit.XXXXXX");
	assert_non_null(mkdtemp(host.root));
	*state = &host;
	return 0;
}

static int teardown(void **state)
{
	const struct host *host = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf -- '%s'", host->root);
	return system(command);
}

static void put(const struct host *host, const char *path, const char *text)
{
	_cleanup_file_ FILE *f = NULL;
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", host->root, path);
	for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(full, 0755))
			assert_int_equal(errno, EEXIST);
		*slash = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
}

static void put_user_namespace(const struct host *host, const char *link)
{
	char full[PATH_MAX];

	put(host, "/proc/self/ns/x", "");
	snprintf(full, sizeof(full), "%s/proc/self/ns/user", host->root);
	assert_return_code(symlink(link, full), errno);
}

static void test_facts_of_an_empty_host(void **state)
{
	const struct host *host = *state;
	struct hp_facts facts;

	hp_facts__read(&facts, host->root);
	assert_int_equal(facts.capabilities, 0);
	assert_int_equal(facts.lockdown, HP_LOCKDOWN_UNKNOWN);
	assert_int_equal(facts.kptr_restrict, HP_FACT_UNKNOWN);
	assert_int_equal(facts.sig_enforce, HP_FACT_UNKNOWN);
	assert_int_equal(facts.ftrace_enabled, HP_FACT_UNKNOWN);
	assert_false(facts.user_namespace);
	assert_null(facts.config);
	assert_int_equal(hp_kconfig__get(facts.config, "CONFIG_BPF"), HP_KCONFIG_UNKNOWN);
	hp_facts__release(&facts);
}

static void test_facts_of_a_host(void **state)
{
	const struct host *host = *state;
	struct hp_facts facts;
	struct utsname uts;
	char path[256];

	put(host, "/proc/self/status",
	    "Name:\tx\nCapPrm:\tffffffffffffffff\n"
	    "CapEff:\t0000008000000000\nSeccomp:\t2\n");
	put(host, "/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	put(host, "/sys/kernel/security/lsm", "lockdown,capability,yama");
	put(host, "/proc/cmdline", "quiet lockdown=confidentiality lsm=lockdown,yama\n");
	put(host, "/proc/sys/kernel/kptr_restrict", "2\n");
	put(host, "/proc/sys/kernel/perf_event_paranoid", "-1\n");
	put(host, "/sys/module/module/parameters/sig_enforce", "Y\n");
	put(host, "/proc/sys/kernel/ftrace_enabled", "rubbish\n");
	put_user_namespace(host, "user:[4026532001]");
	uname(&uts);
	snprintf(path, sizeof(path), "/boot/config-%s", uts.release);
	put(host, path,
	    "CONFIG_BPF=y\n# CONFIG_LIVEPATCH is not set\nCONFIG_VETH=m\nCONFIG_BPF_JIT_X=y");

	hp_facts__read(&facts, host->root);
	assert_int_equal(facts.capabilities, BIT(CAP_BPF));
	assert_int_equal(facts.seccomp, 2);
	assert_int_equal(facts.lockdown, HP_LOCKDOWN_CONFIDENTIALITY);
	assert_int_equal(facts.kptr_restrict, 2);
	assert_int_equal(facts.perf_event_paranoid, -1);
	assert_int_equal(facts.sig_enforce, 1);
	assert_int_equal(facts.ftrace_enabled, HP_FACT_UNKNOWN);
	assert_true(facts.user_namespace);
	assert_int_equal(hp_kconfig__get(facts.config, "CONFIG_BPF"), HP_KCONFIG_ON);
	assert_int_equal(hp_kconfig__get(facts.config, "CONFIG_VETH"), HP_KCONFIG_ON);
	assert_int_equal(hp_kconfig__get(facts.config, "CONFIG_LIVEPATCH"), HP_KCONFIG_OFF);
	/* The beginning of another option's name is not that option. */
	assert_int_equal(hp_kconfig__get(facts.config, "CONFIG_BPF_JIT"), HP_KCONFIG_OFF);
	assert_true(hp_facts__boot_parameter(&facts, "quiet", NULL));
	assert_true(hp_facts__boot_parameter(&facts, "lockdown", "confidentiality"));
	assert_true(hp_facts__boot_parameter(&facts, "lsm", "yama"));
	assert_false(hp_facts__boot_parameter(&facts, "lsm", "lock"));
	assert_false(hp_facts__boot_parameter(&facts, "lock", NULL));
	hp_facts__release(&facts);
}

static void test_config_may_be_compressed(void **state)
{
	const struct host *host = *state;
	struct hp_facts facts;
	char command[256];

	put(host, "/proc/config", "CONFIG_LIVEPATCH=y\n");
	snprintf(command, sizeof(command), "gzip '%s/proc/config'", host->root);
	assert_int_equal(system(command), 0);
	hp_facts__read(&facts, host->root);
	assert_int_equal(hp_kconfig__get(facts.config, "CONFIG_LIVEPATCH"), HP_KCONFIG_ON);
	assert_int_equal(hp_kconfig__get(facts.config, "CONFIG_OTHER"), HP_KCONFIG_OFF);
	hp_facts__release(&facts);
}

static void test_initial_user_namespace(void **state)
{
	const struct host *host = *state;
	struct hp_facts facts;

	put_user_namespace(host, "user:[4026531837]");
	hp_facts__read(&facts, host->root);
	assert_false(facts.user_namespace);
	hp_facts__release(&facts);
}

static void test_without_the_lockdown_module_nothing_is_locked(void **state)
{
	const struct host *host = *state;
	struct hp_facts facts;

	put(host, "/sys/kernel/security/lsm", "capability,yama");
	hp_facts__read(&facts, host->root);
	assert_int_equal(facts.lockdown, HP_LOCKDOWN_NONE);
	hp_facts__release(&facts);
}

/* A host on which nothing stands in the way. */
static struct hp_facts free_host(void)
{
	struct hp_facts facts = {
		.capabilities = ALL,
		.lockdown = HP_LOCKDOWN_NONE,
		.lsm = "lockdown,capability,bpf",
		.perf_event_paranoid = 2,
		.ftrace_enabled = 1,
		.bpf_jit_enable = 1,
	};

	return facts;
}

static struct hp_finding find(enum hp_feature_id id, const struct hp_facts *facts, int ret,
			      const char *log)
{
	struct hp_finding found = { .step = HP_STEP_LOAD };

	snprintf(found.log, sizeof(found.log), "%s", log);
	hp_cause__find(hp_feature__row(id), facts, ret, &found);
	return found;
}

static void check_cause(struct hp_finding found, enum hp_feature_state state, enum hp_reason cause,
			const char *why)
{
	assert_int_equal(found.state, state);
	assert_string_equal(hp_reason_code(found.cause), hp_reason_code(cause));
	if (!strstr(found.why, why))
		fail_msg("'%s' is not in '%s'", why, found.why);
	assert_true(found.fix[0]);
}

static void test_missing_capabilities_are_named(void **state)
{
	struct hp_facts facts = free_host();
	struct hp_finding found;

	facts.capabilities = BIT(CAP_BPF);
	found = find(HP_FEATURE_FENTRY, &facts, -EPERM, "");
	check_cause(found, HP_STATE_REFUSED, HP_E_CAPABILITY, "CAP_PERFMON");
	assert_null(strstr(found.why, "CAP_BPF")); /* that one is held */
	assert_int_equal(found.err, -EPERM);
	/* CAP_SYS_ADMIN stands in for both, so that something else refused it. */
	facts.capabilities = BIT(CAP_SYS_ADMIN);
	check_cause(find(HP_FEATURE_FENTRY, &facts, -EPERM, ""), HP_STATE_REFUSED, HP_E_REFUSED,
		    "security modules: lockdown,capability,bpf");
	/* But not for these. */
	check_cause(find(HP_FEATURE_MODULE_LOAD, &facts, -EPERM, ""), HP_STATE_REFUSED,
		    HP_E_CAPABILITY, "CAP_SYS_MODULE");
}

static void test_a_user_namespace_is_blamed_when_capabilities_seem_held(void **state)
{
	struct hp_facts facts = free_host();

	facts.user_namespace = true;
	check_cause(find(HP_FEATURE_FENTRY, &facts, -EPERM, ""), HP_STATE_REFUSED,
		    HP_E_USER_NAMESPACE, "user namespace");
}

static void test_seccomp_is_blamed_when_nothing_else_can_be(void **state)
{
	struct hp_facts facts = free_host();

	facts.seccomp = 2;
	check_cause(find(HP_FEATURE_BPF, &facts, -EPERM, ""), HP_STATE_REFUSED, HP_E_SECCOMP,
		    "seccomp");
	facts.capabilities = 0;
	check_cause(find(HP_FEATURE_BPF, &facts, -EPERM, ""), HP_STATE_REFUSED, HP_E_CAPABILITY,
		    "CAP_BPF");
}

static void test_lockdown_is_blamed_only_for_what_it_forbids(void **state)
{
	const char *log = "unknown func bpf_probe_read_kernel#113";
	struct hp_facts facts = free_host();
	struct hp_finding found;

	facts.lockdown = HP_LOCKDOWN_CONFIDENTIALITY;
	check_cause(find(HP_FEATURE_KPROBE, &facts, -EPERM, ""), HP_STATE_REFUSED, HP_E_LOCKDOWN,
		    "lockdown mode confidentiality");
	check_cause(find(HP_FEATURE_READ_KERNEL, &facts, -EINVAL, log), HP_STATE_REFUSED,
		    HP_E_LOCKDOWN, "lockdown mode confidentiality");
	/* EINVAL for another reason is no refusal. */
	check_cause(find(HP_FEATURE_READ_KERNEL, &facts, -EINVAL, "R1 type=inv"), HP_STATE_MISSING,
		    HP_E_MISSING, "");
	facts.lockdown = HP_LOCKDOWN_INTEGRITY;
	check_cause(find(HP_FEATURE_KPROBE, &facts, -EPERM, ""), HP_STATE_REFUSED, HP_E_REFUSED,
		    "lockdown: integrity");
	/* fentry is allowed in every mode: a kernel that refuses it has a policy of its own. */
	facts.lockdown = HP_LOCKDOWN_CONFIDENTIALITY;
	check_cause(find(HP_FEATURE_FENTRY, &facts, -EPERM, ""), HP_STATE_REFUSED, HP_E_REFUSED,
		    "a policy of this kernel");

	/* The way out depends on where the mode came from. */
	strcpy(facts.cmdline, "lockdown=confidentiality");
	found = find(HP_FEATURE_KPROBE, &facts, -EPERM, "");
	assert_string_equal(found.fix, "boot without lockdown=confidentiality");
	facts.cmdline[0] = '\0';
	found = find(HP_FEATURE_KPROBE, &facts, -EPERM, "");
	assert_non_null(strstr(found.fix, "Secure Boot"));
}

static void test_perf_event_paranoid_asks_for_more(void **state)
{
	struct hp_facts facts = free_host();

	facts.capabilities = BIT(CAP_BPF) | BIT(CAP_PERFMON);
	facts.perf_event_paranoid = 3;
	check_cause(find(HP_FEATURE_KPROBE, &facts, -EACCES, ""), HP_STATE_REFUSED, HP_E_SYSCTL,
		    "kernel.perf_event_paranoid is 3");
	check_cause(find(HP_FEATURE_FENTRY, &facts, -EACCES, ""), HP_STATE_REFUSED, HP_E_REFUSED,
		    "");
}

static void test_a_kernel_option_is_named(void **state)
{
	struct hp_facts facts = free_host();
	const struct host *host = *state;

	check_cause(find(HP_FEATURE_LIVEPATCH, &facts, -ENOENT, ""), HP_STATE_MISSING, HP_E_MISSING,
		    "CONFIG_LIVEPATCH (its configuration cannot be read)");
	put(host, "/proc/config.gz", "CONFIG_KPROBES=y\nCONFIG_PERF_EVENTS=y\n");
	assert_int_equal(hp_kconfig__open(&facts.config, host->root), 0);
	check_cause(find(HP_FEATURE_LIVEPATCH, &facts, -ENOENT, ""), HP_STATE_MISSING,
		    HP_E_KERNEL_OPTION, "without CONFIG_LIVEPATCH");
	/* The first one that is off, of several. */
	check_cause(find(HP_FEATURE_KPROBE, &facts, -ENOENT, ""), HP_STATE_MISSING,
		    HP_E_KERNEL_OPTION, "without CONFIG_KPROBE_EVENTS");
	hp_facts__release(&facts);
}

static void test_silence_of_lsm_is_explained_by_lsm(void **state)
{
	struct hp_facts facts = free_host();

	strcpy(facts.lsm, "lockdown,yama,bpfx");
	check_cause(find(HP_FEATURE_LSM, &facts, HP_TRY_SILENT, ""), HP_STATE_REFUSED,
		    HP_E_BOOT_PARAMETER, "without bpf");
	strcpy(facts.lsm, "bpf,lockdown");
	check_cause(find(HP_FEATURE_LSM, &facts, HP_TRY_SILENT, ""), HP_STATE_REFUSED, HP_E_REFUSED,
		    "nothing came of it");
}

static void test_what_cannot_be_tried_is_unknown(void **state)
{
	struct hp_facts facts = free_host();
	struct hp_finding found = { .why = "no module is loaded" };

	hp_cause__find(hp_feature__row(HP_FEATURE_MODULE_BTF), &facts, HP_TRY_UNTRIED, &found);
	check_cause(found, HP_STATE_UNKNOWN, HP_E_UNTRIED, "no module is loaded");
	assert_int_equal(found.err, 0);
}

static void test_ftrace_features_are_not_tried_where_that_breaks_ftrace(void **state)
{
	static const enum hp_feature_id barred[] = {
		HP_FEATURE_FENTRY, HP_FEATURE_FEXIT,  HP_FEATURE_FMOD_RET,
		HP_FEATURE_LSM,	   HP_FEATURE_KPROBE, HP_FEATURE_KRETPROBE,
	};
	struct hp_facts facts = free_host();

	for (size_t i = 0; i < sizeof(barred) / sizeof(barred[0]); i++) {
		const struct hp_feature *feature = hp_feature__row(barred[i]);
		struct hp_finding found = { 0 };

		facts.ftrace_enabled = 1;
		facts.ftrace_down = 0;
		assert_false(hp_cause__bars(feature, &facts, &found));
		facts.ftrace_enabled = 0;
		assert_true(hp_cause__bars(feature, &facts, &found));
		check_cause(found, HP_STATE_REFUSED, HP_E_SYSCTL, "kernel.ftrace_enabled is 0");
		facts.ftrace_enabled = 1;
		facts.ftrace_down = 1;
		assert_true(hp_cause__bars(feature, &facts, &found));
		check_cause(found, HP_STATE_REFUSED, HP_E_FTRACE_DOWN, "shut itself down");
		/* Where neither can be read, it is tried. */
		facts.ftrace_enabled = facts.ftrace_down = HP_FACT_UNKNOWN;
		assert_false(hp_cause__bars(feature, &facts, &found));
	}
	facts.ftrace_enabled = 0;
	assert_false(hp_cause__bars(hp_feature__row(HP_FEATURE_UPROBE), &facts,
				    &(struct hp_finding){ 0 }));
}

static void test_hidden_addresses(void **state)
{
	struct hp_facts facts = free_host();
	struct hp_finding found = { 0 };

	facts.kptr_restrict = 2;
	hp_cause__blame_kallsyms(&facts, &found);
	assert_int_equal(found.cause, HP_E_SYSCTL);
	facts.kptr_restrict = 1;
	facts.capabilities = ALL & ~BIT(CAP_SYSLOG);
	hp_cause__blame_kallsyms(&facts, &found);
	assert_int_equal(found.cause, HP_E_CAPABILITY);
}

/* Whatever was left out of the table would be found here. */
static void test_the_table_is_complete(void **state)
{
	for (int id = 0; id < HP_FEATURES; id++) {
		const struct hp_feature *feature = hp_feature__row(id);

		assert_non_null(feature->name);
		assert_non_null(feature->purpose);
		assert_non_null(feature->lost);
		assert_non_null(feature->try);
		assert_int_equal(hp_feature__find(feature->name), id);
		/* A name of --require means one thing. */
		assert_null(hp_ability__find(feature->name));
	}
	assert_int_equal(hp_feature__find("no such feature"), -ENOENT);
}

/* All features known, and all but @missing available: nothing is tried. */
static struct hp_features *pretend(enum hp_feature_id missing, enum hp_feature_id missing_too)
{
	struct hp_features *features = test_calloc(1, sizeof(*features));

	for (int id = 0; id < HP_FEATURES; id++) {
		features->known[id] = true;
		if (id != (int)missing && id != (int)missing_too)
			continue;
		features->found[id].state = HP_STATE_REFUSED;
		hp_cause__blame(&features->found[id], HP_E_LOCKDOWN, NULL, "pretended");
	}
	return features;
}

static void check_ability(const char *name, enum hp_feature_id missing,
			  enum hp_feature_id missing_too, enum hp_ability_state wanted)
{
	const struct hp_ability *ability = hp_ability__find(name);
	struct hp_features *features = pretend(missing, missing_too);
	struct hp_outcome outcome;
	struct hp_error err = { 0 };
	char what[64];
	int ret;

	assert_non_null(ability);
	hp_ability__judge(ability, features, &outcome);
	assert_string_equal(hp_ability_state_name(outcome.state), hp_ability_state_name(wanted));
	ret = hp_ability__require(ability, features, &err);
	if (wanted == HP_ABILITY_NOT_HERE) {
		assert_int_equal(ret, -EPERM);
		assert_int_equal(err.reason, HP_E_LOCKDOWN);
		hp_need__describe(outcome.blocked_by[0], what, sizeof(what));
		assert_non_null(strstr(err.message, what));
	} else {
		assert_int_equal(ret, 0);
		assert_int_equal(err.reason, HP_E_NONE);
	}
	test_free(features);
}

static void test_verbs_follow_from_features(void **state)
{
	check_ability("verify", HP_FEATURES, HP_FEATURES, HP_ABILITY_WORKS);
	check_ability("verify", HP_FEATURE_LIVEPATCH, HP_FEATURES, HP_ABILITY_NOT_HERE);
	/* Either of these will do, but not neither. */
	check_ability("verify", HP_FEATURE_FENTRY, HP_FEATURES, HP_ABILITY_LIMITED);
	check_ability("verify", HP_FEATURE_KPROBE, HP_FEATURES, HP_ABILITY_LIMITED);
	check_ability("verify", HP_FEATURE_FENTRY, HP_FEATURE_KPROBE, HP_ABILITY_NOT_HERE);
	check_ability("inspect", HP_FEATURE_LIVEPATCH, HP_FEATURE_BPF, HP_ABILITY_WORKS);
	check_ability("klp", HP_FEATURE_MODULE_LOAD, HP_FEATURES, HP_ABILITY_NOT_HERE);
	check_ability("klp", HP_FEATURE_UNSIGNED_MODULES, HP_FEATURES, HP_ABILITY_LIMITED);
}

static void test_log_tail(void **state)
{
	char out[64];

	hp_bpf__log_tail("", out, sizeof(out));
	assert_string_equal(out, "");
	hp_bpf__log_tail("one\n", out, sizeof(out));
	assert_string_equal(out, "one");
	hp_bpf__log_tail("0: (b7) r0 = 0\nR1 !read_ok\nprocessed 3 insns (limit 1)\n", out,
			 sizeof(out));
	assert_string_equal(out, "0: (b7) r0 = 0\nR1 !read_ok");
	hp_bpf__log_tail("a\nb\nc\nd\ne\nf\ng\nh\n", out, sizeof(out));
	assert_string_equal(out, "c\nd\ne\nf\ng\nh");
	/* Whole lines, as many as fit. */
	hp_bpf__log_tail("first\nsecond\nthird", out, 14);
	assert_string_equal(out, "second\nthird");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_facts_of_an_empty_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_facts_of_a_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_config_may_be_compressed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_initial_user_namespace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_the_lockdown_module_nothing_is_locked,
						setup, teardown),
		cmocka_unit_test(test_missing_capabilities_are_named),
		cmocka_unit_test(test_a_user_namespace_is_blamed_when_capabilities_seem_held),
		cmocka_unit_test(test_seccomp_is_blamed_when_nothing_else_can_be),
		cmocka_unit_test(test_lockdown_is_blamed_only_for_what_it_forbids),
		cmocka_unit_test(test_perf_event_paranoid_asks_for_more),
		cmocka_unit_test_setup_teardown(test_a_kernel_option_is_named, setup, teardown),
		cmocka_unit_test(test_silence_of_lsm_is_explained_by_lsm),
		cmocka_unit_test(test_what_cannot_be_tried_is_unknown),
		cmocka_unit_test(test_ftrace_features_are_not_tried_where_that_breaks_ftrace),
		cmocka_unit_test(test_hidden_addresses),
		cmocka_unit_test(test_the_table_is_complete),
		cmocka_unit_test(test_verbs_follow_from_features),
		cmocka_unit_test(test_log_tail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
