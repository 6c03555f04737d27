// SPDX-License-Identifier: GPL-2.0
/* From an errno to what refused it and the way out: deduced from facts, without trying anything. */
#include "host/cause.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <sys/capability.h>

#include "host/try.h"

#define BIT(n) (1ull << (n))

void hp_cause__blame(struct hp_finding *found, enum hp_reason reason, const char *fix,
		     const char *fmt, ...)
{
	va_list ap;

	found->cause = reason;
	va_start(ap, fmt);
	vsnprintf(found->why, sizeof(found->why), fmt, ap);
	va_end(ap);
	snprintf(found->fix, sizeof(found->fix), "%s", fix ? fix : hp_reason_hint(reason));
}

void hp_cause__capabilities(uint64_t mask, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (int cap = 0; cap < 64; cap++) {
		char *name = mask & BIT(cap) ? cap_to_name(cap) : NULL;

		if (!name)
			continue;
		for (char *c = name; *c; c++)
			*c = (char)toupper((unsigned char)*c);
		if (len < size)
			len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? ", " : "",
						name);
		cap_free(name);
	}
}

uint64_t hp_cause__not_held(const struct hp_facts *facts, uint64_t mask, bool admin)
{
	/* bpf_capable() and perfmon_capable() in include/linux/capability.h: CAP_SYS_ADMIN will do. */
	if (admin && (facts->capabilities & BIT(CAP_SYS_ADMIN)))
		return 0;
	return mask & ~facts->capabilities;
}

void hp_cause__blame_lockdown(const struct hp_facts *facts, const char *what,
			      struct hp_finding *found)
{
	const char *mode = hp_lockdown_name(facts->lockdown);
	const char *option = facts->lockdown == HP_LOCKDOWN_INTEGRITY
				     ? "CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY"
				     : "CONFIG_LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY";
	char fix[256];

	if (hp_facts__boot_parameter(facts, "lockdown", mode))
		snprintf(fix, sizeof(fix), "boot without lockdown=%s", mode);
	else if (hp_kconfig__get(facts->config, option) == HP_KCONFIG_ON)
		snprintf(fix, sizeof(fix), "boot a kernel that was built without %s", option);
	else
		snprintf(fix, sizeof(fix),
			 "restart without what set the mode (Secure Boot, or a write to "
			 "/sys/kernel/security/lockdown)");
	hp_cause__blame(found, HP_E_LOCKDOWN, fix, "lockdown mode %s forbids %s", mode, what);
}

/* kallsyms_show_value() in kernel/ksyms_common.c (kernel/kallsyms.c before 6.4) */
void hp_cause__blame_kallsyms(const struct hp_facts *facts, struct hp_finding *found)
{
	if (facts->kptr_restrict >= 2)
		hp_cause__blame(found, HP_E_SYSCTL, "sysctl kernel.kptr_restrict=1",
				"kernel.kptr_restrict is %d: addresses are hidden from everyone",
				facts->kptr_restrict);
	else if (!(facts->capabilities & BIT(CAP_SYSLOG)))
		hp_cause__blame(found, HP_E_CAPABILITY,
				"run it as root, or with CAP_SYSLOG, or set kernel.kptr_restrict=0 "
				"and kernel.perf_event_paranoid=1",
				"not held: CAP_SYSLOG (kernel.kptr_restrict is %d, "
				"kernel.perf_event_paranoid %d)",
				facts->kptr_restrict, facts->perf_event_paranoid);
	else if (facts->user_namespace)
		hp_cause__blame(found, HP_E_USER_NAMESPACE, NULL,
				"CAP_SYSLOG reaches no further than this user namespace");
}

static bool locked_down(const struct hp_feature *feature, const struct hp_facts *facts)
{
	return feature->lockdown != HP_LOCKDOWN_UNKNOWN && facts->lockdown >= feature->lockdown;
}

/*
 * Debian's kernels have a level 3, at which perf_event_open() asks for CAP_SYS_ADMIN, whatever
 * CAP_PERFMON would allow ("security,perf: Allow further restriction of perf_event_open").
 */
static bool perf_paranoid(const struct hp_feature *feature, const struct hp_facts *facts)
{
	return feature->options && strstr(feature->options, "CONFIG_PERF_EVENTS") &&
	       facts->perf_event_paranoid > 2 && !(facts->capabilities & BIT(CAP_SYS_ADMIN));
}

/* EPERM, EACCES, or a helper that the kernel hides from those who may not use it. */
static void find_refusal(const struct hp_feature *feature, const struct hp_facts *facts,
			 struct hp_finding *found)
{
	uint64_t lacking = hp_cause__not_held(facts, feature->capabilities, feature->admin);
	char names[160], fix[256];

