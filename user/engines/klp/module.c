// SPDX-License-Identifier: GPL-2.0
/* finit_module and delete_module, with causes. */
#include "engines/klp/module.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "engines/klp/kmsg.h"
#include "engines/klp/load_error.h"
#include "engines/klp/sysfs.h"

#define POLL_NS (2 * HP_NSEC_PER_MSEC)

static void pause_briefly(void)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };

	nanosleep(&pause, NULL);
}

static bool file_holds(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[128];
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return false;
	buf[n] = 0;
	return strstr(buf, text);
}

static bool any_transition(void)
{
	_cleanup_dir_ DIR *dir = opendir("/sys/kernel/livepatch");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && hp_klp_sysfs__transition(NULL, entry->d_name) == 1)
			return true;
	return false;
}

static bool capable_of_modules(void)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	if (caps) {
		cap_get_flag(caps, CAP_SYS_MODULE, CAP_EFFECTIVE, &value);
		cap_free(caps);
	}
	return value == CAP_SET;
}

/* The log is everybody's: only what names this module, or comes from the parts that load it. */
static int about_module(const char *text, const void *name)
{
	return !strncmp(text, "livepatch:", 10) || !strncmp(text, "Lockdown:", 9) ||
	       strstr(text, name) || hp_load_error__knows(text);
}

int hp_klp_module__load(int fd, const char *name, struct hp_error *err)
{
	_cleanup_close_ int kmsg = hp_kmsg__mark();
	struct hp_load_facts facts = { 0 };
	char log[2048];
	int ret;

	if (!syscall(SYS_finit_module, fd, "", 0))
		return 0;
	ret = -errno;
	hp_kmsg__since(kmsg, about_module, name, log, sizeof(log));
	facts.log = log;
	facts.log_readable = kmsg >= 0;
	facts.capable = capable_of_modules();
	facts.modules_disabled = file_holds("/proc/sys/kernel/modules_disabled", "1");
	facts.locked_down = file_holds("/sys/kernel/security/lockdown", "[integrity]") ||
			    file_holds("/sys/kernel/security/lockdown", "[confidentiality]");
	facts.transition = ret == -EBUSY && any_transition();
	return hp_load_error__explain(name, ret, &facts, err);
}

int hp_klp_module__wait_disabled(const char *name, uint64_t deadline, struct hp_error *err)
{
	while (hp_klp_sysfs__exists(NULL, name)) {
		if (hp_now_ns() >= deadline)
			return hp_fail(err, HP_E_KLP_TIMEOUT,
				       "%s is still in transition at the deadline", name);
		pause_briefly();
	}
	return 0;
}

int hp_klp_module__unload(const char *name, uint64_t deadline, struct hp_error *err)
{
	for (;;) {
		int ret = syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;

		if (!ret || ret == -ENOENT)
			return 0;
		if (ret == -EPERM || ret == -EACCES)
			return hp_fail_errno(err, HP_E_MODULE_CAPABILITY, ret,
					     "module %s cannot be unloaded", name);
		/* The kernel drops its reference from a work item, after sysfs shows the end. */
		if (ret != -EAGAIN && ret != -EBUSY && ret != -EINTR)
			return hp_fail_errno(err, HP_E_MODULE_UNLOAD, ret,
					     "module %s cannot be unloaded", name);
		if (hp_now_ns() >= deadline)
			return hp_fail(err, HP_E_MODULE_BUSY,
				       "module %s is still in use at the deadline (%d references)",
				       name, hp_klp_sysfs__refcount(NULL, name));
		pause_briefly();
	}
}
