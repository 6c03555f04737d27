/* SPDX-License-Identifier: GPL-2.0 */
/* BTF of the running kernel and its modules: which function has which type id. */
#ifndef HP_HOST_BTF_H
#define HP_HOST_BTF_H

#include <stdint.h>

#include "base/cleanup.h"

struct hp_btf;
struct btf_type;

/* 0, or a negative errno when the kernel has no BTF; the caller owns it. Nothing is loaded yet. */
int hp_btf__open(struct hp_btf **out);
void hp_btf__close(struct hp_btf *btf);
HP_DEFINE_CLEANUP(struct hp_btf *, hp_btf__close)

/* Read the types of vmlinux, which otherwise happens when they are first asked for: 0 or a negative errno. */
int hp_btf__load(struct hp_btf *btf);

/* The types of vmlinux, indexed, or NULL; they live as long as @btf. Takes a tenth of a second and more. */
struct btf *hp_btf__vmlinux(struct hp_btf *btf);

/* Type @id of vmlinux, without the index; NULL: there is none (0 is void). Lives as long as @btf. */
const struct btf_type *hp_btf__type(struct hp_btf *btf, uint32_t id);

/*
 * The type id of function @name of @object ("vmlinux" or a loaded module). *object_fd is 0 for
 * vmlinux, else a descriptor of the module's BTF that stays open with @btf: what BPF_PROG_LOAD
 * takes as attach_btf_obj_fd. -ENOENT: no such function, or the module has no BTF.
 */
int hp_btf__find_function(struct hp_btf *btf, const char *object, const char *name, uint32_t *id,
			  int *object_fd);

#endif