	if (lacking) {
		bool admin = feature->admin;

		hp_cause__capabilities(lacking, names, sizeof(names));
		snprintf(fix, sizeof(fix), "run it as root, or with %s%s", names,
			 admin ? " (or CAP_SYS_ADMIN)" : "");
		hp_cause__blame(found, HP_E_CAPABILITY, fix, "not held: %s%s", names,
				admin ? ", nor CAP_SYS_ADMIN instead" : "");
	} else if (facts->user_namespace && feature->capabilities) {
		hp_cause__blame(found, HP_E_USER_NAMESPACE, NULL,
				"the capabilities held reach no further than this user namespace");
	} else if (perf_paranoid(feature, facts)) {
		hp_cause__blame(found, HP_E_SYSCTL,
				"run it as root, or with CAP_SYS_ADMIN, or set "
				"kernel.perf_event_paranoid=2",
				"kernel.perf_event_paranoid is %d: CAP_PERFMON is not enough",
				facts->perf_event_paranoid);
	} else if (locked_down(feature, facts)) {
		hp_cause__blame_lockdown(facts, "this", found);
	} else if (facts->seccomp) {
		hp_cause__blame(found, HP_E_SECCOMP, NULL,
				"every capability that it takes is held, but a seccomp filter is "
				"in force");
	} else if (facts->lsm[0]) {
		hp_cause__blame(found, HP_E_REFUSED, NULL,
				"a policy of this kernel: every capability that it takes is held "
				"(security modules: %s; lockdown: %s)",
				facts->lsm, hp_lockdown_name(facts->lockdown));
	} else {
		hp_cause__blame(found, HP_E_REFUSED, NULL,
				"a policy of this kernel: every capability that it takes is held");
	}
}

static void find_absence(const struct hp_feature *feature, const struct hp_facts *facts,
			 struct hp_finding *found)
{
	const char *options = feature->options ? feature->options : "";
	char option[64], fix[256];

	for (const char *at = options; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
		snprintf(option, sizeof(option), "%.*s", (int)strcspn(at, " "), at);
		if (hp_kconfig__get(facts->config, option) != HP_KCONFIG_OFF)
			continue;
		snprintf(fix, sizeof(fix), "boot a kernel that was built with %s", option);
		hp_cause__blame(found, HP_E_KERNEL_OPTION, fix, "the kernel was built without %s",
				option);
		return;
	}
	if (*options && !facts->config)
		hp_cause__blame(found, HP_E_MISSING, NULL,
				"perhaps the kernel was built without one of %s (its configuration "
				"cannot be read)",
				options);
	else if (*options)
		hp_cause__blame(found, HP_E_MISSING, NULL, "not in this kernel, which has %s",
				options);
	else
		hp_cause__blame(found, HP_E_MISSING, NULL, "not in this kernel");
}

bool hp_cause__bars(const struct hp_feature *feature, const struct hp_facts *facts,
		    struct hp_finding *found)
{
	if (!feature->ftrace || (facts->ftrace_enabled && facts->ftrace_down != 1))
		return false;
	found->state = HP_STATE_REFUSED;
	if (facts->ftrace_down == 1)
		hp_cause__blame(found, HP_E_FTRACE_DOWN, NULL,
				"not tried: ftrace shut itself down on this host");
	else
		hp_cause__blame(found, HP_E_SYSCTL, "sysctl kernel.ftrace_enabled=1",
				"not tried: kernel.ftrace_enabled is 0, and attaching now would "
				"break ftrace once it is 1 again");
	return true;
}

/* No error, and then nothing happened. */
static void find_silence(const struct hp_feature *feature, const struct hp_facts *facts,
			 struct hp_finding *found)
{
	if (!strcmp(feature->name, "lsm") && facts->lsm[0] && !hp_facts__listed(facts->lsm, "bpf"))
		hp_cause__blame(found, HP_E_BOOT_PARAMETER,
				"boot with bpf in lsm= (see CONFIG_LSM for the rest of the list)",
				"it attaches, but is never called: the active security modules "
				"are %s, without bpf",
				facts->lsm);
	else
		hp_cause__blame(found, HP_E_REFUSED, NULL, "no error, but nothing came of it");
}

static bool is_refusal(const struct hp_finding *found, int ret)
{
	if (ret == -EPERM || ret == -EACCES)
		return true;
	/* check_helper_call() in kernel/bpf/verifier.c when get_func_proto() returned NULL. */
	return ret == -EINVAL && strstr(found->log, "unknown func ");
}

void hp_cause__find(const struct hp_feature *feature, const struct hp_facts *facts, int ret,
		    struct hp_finding *found)
{
	found->err = ret < 0 ? ret : 0;
	if (ret == HP_TRY_UNTRIED) {
		found->state = HP_STATE_UNKNOWN;
		if (!found->cause)
			found->cause = HP_E_UNTRIED;
		if (!found->fix[0])
			snprintf(found->fix, sizeof(found->fix), "%s",
				 hp_reason_hint(found->cause));
		return;
	}
	found->state = found->cause == HP_E_MISSING || found->cause == HP_E_NOT_MOUNTED
			       ? HP_STATE_MISSING
			       : HP_STATE_REFUSED;
	if (found->cause)
		return;
	if (ret == HP_TRY_SILENT) {
		find_silence(feature, facts, found);
	} else if (is_refusal(found, ret)) {
		find_refusal(feature, facts, found);
	} else {
		find_absence(feature, facts, found);
		found->state = HP_STATE_MISSING;
	}
}
