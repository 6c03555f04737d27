// SPDX-License-Identifier: GPL-2.0
/* Trying what BPF can do besides hooks: types, maps, memory, the JIT, replacing a function. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/bpf_util.h"
#include "bpf/probe_freplace.skel.h"
#include "bpf/probe_klp.skel.h"
#include "bpf/probe_maps.skel.h"
#include "host/cause.h"
#include "host/try.h"

#define LOG_SIZE (64 << 10)

HP_DEFINE_CLEANUP(struct probe_maps_bpf *, probe_maps_bpf__destroy)
HP_DEFINE_CLEANUP(struct probe_klp_bpf *, probe_klp_bpf__destroy)
HP_DEFINE_CLEANUP(struct probe_freplace_bpf *, probe_freplace_bpf__destroy)
HP_DEFINE_CLEANUP(struct bpf_link *, bpf_link__destroy)
HP_DEFINE_CLEANUP(struct btf *, btf__free)

/* The system call itself: what anybody may do when unprivileged BPF is allowed. */
HP_TRY(bpf)
{
	int setting = features->facts.unprivileged_bpf_disabled, fd;

	found->step = HP_STEP_CREATE;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hp_try", 4, 8, 1, NULL);
	if (fd < 0)
		return hp_try__errno();
	close(fd);
	if (setting != HP_FACT_UNKNOWN)
		snprintf(found->value, sizeof(found->value),
			 "kernel.unprivileged_bpf_disabled is %d", setting);
	return 0;
}

HP_TRY(btf)
{
	int ret, fd;
	__u32 id;

	found->step = HP_STEP_READ;
	ret = hp_try__need_btf(features);
	if (!ret)
		ret = hp_btf__find_function(features->btf, "vmlinux", "bpf_fentry_test1", &id, &fd);
	if (!ret)
		snprintf(found->value, sizeof(found->value), "%u types",
			 btf__type_cnt(hp_btf__vmlinux(features->btf)));
	return ret;
}

/* The first loaded module's; a kernel has it for all modules that were built with it, or none. */
HP_TRY(module_btf)
{
	_cleanup_dir_ DIR *dir = opendir("/sys/kernel/btf");
	_cleanup_file_ FILE *modules = fopen("/proc/modules", "re");
	struct btf *btf __cleanup(hp_cleanup_btf__free) = NULL;
	struct dirent *entry;
	int ret;

	found->step = HP_STEP_READ;
	if (!modules)
		return -errno;
	ret = hp_try__need_btf(features);
	if (ret)
		return ret;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "vmlinux"))
			continue;
		btf = btf__load_module_btf(entry->d_name, hp_btf__vmlinux(features->btf));
		if (!btf)
			return hp_try__errno();
		snprintf(found->value, sizeof(found->value), "%.64s: %u types", entry->d_name,
			 btf__type_cnt(btf) - btf__type_cnt(hp_btf__vmlinux(features->btf)));
		return 0;
	}
	if (fgetc(modules) != EOF)
		return -ENOENT;
	snprintf(found->why, sizeof(found->why), "no module is loaded");
	return HP_TRY_UNTRIED;
}

/* Trampolines, and with them fentry and its kin, are for compiled programs only. */
HP_TRY(jit)
{
	struct hp_counter counter __cleanup(hp_cleanup_counter) = HP_COUNTER_NONE;
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	int ret;

	ret = hp_counter__load(&counter, BPF_PROG_TYPE_SOCKET_FILTER, &opts, found);
	if (ret)
		return ret;
	found->step = HP_STEP_RUN;
	if (bpf_obj_get_info_by_fd(counter.prog_fd, &info, &len))
		return hp_try__errno();
	snprintf(found->value, sizeof(found->value), "a program became %u bytes of machine code",
		 info.jited_prog_len);
	if (info.jited_prog_len)
		return 0;
	found->value[0] = '\0';
	/* bpf_prog_get_info_by_fd() hides the length as well from those without CAP_BPF. */
	if (hp_cause__not_held(&features->facts, feature->capabilities, true))
		return -EPERM;
	if (features->facts.bpf_jit_enable == 0)
		hp_cause__blame(found, HP_E_SYSCTL, "sysctl net.core.bpf_jit_enable=1",
				"net.core.bpf_jit_enable is 0");
	return -EOPNOTSUPP;
}

