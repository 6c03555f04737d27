// SPDX-License-Identifier: GPL-2.0
/* finit_module and delete_module, with causes. */
#include "engines/klp/loader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "engines/klp/kmsg.h"
#include "engines/klp/load_error.h"
#include "engines/klp/sysfs.h"
#include "host/facts.h"

#define POLL_NS (2 * HP_NSEC_PER_MSEC)

static void pause_briefly(void)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };

	nanosleep(&pause, NULL);
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

/* The log is everybody's: only what names this module, or comes from the parts that load it. */
static int about_module(const char *text, const void *name)
{
	return !strncmp(text, "livepatch:", 10) || !strncmp(text, "Lockdown:", 9) ||
	       strstr(text, name) || hp_load_error__knows(text);
}

int hp_klp_loader__permitted(struct hp_error *err)
{
	cap_flag_value_t held = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	if (caps) {
		cap_get_flag(caps, CAP_SYS_MODULE, CAP_EFFECTIVE, &held);
		cap_free(caps);
	}
	if (held != CAP_SET)
		return hp_fail(err, HP_E_MODULE_CAPABILITY,
			       "no module can be loaded without CAP_SYS_MODULE");
	return 0;
}

int hp_klp_loader__load(int fd, const char *name, struct hp_error *err)
{
	_cleanup_close_ int kmsg = hp_kmsg__mark();
	struct hp_load_facts facts = { 0 };
	struct hp_facts host;
	char log[2048];
	int ret;

	if (!syscall(SYS_finit_module, fd, "", 0))
		return 0;
	ret = -errno;
	hp_kmsg__since(kmsg, about_module, name, log, sizeof(log));
	facts.log = log;
	facts.log_readable = kmsg >= 0;
	hp_facts__read(&host, "");
	facts.capable = host.capabilities & 1ull << CAP_SYS_MODULE;
	facts.modules_disabled = host.modules_disabled == 1;
	facts.locked_down = host.lockdown > HP_LOCKDOWN_NONE;
	hp_facts__release(&host);
	facts.transition = ret == -EBUSY && any_transition();
	return hp_load_error__explain(name, ret, &facts, err);
}

int hp_klp_loader__wait_disabled(const char *name, uint64_t deadline, struct hp_error *err)
{
	while (hp_klp_sysfs__exists(NULL, name)) {
		if (hp_now_ns() >= deadline) {
			hp_progress_end();
			return hp_fail(err, HP_E_KLP_TIMEOUT,
				       "%s is still in transition at the deadline", name);
		}
		hp_progress("waiting until the kernel has disabled %s", name);
		pause_briefly();
	}
	hp_progress_end();
	return 0;
}

static int unload(const char *name, uint64_t deadline, struct hp_error *err)
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
		hp_progress("waiting until module %s is free (%d references)", name,
			    hp_klp_sysfs__refcount(NULL, name));
		pause_briefly();
	}
}

int hp_klp_loader__unload(const char *name, uint64_t deadline, struct hp_error *err)
{
	int ret = unload(name, deadline, err);

	hp_progress_end();
	return ret;
}
