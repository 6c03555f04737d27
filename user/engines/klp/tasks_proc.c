// SPDX-License-Identifier: GPL-2.0
/*
 * The second way to see who has switched: /proc/PID/task/TID/patch_state, where the BPF iterator is
 * refused. Tasks come and go while it is read, so the counts are of tasks that were seen; the idle
 * tasks are not in /proc.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "engines/klp/tasks.h"

#define PF_KTHREAD 0x00200000

static ssize_t read_at(int at, const char *name, char *out, size_t size)
{
	_cleanup_close_ int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, out, size - 1);
	if (n < 0)
		return -errno;
	out[n] = 0;
	return n;
}

/* /proc/TID/stack has "[<0>] symbol+0xoff/0xsize" per line; the address is always 0. */
static char *read_stack(int task)
{
	char text[8192];
	ssize_t n = read_at(task, "stack", text, sizeof(text));
	char *from = text, *to = text, *end;

	if (n <= 0)
		return NULL;
	while (*from) {
		if (!strncmp(from, "[<0>] ", 6))
			from += 6;
		end = strchrnul(from, '\n');
		if (*end)
			end++;
		memmove(to, from, (size_t)(end - from));
		to += end - from;
		from = end;
	}
	*to = 0;
	return strdup(text);
}

/* stat: pid (comm) state ppid pgrp session tty tpgid flags …; the name may hold anything. */
static void parse_stat(const char *stat, struct hp_blocker *b)
{
	const char *open = strchr(stat, '('), *close = strrchr(stat, ')');
	unsigned int flags;

	if (!open || !close || close < open)
		return;
	snprintf(b->comm, sizeof(b->comm), "%.*s", (int)(close - open - 1), open + 1);
	if (sscanf(close + 1, " %c %*d %*d %*d %*d %*d %u", &b->state, &flags) == 2)
		b->kthread = flags & PF_KTHREAD;
}

static int add_task(int tasks, const char *name, int tgid, int wanted, bool stacks,
		    struct hp_progress *out)
{
	_cleanup_close_ int task = openat(tasks, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct hp_blocker *b;
	char text[1024];
	ssize_t n;

	if (task < 0)
		return 0; /* exited */
	n = read_at(task, "patch_state", text, sizeof(text));
	if (n == -EACCES || n == -EPERM)
		return (int)n;
	if (n <= 0)
		return 0; /* exited */
	out->total++;
	if (atoi(text) == wanted) {
		out->switched++;
		return 0;
	}
	b = hp_progress_add(out);
	if (!b)
		return -ENOMEM;
	b->pid = atoi(name);
	b->tgid = tgid;
	b->state = '?';
	if (read_at(task, "stat", text, sizeof(text)) > 0)
		parse_stat(text, b);
	if (stacks)
		b->stack = read_stack(task);
	return 0;
}

static int add_process(int proc, const char *name, int wanted, bool stacks, struct hp_progress *out)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[32];
	int fd, ret;

	snprintf(path, sizeof(path), "%.16s/task", name);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0; /* exited */
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		ret = add_task(dirfd(dir), entry->d_name, atoi(name), wanted, stacks, out);
		if (ret)
			return ret;
	}
	return 0;
}

int hp_klp_tasks__read_proc(const char *proc, int wanted, bool stacks, struct hp_progress *out,
			    struct hp_error *err)
{
	_cleanup_dir_ DIR *dir = opendir(proc ? proc : "/proc");
	struct dirent *entry;
	int ret = 0;

	memset(out, 0, sizeof(*out));
	if (!dir)
		return hp_fail_errno(err, HP_E_KLP_PRIVILEGE, -errno, "cannot read /proc");
	while (!ret && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			ret = add_process(dirfd(dir), entry->d_name, wanted, stacks, out);
	if (!ret && !out->total)
		ret = -ENOENT;
	if (ret) {
		hp_progress_free(out);
		if (ret == -ENOMEM)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		if (ret == -ENOENT)
			return hp_fail(err, HP_E_KLP_UNSUPPORTED,
				       "no task has a patch_state in /proc");
		return hp_fail_errno(err, HP_E_KLP_PRIVILEGE, ret,
				     "cannot read the tasks' patch_state");
	}
	out->complete = out->switched == out->total;
	return 0;
}
