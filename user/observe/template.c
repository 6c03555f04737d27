// SPDX-License-Identifier: GPL-2.0
/* Template programs: caught on their way from libbpf to the kernel. */
#include "observe/template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#define SECTION "template"

static const struct {
	const char *section;
	enum bpf_prog_type type;
	enum bpf_attach_type attach_type;
} kinds[] = {
	{ SECTION "/fentry", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY },
	{ SECTION "/fexit", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT },
	{ SECTION "/tp_btf", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP },
	{ SECTION "/kprobe", BPF_PROG_TYPE_KPROBE, 0 },
};

/*
 * Between begin() and end(). Not the handler's cookie, since handlers stay: libbpf 1.1 frees its list
 * twice when the last one goes and another one comes.
 */
static struct hp_templates *current;

/* libbpf is about to load @program: take its instructions, and leave it some that anyone may load. */
static int catch (struct bpf_program *program, struct bpf_prog_load_opts *opts, long cookie)
{
	static struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	struct hp_templates *templates = current;
	struct hp_template *t;
	size_t kind = 0, size = bpf_program__insn_cnt(program) * sizeof(*t->insns);

	while (strcmp(kinds[kind].section, bpf_program__section_name(program)))
		if (++kind == sizeof(kinds) / sizeof(kinds[0]))
			return -EINVAL;
	if (!templates || templates->count == HP_TEMPLATES_MAX)
		return -E2BIG;
	t = &templates->list[templates->count];
	t->insns = malloc(size);
	if (!t->insns)
		return -ENOMEM;
	memcpy(t->insns, bpf_program__insns(program), size);
	t->count = bpf_program__insn_cnt(program);
	t->type = kinds[kind].type;
	t->attach_type = kinds[kind].attach_type;
	snprintf(t->name, sizeof(t->name), "%s", bpf_program__name(program));
	templates->count++;

	/* What is said about the instructions does not hold for the others. */
	opts->prog_btf_fd = 0;
	opts->func_info_cnt = 0;
	opts->line_info_cnt = 0;
	return bpf_program__set_insns(program, nothing, sizeof(nothing) / sizeof(nothing[0]));
}

int hp_templates__begin(struct hp_templates *templates)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = catch);
	static int handler;

	memset(templates, 0, sizeof(*templates));
	if (!handler) {
		int ret = libbpf_register_prog_handler(SECTION "+", BPF_PROG_TYPE_SOCKET_FILTER, 0,
						       &opts);

		if (ret < 0)
			return ret;
		handler = ret;
	}
	current = templates;
	return 0;
}

void hp_templates__end(struct hp_templates *templates, int patch_map_fd, int shards_fd)
{
	current = NULL;
	for (size_t i = 0; i < templates->count; i++) {
		templates->list[i].patch_map_fd = patch_map_fd;
		templates->list[i].shards_fd = shards_fd;
	}
}

const struct hp_template *hp_templates__find(const struct hp_templates *templates,
					     const struct bpf_program *program)
{
	for (size_t i = 0; i < templates->count; i++)
		if (!strcmp(templates->list[i].name, bpf_program__name(program)))
			return &templates->list[i];
	return NULL;
}

void hp_templates__free(struct hp_templates *templates)
{
	for (size_t i = 0; i < templates->count; i++)
		free(templates->list[i].insns);
	templates->count = 0;
}