/* Load @skel with @wanted as its only program, and keep the verifier's last words if it fails. */
static int load_only(struct bpf_object_skeleton *skel, struct bpf_program *wanted,
		     struct hp_finding *found)
{
	_cleanup_free_ char *log = malloc(LOG_SIZE);
	struct bpf_program *prog;
	int ret;

	if (!log)
		return -ENOMEM;
	log[0] = '\0';
	bpf_object__for_each_program(prog, *skel->obj)
		bpf_program__set_autoload(prog, prog == wanted);
	bpf_program__set_log_buf(wanted, log, LOG_SIZE);
	found->step = HP_STEP_LOAD;
	ret = bpf_object__load_skeleton(skel);
	if (ret)
		hp_bpf__log_tail(log, found->log, sizeof(found->log));
	bpf_program__set_log_buf(wanted, NULL, 0);
	return ret;
}

static int run(const struct bpf_program *prog, struct hp_finding *found)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	found->step = HP_STEP_RUN;
	return bpf_prog_test_run_opts(bpf_program__fd(prog), &opts) ? hp_try__errno() : 0;
}

HP_TRY(ringbuf)
{
	struct probe_maps_bpf *skel __cleanup(hp_cleanup_probe_maps_bpf__destroy) =
		probe_maps_bpf__open();
	int ret;

	if (!skel)
		return hp_try__errno();
	bpf_map__set_autocreate(skel->maps.storage, false);
	ret = load_only(skel->skeleton, skel->progs.probe_ringbuf, found);
	if (!ret)
		ret = run(skel->progs.probe_ringbuf, found);
	return ret ? ret : (int)skel->data->ring_ret;
}

HP_TRY(task_storage)
{
	struct probe_maps_bpf *skel __cleanup(hp_cleanup_probe_maps_bpf__destroy) =
		probe_maps_bpf__open();
	int ret;

	if (!skel)
		return hp_try__errno();
	bpf_map__set_autocreate(skel->maps.ring, false);
	ret = load_only(skel->skeleton, skel->progs.probe_task_storage, found);
	if (!ret)
		ret = run(skel->progs.probe_task_storage, found);
	if (ret)
		return ret;
	return skel->bss->storage_value == 1 ? 0 : HP_TRY_SILENT;
}

HP_TRY(read_kernel)
{
	struct probe_maps_bpf *skel __cleanup(hp_cleanup_probe_maps_bpf__destroy) =
		probe_maps_bpf__open();
	int ret;

	if (!skel)
		return hp_try__errno();
	bpf_map__set_autocreate(skel->maps.ring, false);
	bpf_map__set_autocreate(skel->maps.storage, false);
	ret = load_only(skel->skeleton, skel->progs.probe_read_kernel, found);
	if (!ret)
		ret = run(skel->progs.probe_read_kernel, found);
	return ret ? ret : (int)skel->data->read_ret;
}

/* What both programs of bpf/probe_klp.bpf.c do first. */
static int run_lookup(struct hp_features *features, struct probe_klp_bpf *skel,
		      struct bpf_program *prog, struct hp_finding *found)
{
	int ret = load_only(skel->skeleton, prog, found);

	if (!ret)
		ret = run(prog, found);
	if (!ret)
		ret = (int)skel->data->lookup_ret;
	/* bpf_kallsyms_lookup_name() asks what /proc/kallsyms asks before it shows an address. */
	if (ret == -EPERM && found->step == HP_STEP_RUN)
		hp_cause__blame_kallsyms(&features->facts, found);
	return ret;
}

HP_TRY(kallsyms_lookup)
{
	struct probe_klp_bpf *skel __cleanup(hp_cleanup_probe_klp_bpf__destroy) =
		probe_klp_bpf__open();

	if (!skel)
		return hp_try__errno();
	return run_lookup(features, skel, skel->progs.probe_lookup, found);
}

HP_TRY(klp_list)
{
	struct probe_klp_bpf *skel __cleanup(hp_cleanup_probe_klp_bpf__destroy) =
		probe_klp_bpf__open();
	int ret;

	if (!skel)
		return hp_try__errno();
	ret = run_lookup(features, skel, skel->progs.probe_read, found);
	if (ret)
		return ret;
	if (skel->data->read_ret)
		return (int)skel->data->read_ret;
	snprintf(found->value, sizeof(found->value), "%s",
		 skel->bss->first == skel->bss->address ? "empty" : "not empty");
	return skel->bss->first ? 0 : HP_TRY_SILENT;
}

