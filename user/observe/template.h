/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Template programs: BPF programs of which libbpf loads nothing, but whose instructions it prepares
 * (maps and sub-programs filled in). Copies of those are what is loaded, see attach.h.
 *
 * libbpf would load each of them once for nothing, and read all of the kernel's BTF for a program
 * type that it knows to need it.
 */
#ifndef HP_OBSERVE_TEMPLATE_H
#define HP_OBSERVE_TEMPLATE_H

#include <stddef.h>

#include <bpf/libbpf.h>

#define HP_TEMPLATES_MAX 16

struct hp_template {
	char name[64];
	enum bpf_prog_type type;
	enum bpf_attach_type attach_type;
	struct bpf_insn *insns;
	size_t count;
	/* The maps that stand in for those of a copy. */
	int patch_map_fd;
	int shards_fd;
};

struct hp_templates {
	struct hp_template list[HP_TEMPLATES_MAX];
	size_t count;
};

/*
 * From here to hp_templates__end(), programs in sections "template/KIND" of a BPF object that is
 * opened and loaded become templates. Their descriptors are those of programs that do nothing.
 * Not for several threads at once. 0 or a negative errno.
 */
int hp_templates__begin(struct hp_templates *templates);
void hp_templates__end(struct hp_templates *templates, int patch_map_fd, int shards_fd);

/* The template that was made of @program, or NULL. */
const struct hp_template *hp_templates__find(const struct hp_templates *templates,
					     const struct bpf_program *program);

void hp_templates__free(struct hp_templates *templates);

#endif
