/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guard's program between libbpf and the kernel. libbpf would read all types of the kernel, which
 * takes longer than all else of a load: so it relocates the object by the few types that it needs,
 * prepares the program, and leaves its loading to whoever asked.
 */
#ifndef HP_HOTFIX_GUARD_CATCH_H
#define HP_HOTFIX_GUARD_CATCH_H

#include <stddef.h>

struct bpf_object;
struct bpf_program;
struct bpf_prog_load_opts;

/*
 * Open the file at @path, or @bytes. *types is a descriptor, to be closed with the object: a BTF file,
 * empty yet, by which the object will be relocated. NULL with errno set.
 */
struct bpf_object *hp_guard_catch__open(const char *path, const void *bytes, size_t size,
					int *types);

/* Loads @program, of a prepared object, with @opts of libbpf's and its own: 0 or a negative errno. */
typedef int hp_guard_catch_fn(struct bpf_program *program, const struct bpf_prog_load_opts *opts,
			      void *arg);

/* bpf_object__load(), with @load for the program. */
int hp_guard_catch__load(struct bpf_object *object, hp_guard_catch_fn *load, void *arg);

#endif
