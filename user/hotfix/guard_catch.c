// SPDX-License-Identifier: GPL-2.0
/* libbpf's part in loading a guard's program. */
#include "hotfix/guard_catch.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* While an object is being loaded. Handlers stay, and have no argument for this (see observe/template.c). */
static hp_guard_catch_fn *current;
static void *current_arg;

/* libbpf is about to load @program, as one of a type for which it needs no types of the kernel. */
static int catch_program(struct bpf_program *program, struct bpf_prog_load_opts *opts, long cookie)
{
	static struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int ret = current ? current(program, opts, current_arg) : -EINVAL;

	if (ret)
		return ret;
	/* What is said about the instructions does not hold for the others. */
	opts->prog_btf_fd = 0;
	opts->func_info_cnt = 0;
	opts->line_info_cnt = 0;
	return bpf_program__set_insns(program, nothing, sizeof(nothing) / sizeof(nothing[0]));
}

static int catch_programs(void)
{
	static const char *const sections[] = { "fmod_ret+", "lsm+" };
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = catch_program);
	static bool done;

	for (size_t i = 0; !done && i < sizeof(sections) / sizeof(sections[0]); i++) {
		int ret = libbpf_register_prog_handler(sections[i], BPF_PROG_TYPE_SOCKET_FILTER, 0,
						       &opts);

		if (ret < 0)
			return ret;
	}
	done = true;
	return 0;
}

struct bpf_object *hp_guard_catch__open(const char *path, const void *bytes, size_t size,
					int *types)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct bpf_object *object;
	char types_path[32];
	int ret = catch_programs();

	*types = ret ? -1 : memfd_create("hotproof-types", MFD_CLOEXEC);
	if (*types < 0) {
		errno = ret ? -ret : errno;
		return NULL;
	}
	snprintf(types_path, sizeof(types_path), "/proc/self/fd/%d", *types);
	opts.btf_custom_path = types_path;
	object = path ? bpf_object__open_file(path, &opts)
		      : bpf_object__open_mem(bytes, size, &opts);
	if (!object) {
		ret = errno;
		close(*types);
		*types = -1;
		errno = ret;
	}
	return object;
}

int hp_guard_catch__load(struct bpf_object *object, hp_guard_catch_fn *load, void *arg)
{
	int ret;

	current = load;
	current_arg = arg;
	ret = bpf_object__load(object);
	current = NULL;
	return ret;
}
