// SPDX-License-Identifier: GPL-2.0
/* Trying what has to do with livepatches and modules, and what is read rather than tried. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "host/cause.h"
#include "host/kcore.h"
#include "host/pseudofs.h"
#include "host/try.h"

#define LIVEPATCH_DIR "/sys/kernel/livepatch"

HP_DEFINE_CLEANUP(FILE *, endmntent)

/* klp_init() makes the folder, empty, wherever CONFIG_LIVEPATCH is on. */
HP_TRY(livepatch)
{
	_cleanup_dir_ DIR *dir = opendir(LIVEPATCH_DIR);
	struct dirent *entry;
	int count = 0;

	found->step = HP_STEP_READ;
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	snprintf(found->value, sizeof(found->value), "%d loaded", count);
	return 0;
}

/*
 * klp_have_reliable_stack() in kernel/livepatch/core.c looks at the configuration only; the
 * function that the transition calls is there on just these kernels.
 */
HP_TRY(reliable_stack)
{
	int ret;

	found->step = HP_STEP_READ;
	ret = hp_try__need_kallsyms(features);
	if (ret)
		return ret;
	return hp_kallsyms__count(features->kallsyms, "vmlinux", "arch_stack_walk_reliable")
		       ? 0
		       : -ENOENT;
}

/* Can we write @path? What may be in the way is not a capability alone. */
static int try_write(const char *path, struct hp_finding *found)
{
	if (!faccessat(AT_FDCWD, path, W_OK, AT_EACCESS))
		return 0;
	if (errno == EROFS)
		hp_cause__blame(found, HP_E_REFUSED, "mount it read-write here",
				"the file system of %s is mounted read-only", path);
	return -errno;
}

/*
 * The file that disables a livepatch. Where none is loaded, its folder stands in: root owns both,
 * and the same check is made for both.
 */
HP_TRY(klp_control)
{
	_cleanup_dir_ DIR *dir = opendir(LIVEPATCH_DIR);
	struct dirent *entry;
	char path[512] = LIVEPATCH_DIR;

	found->step = HP_STEP_READ;
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			snprintf(path, sizeof(path), LIVEPATCH_DIR "/%s/enabled", entry->d_name);
	return try_write(path, found);
}

HP_TRY(task_stack)
{
	char stack[4096];

	found->step = HP_STEP_READ;
	return hp_pseudofs__read("/proc/self/stack", stack, sizeof(stack));
}

HP_TRY(kcore)
{
	__cleanup(hp_cleanup_hp_kcore__close) struct hp_kcore *kcore = NULL;

	found->step = HP_STEP_READ;
	return hp_kcore__open(&kcore, NULL, NULL);
}

/*
 * finit_module() asks may_init_module() before it looks at its arguments (kernel/module/main.c),
 * so arguments that can never be right tell whether modules may be loaded, and load nothing.
 */
HP_TRY(module_load)
{
	found->step = HP_STEP_RUN;
	if (!syscall(SYS_finit_module, -1, "", ~0u))
		return -EIO; /* cannot be */
	if (errno == EINVAL)
		return 0;
	if (errno == EPERM && features->facts.modules_disabled == 1)
		hp_cause__blame(found, HP_E_SYSCTL, "restart: it cannot be set back",
				"kernel.modules_disabled is 1");
	return -errno;
}

/*
 * module_sig_check() (kernel/module/signing.c) refuses an unsigned module for sig_enforce first
 * and for lockdown then. Loading one to see would leave a complaint in the kernel log.
 */
HP_TRY(unsigned_modules)
{
	const struct hp_facts *facts = &features->facts;

	found->step = HP_STEP_READ;
	if (access("/proc/modules", F_OK))
		return -errno;
	if (facts->sig_enforce == 1) {
		bool forced =
			hp_kconfig__get(facts->config, "CONFIG_MODULE_SIG_FORCE") == HP_KCONFIG_ON;

		hp_cause__blame(found, forced ? HP_E_KERNEL_OPTION : HP_E_BOOT_PARAMETER,
				forced ? "sign the hotfix with a key that this kernel trusts"
				       : "sign the hotfix with a key that this kernel trusts, or "
					 "boot without module.sig_enforce",
				"module.sig_enforce is on%s",
				forced ? " (CONFIG_MODULE_SIG_FORCE)" : "");
		return -EKEYREJECTED;
	}
	if (facts->sig_enforce == HP_FACT_UNKNOWN) {
		if (access("/sys/module", F_OK))
			return -errno;
		snprintf(found->value, sizeof(found->value), "this kernel checks no signatures");
		return 0;
	}
	if (facts->lockdown >= HP_LOCKDOWN_INTEGRITY) {
		hp_cause__blame_lockdown(facts, "unsigned modules", found);
		return -EPERM;
	}
	if (facts->lockdown == HP_LOCKDOWN_UNKNOWN) {
		snprintf(found->why, sizeof(found->why),
			 "module.sig_enforce is off, but the lockdown mode cannot be read");
		return HP_TRY_UNTRIED;
	}
	snprintf(found->value, sizeof(found->value), "allowed; they taint the kernel");
	return 0;
}