/* What the caller returns, or a negative errno. A packet must have an Ethernet header at least. */
static int run_caller(const struct bpf_program *caller)
{
	char packet[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet));

	if (bpf_prog_test_run_opts(bpf_program__fd(caller), &opts))
		return hp_try__errno();
	return (int)opts.retval;
}

HP_TRY(freplace)
{
	struct probe_freplace_bpf *old __cleanup(hp_cleanup_probe_freplace_bpf__destroy) =
		probe_freplace_bpf__open();
	struct probe_freplace_bpf *new __cleanup(hp_cleanup_probe_freplace_bpf__destroy) =
		probe_freplace_bpf__open();
	struct bpf_link *link __cleanup(hp_cleanup_bpf_link__destroy) = NULL;
	int ret, before, after;

	if (!old || !new)
		return hp_try__errno();
	ret = load_only(old->skeleton, old->progs.probe_caller, found);
	if (ret)
		return ret;
	ret = bpf_program__set_attach_target(new->progs.probe_replacement,
					     bpf_program__fd(old->progs.probe_caller),
					     "probe_target");
	if (!ret)
		ret = load_only(new->skeleton, new->progs.probe_replacement, found);
	if (ret)
		return ret;
	found->step = HP_STEP_RUN;
	before = run_caller(old->progs.probe_caller);
	if (before < 0)
		return before;
	found->step = HP_STEP_ATTACH;
	link = bpf_program__attach_freplace(new->progs.probe_replacement, 0, NULL);
	if (!link)
		return hp_try__errno();
	found->step = HP_STEP_RUN;
	after = run_caller(old->progs.probe_caller);
	if (after < 0)
		return after;
	snprintf(found->value, sizeof(found->value), "a function returned %d, replaced %d", before,
		 after);
	return before == 1 && after == 2 ? 0 : HP_TRY_SILENT;
}

/* Programs, links and BTF of others, and of modules, are found by walking ids. */
HP_TRY(bpf_ids)
{
	struct hp_counter counter __cleanup(hp_cleanup_counter) = HP_COUNTER_NONE;
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	_cleanup_close_ int fd = -1;
	__u32 id = 0;
	int ret;

	/* So that there is one to find. */
	ret = hp_counter__load(&counter, BPF_PROG_TYPE_SOCKET_FILTER, &opts, found);
	if (ret)
		return ret;
	found->step = HP_STEP_RUN;
	if (bpf_prog_get_next_id(0, &id))
		return hp_try__errno();
	/* The first one may have been unloaded meanwhile; ours is still there. */
	while ((fd = bpf_prog_get_fd_by_id(id)) < 0)
		if (errno != ENOENT || bpf_prog_get_next_id(id, &id))
			return hp_try__errno();
	return 0;
}

/*
 * Before 5.11 BPF memory counts against RLIMIT_MEMLOCK, since then against the cgroup (commit
 * d5299b67dd59): a map is made with the limit lowered to nothing for a moment. Only the soft limit
 * is touched, which anybody may put back.
 */
HP_TRY(memlock)
{
	struct rlimit limit, none;
	int charged;

	found->step = HP_STEP_CREATE;
	if (!hp_features__has(features, HP_FEATURE_BPF)) {
		snprintf(found->why, sizeof(found->why), "no map can be made (see bpf)");
		return HP_TRY_UNTRIED;
	}
	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		return hp_try__errno();
	none = limit;
	none.rlim_cur = 0;
	if (setrlimit(RLIMIT_MEMLOCK, &none))
		return hp_try__errno();
	charged = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hp_memlock", 4, 8, 1, NULL);
	setrlimit(RLIMIT_MEMLOCK, &limit);
	if (charged >= 0) {
		close(charged);
		snprintf(found->value, sizeof(found->value), "not limited by RLIMIT_MEMLOCK");
		return 0;
	}
	if (limit.rlim_cur == RLIM_INFINITY) {
		snprintf(found->value, sizeof(found->value), "RLIMIT_MEMLOCK is unlimited");
		return 0;
	}
	snprintf(found->value, sizeof(found->value), "RLIMIT_MEMLOCK is %" PRIu64 " KiB",
		 (uint64_t)limit.rlim_cur >> 10);
	/* libbpf raises it by itself where that is allowed. */
	return hp_cause__not_held(&features->facts, feature->capabilities, false) ? -EPERM : 0;
}
