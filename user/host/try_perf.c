// SPDX-License-Identifier: GPL-2.0
/*
 * Trying kprobes and uprobes as perf events (no tracefs, nothing with a name that could stay): the
 * counting program is attached to one, and we call what it sits on.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "host/pseudofs.h"
#include "host/try.h"

/* The entry of getpgid(2), which hardly anyone calls, as each architecture names it. */
static const char *const getpgid_names[] = {
	"__x64_sys_getpgid",   "__arm64_sys_getpgid", "__s390x_sys_getpgid",
	"__riscv_sys_getpgid", "sys_getpgid",
};

/* What the uprobe sits on: a function of our own. */
static __attribute__((noinline)) void uprobe_target(void)
{
	asm volatile("" ::: "memory");
}

/* "config:0" */
static int read_pmu(const char *pmu, const char *file, const char *format)
{
	char path[128], buf[64];
	int value, ret;

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/%s", pmu, file);
	ret = hp_pseudofs__read(path, buf, sizeof(buf));
	if (ret)
		return ret;
	return sscanf(buf, format, &value) == 1 ? value : -EINVAL;
}

/* Where @address lies in our own executable file. */
static int file_offset(const void *address, char *path, size_t path_size, uint64_t *offset)
{
	_cleanup_file_ FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end, pgoff;
	char line[4096];
	int name;

	if (!maps)
		return -errno;
	while (fgets(line, sizeof(line), maps)) {
		name = 0;
		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %n", &start, &end, &pgoff, &name) < 3)
			continue;
		if ((unsigned long)address < start || (unsigned long)address >= end || !name)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(path, path_size, "%s", line + name);
		*offset = (unsigned long)address - start + pgoff;
		return 0;
	}
	return -ENOENT;
}

static int open_event(struct perf_event_attr *attr)
{
	/* Ours alone: for this task, on any CPU. */
	int fd = (int)syscall(SYS_perf_event_open, attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int open_kprobe(struct perf_event_attr *attr, const char **name)
{
	int fd = -ENOENT;

	for (size_t i = 0; fd == -ENOENT && i < sizeof(getpgid_names) / sizeof(*getpgid_names);
	     i++) {
		*name = getpgid_names[i];
		attr->kprobe_func = (uintptr_t)*name;
		fd = open_event(attr);
	}
	return fd;
}

static int open_probe(enum hp_perf_event kind, const char **name)
{
	const char *pmu = kind == HP_PERF_UPROBE ? "uprobe" : "kprobe";
	struct perf_event_attr attr = { .size = sizeof(attr) };
	int type = read_pmu(pmu, "type", "%d");
	char path[4096];
	uint64_t offset = 0;
	int bit, ret;

	if (type < 0)
		return type;
	attr.type = (__u32)type;
	if (kind == HP_PERF_KRETPROBE) {
		bit = read_pmu(pmu, "format/retprobe", "config:%d");
		if (bit < 0)
			return bit;
		attr.config = 1ull << bit;
	}
	if (kind != HP_PERF_UPROBE)
		return open_kprobe(&attr, name);
	ret = file_offset((const void *)uprobe_target, path, sizeof(path), &offset);
	if (ret)
		return ret;
	attr.uprobe_path = (uintptr_t)path;
	attr.probe_offset = offset;
	*name = "a function of hotproof";
	return open_event(&attr);
}

HP_TRY(perf)
{
	struct hp_counter counter __cleanup(hp_cleanup_counter) = HP_COUNTER_NONE;
	enum hp_perf_event kind = (enum hp_perf_event)feature->arg;
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	_cleanup_close_ int event = -1;
	const char *name = "";
	char counted[96];
	int ret;

	found->step = HP_STEP_CREATE;
	event = open_probe(kind, &name);
	if (event < 0)
		return event;
	ret = hp_counter__load(&counter, BPF_PROG_TYPE_KPROBE, &opts, found);
	if (ret)
		return ret;
	found->step = HP_STEP_ATTACH;
	if (ioctl(event, PERF_EVENT_IOC_SET_BPF, counter.prog_fd) ||
	    ioctl(event, PERF_EVENT_IOC_ENABLE, 0))
		return -errno;
	uprobe_target();
	syscall(SYS_getpgid, 0);
	snprintf(counted, sizeof(counted), "%s of %s",
		 kind == HP_PERF_KRETPROBE ? "returns" : "calls", name);
	return hp_counter__judge(&counter, 0, counted, found);
}
