// SPDX-License-Identifier: GPL-2.0
/*
 * Trying the hooks of BPF: the counting program is loaded, attached, the hook is made to happen by
 * ourselves, and the count is read. Descriptors hold everything, so that nothing survives us.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "host/try.h"

enum trigger {
	TRIGGER_TEST_RUN, /* BPF_PROG_TEST_RUN calls the hooked function, or the program itself */
	TRIGGER_BPF,	  /* any bpf() call */
	TRIGGER_RENAME,	  /* setting our own name, to what it is */
	TRIGGER_ITERATE,  /* reading the iterator */
};

struct hook {
	const char *feature;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	enum trigger trigger;
	const char *symbol; /* whose BTF id it takes; NULL for none */
	const char *counted;
};

/*
 * bpf_fentry_test1() and bpf_modify_return_test() (net/bpf/test_run.c) exist for this and are
 * called by nobody else. A hook on security_bpf() or its LSM is called by every bpf(2) on the host
 * for the moment it is there, and lets each one pass.
 */
static const struct hook hooks[] = {
	{ "fentry", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, TRIGGER_TEST_RUN, "bpf_fentry_test1",
	  "calls of bpf_fentry_test1" },
	{ "fexit", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, TRIGGER_TEST_RUN, "bpf_fentry_test1",
	  "calls of bpf_fentry_test1" },
	{ "fmod_ret", BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, TRIGGER_TEST_RUN,
	  "bpf_modify_return_test", "calls of bpf_modify_return_test" },
	/* Without CONFIG_FUNCTION_ERROR_INJECTION the security hooks are left. */
	{ "fmod_ret", BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, TRIGGER_BPF, "security_bpf",
	  "calls of security_bpf (here fmod_ret is for security hooks only)" },
	{ "lsm", BPF_PROG_TYPE_LSM, BPF_LSM_MAC, TRIGGER_BPF, "bpf_lsm_bpf",
	  "calls of the hook of bpf(2)" },
	{ "tp_btf", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, TRIGGER_RENAME,
	  "btf_trace_task_rename", "events of task_rename" },
	{ "task_iter", BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, TRIGGER_ITERATE, "bpf_iter_task",
	  "tasks" },
	{ "task_vma_iter", BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, TRIGGER_ITERATE,
	  "bpf_iter_task_vma", "mappings" },
	{ "syscall_prog", BPF_PROG_TYPE_SYSCALL, 0, TRIGGER_TEST_RUN, NULL, "runs" },
};

static int find_symbol(struct hp_features *features, const char *symbol, __u32 *id)
{
	int ret = hp_try__need_btf(features), fd;

	if (ret)
		return ret;
	if (!strncmp(symbol, "btf_trace_", 10)) {
		ret = btf__find_by_name_kind(hp_btf__vmlinux(features->btf), symbol,
					     BTF_KIND_TYPEDEF);
		*id = ret > 0 ? (__u32)ret : 0;
		return ret < 0 ? ret : 0;
	}
	return hp_btf__find_function(features->btf, "vmlinux", symbol, id, &fd);
}

/*
 * An iterator over ourselves where the kernel can limit it (commit f0d74c4da1f0, 6.1), else over
 * all tasks. The program prints nothing, so one read() walks everything.
 */
static int iterate(int prog_fd)
{
	union bpf_iter_link_info info = { .task = { .pid = (__u32)getpid() } };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	_cleanup_close_ int link = -1, iter = -1;
	char buf[64];

	link = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, &opts);
	if (link < 0)
		link = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, NULL);
	if (link < 0)
		return hp_try__errno();
	iter = bpf_iter_create(link);
	if (iter < 0)
		return hp_try__errno();
	while (read(iter, buf, sizeof(buf)) > 0)
		;
	return 0;
}

static int pull(enum trigger trigger, int prog_fd)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	char comm[16];

	switch (trigger) {
	case TRIGGER_TEST_RUN:
		return bpf_prog_test_run_opts(prog_fd, &run) ? hp_try__errno() : 0;
	case TRIGGER_BPF:
		break; /* reading the counter is a bpf() call, and counted before it is read */
	case TRIGGER_RENAME:
		prctl(PR_GET_NAME, comm);
		prctl(PR_SET_NAME, comm);
		break;
	case TRIGGER_ITERATE:
		return iterate(prog_fd);
	}
	return 0;
}

static int try_hook(struct hp_features *features, const struct hook *hook, struct hp_finding *found)
{
	struct hp_counter counter __cleanup(hp_cleanup_counter) = HP_COUNTER_NONE;
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = hook->attach);
	_cleanup_close_ int link = -1;
	__u32 id = 0;
	int ret;

	found->step = HP_STEP_READ;
	ret = hook->symbol ? find_symbol(features, hook->symbol, &id) : 0;
	if (ret)
		return ret;
	opts.attach_btf_id = id;
	opts.prog_flags = hook->type == BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0;
	ret = hp_counter__load(&counter, hook->type, &opts, found);
	if (ret)
		return ret;
	found->step = HP_STEP_ATTACH;
	if (hook->symbol && hook->trigger != TRIGGER_ITERATE) {
		link = bpf_raw_tracepoint_open(NULL, counter.prog_fd);
		if (link < 0)
			return hp_try__errno();
	}
	ret = pull(hook->trigger, counter.prog_fd);
	if (ret)
		return ret;
	/* An iterator calls its program once more at the end, without an element. */
	return hp_counter__judge(&counter, hook->trigger == TRIGGER_ITERATE, hook->counted, found);
}

HP_TRY(hook)
{
	int ret = -ENOENT;

	for (size_t i = 0; ret && i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		if (strcmp(hooks[i].feature, feature->name))
			continue;
		found->log[0] = '\0';
		ret = try_hook(features, &hooks[i], found);
	}
	return ret;
}
