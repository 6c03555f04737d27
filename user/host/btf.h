/* SPDX-License-Identifier: GPL-2.0 */
/* BTF of the running kernel and its modules: which function has which type id. */
#ifndef HP_HOST_BTF_H
#define HP_HOST_BTF_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct hp_btf;
struct btf;
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

/* All types of vmlinux: ids from 1, below the count (0: it cannot be read), and their names. */
uint32_t hp_btf__type_count(struct hp_btf *btf);
const char *hp_btf__strings(struct hp_btf *btf, size_t *size);

/* The file that the kernel gives of it. */
const void *hp_btf__raw(struct hp_btf *btf, size_t *size);

/* Where the name of @length bytes is among them; 0: nothing is called so. */
uint32_t hp_btf__find_name(struct hp_btf *btf, const char *name, size_t length);

/* Of a type's record, with what follows it; 0 for a kind that is not known here. */
size_t hp_btf__record_size(const struct btf_type *t);

/*
 * Write to @fd, as a BTF file, those types of vmlinux by which libbpf relocates an object: with types
 * @local and the section .BTF.ext at @ext. 0 or a negative errno; -EOPNOTSUPP: it asks for more than
 * fields, and so needs all types, which hp_btf__write_all() writes. libbpf's own reading of them takes longer than all else of a load.
 */
int hp_btf__write_subset(struct hp_btf *btf, const struct btf *local, const void *ext, size_t size,
			 int fd);
int hp_btf__write_all(struct hp_btf *btf, int fd);

/*
 * The type id of function @name of @object ("vmlinux" or a loaded module). *object_fd is 0 for
 * vmlinux, else a descriptor of the module's BTF that stays open with @btf: what BPF_PROG_LOAD
 * takes as attach_btf_obj_fd. -ENOENT: no such function, or the module has no BTF.
 */
int hp_btf__find_function(struct hp_btf *btf, const char *object, const char *name, uint32_t *id,
			  int *object_fd);

#endif
