// SPDX-License-Identifier: GPL-2.0
/*
 * hold fentry ID FUNCTION: another tool that traces FUNCTION of the loaded BPF program ID.
 * hold freplace ID FUNCTION OBJECT [PIN]: one that replaces it with OBJECT's only program, by libbpf alone.
 * hold pin PATH: one that has a pinned link open.
 * Says "holds" when it does, and holds it until its standard input ends; with PIN, the pin does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

static int fail(const char *what)
{
	fprintf(stderr, "hold: %s: %s\n", what, strerror(errno));
	return 1;
}

static int trace(int target, const char *function)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY,
		    .attach_prog_fd = target);
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	struct btf *btf;
	int program, type;

	if (bpf_obj_get_info_by_fd(target, &info, &len))
		return -1;
	btf = btf__load_from_kernel_by_id(info.btf_id);
	type = btf ? btf__find_by_name_kind(btf, function, BTF_KIND_FUNC) : -1;
	if (type < 0)
		return -1;
	opts.attach_btf_id = (__u32)type;
	program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "holder", "GPL", nothing, 2, &opts);
	return program < 0 ? program : bpf_raw_tracepoint_open(NULL, program);
}

static int replace(int target, const char *function, const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program = object ? bpf_object__next_program(object, NULL) : NULL;
	struct bpf_link *link;

	if (!program || bpf_program__set_attach_target(program, target, function) ||
	    bpf_object__load(object))
		return -1;
	link = bpf_program__attach_freplace(program, target, function);
	return link ? bpf_link__fd(link) : -1;
}

int main(int argc, char **argv)
{
	int target, link;
	char c;

	if (argc < 3 || (argc < 4 && strcmp(argv[1], "pin")))
		return 2;
	target = argc < 4 ? 0 : bpf_prog_get_fd_by_id((__u32)atol(argv[2]));
	if (target < 0)
		return fail(argv[2]);
	if (!strcmp(argv[1], "pin"))
		link = bpf_obj_get(argv[2]);
	else
		link = strcmp(argv[1], "freplace") ? trace(target, argv[3])
						   : replace(target, argv[3], argv[4]);
	if (link < 0)
		return fail(argv[argc > 3 ? 3 : 2]);
	if (argc > 5 && bpf_obj_pin(link, argv[5]))
		return fail(argv[5]);
	puts("holds");
	fflush(stdout);
	if (argc <= 5)
		while (read(STDIN_FILENO, &c, 1) > 0)
			;
	return 0;
}