HP_TRY(ftrace)
{
	const struct hp_facts *facts = &features->facts;

	found->step = HP_STEP_READ;
	if (facts->ftrace_down == 1) {
		hp_cause__blame(found, HP_E_FTRACE_DOWN, NULL,
				"ftrace shut itself down on this host");
		return -ENODEV;
	}
	if (facts->ftrace_enabled == HP_FACT_UNKNOWN)
		return -ENOENT;
	if (!facts->ftrace_enabled) {
		hp_cause__blame(found, HP_E_SYSCTL, "sysctl kernel.ftrace_enabled=1",
				"kernel.ftrace_enabled is 0");
		return -EPERM;
	}
	snprintf(found->value, sizeof(found->value), "enabled");
	return 0;
}

HP_TRY(lockdown)
{
	const struct hp_facts *facts = &features->facts;

	found->step = HP_STEP_READ;
	if (facts->lockdown == HP_LOCKDOWN_UNKNOWN) {
		snprintf(found->why, sizeof(found->why),
			 "/sys/kernel/security/lockdown cannot be read");
		snprintf(found->fix, sizeof(found->fix),
			 "mount securityfs, or run it with CAP_SYS_ADMIN");
		return HP_TRY_UNTRIED;
	}
	snprintf(found->value, sizeof(found->value), "%s", hp_lockdown_name(facts->lockdown));
	if (facts->lockdown == HP_LOCKDOWN_NONE)
		return 0;
	hp_cause__blame_lockdown(facts,
				 facts->lockdown == HP_LOCKDOWN_INTEGRITY
					 ? "unsigned modules"
					 : "unsigned modules, kprobes and reading kernel memory",
				 found);
	return -EPERM;
}

HP_TRY(kallsyms)
{
	int ret;

	found->step = HP_STEP_READ;
	ret = hp_try__need_kallsyms(features);
	if (ret || !hp_kallsyms__hidden(features->kallsyms)) {
		if (!ret)
			snprintf(found->value, sizeof(found->value), "kernel.kptr_restrict is %d",
				 features->facts.kptr_restrict);
		return ret;
	}
	hp_cause__blame_kallsyms(&features->facts, found);
	return -EPERM;
}

/* An event that counts nothing, on ourselves: the least that can be asked for. */
HP_TRY(perf_events)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1,
	};
	int fd;

	found->step = HP_STEP_CREATE;
	fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	snprintf(found->value, sizeof(found->value), "kernel.perf_event_paranoid is %d",
		 features->facts.perf_event_paranoid);
	return 0;
}

/* /proc/filesystems: "nodev\tbpf" */
static bool kernel_has(const char *type)
{
	_cleanup_file_ FILE *f = fopen("/proc/filesystems", "re");
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		const char *name = strchr(line, '\t');

		line[strcspn(line, "\n")] = '\0';
		if (name && !strcmp(name + 1, type))
			return true;
	}
	return false;
}

/* feature->arg: is this bpffs? Otherwise cgroup2. */
HP_TRY(mount)
{
	FILE *mounts __cleanup(hp_cleanup_endmntent) = setmntent("/proc/self/mounts", "re");
	const char *type = feature->arg ? "bpf" : "cgroup2";
	const char *usual = feature->arg ? "/sys/fs/bpf" : "/sys/fs/cgroup";
	struct mntent *entry;
	char fix[128];

	found->step = HP_STEP_READ;
	while (mounts && (entry = getmntent(mounts))) {
		if (strcmp(entry->mnt_type, type))
			continue;
		snprintf(found->value, sizeof(found->value), "%.150s", entry->mnt_dir);
		return try_write(entry->mnt_dir, found);
	}
	if (!kernel_has(type))
		return -ENODEV;
	snprintf(fix, sizeof(fix), "mount -t %s %s %s", type, type, usual);
	hp_cause__blame(found, HP_E_NOT_MOUNTED, fix, "it is not mounted");
	return -ENOENT;
}

HP_TRY(kernel_image)
{
	_cleanup_close_ int fd = -1;
	struct utsname uts;
	int ret;

	found->step = HP_STEP_READ;
	uname(&uts);
	snprintf(found->value, sizeof(found->value), "/boot/vmlinuz-%s", uts.release);
	fd = open(found->value, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return 0;
	ret = -errno;
	if (ret == -ENOENT)
		hp_cause__blame(found, HP_E_MISSING,
				"install the package that this kernel came from, or mount /boot",
				"there is no %s", found->value);
	found->value[0] = '\0';
	return ret;
}

HP_TRY(capability)
{
	const struct hp_facts *facts = &features->facts;

	if (facts->capabilities & feature->capabilities && !facts->user_namespace)
		return 0;
	return -EPERM;
}
