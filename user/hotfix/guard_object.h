/* SPDX-License-Identifier: GPL-2.0 */
/* A guard with code, as a file: a BPF object that an author made with hotproof/guard.bpf.h. */
#ifndef HP_HOTFIX_GUARD_OBJECT_H
#define HP_HOTFIX_GUARD_OBJECT_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "hotproof/guard.h"

struct bpf_object;
struct hp_elf;

struct hp_guard_object {
	char name[HP_GUARD_NAME_MAX]; /* of the guard: the file's, without its endings */
	const char *path;
	char function[HP_GUARD_FUNCTION_MAX]; /* the kernel's, also for an LSM hook */
	enum hp_guard_kind kind;
	struct bpf_object *object; /* owned; not loaded */
	int types;		   /* owned: by what it is relocated (hotfix/guard_catch.h) */
	struct hp_elf *elf;	   /* owned: the same file */
};

/* True if @path is a BPF object with a program for fmod_ret or an LSM hook. */
bool hp_guard_object__is_one(const char *path);

/*
 * Read the file; nothing is loaded. @path must outlive the result. HP_E_GUARD_OBJECT: it cannot be
 * read, has not exactly one such program, or was not made with this hotproof's header.
 * hp_guard_object__close() it.
 */
int hp_guard_object__open(struct hp_guard_object **out, const char *path, struct hp_error *err);
void hp_guard_object__close(struct hp_guard_object *object);
HP_DEFINE_CLEANUP(struct hp_guard_object *, hp_guard_object__close)

#endif
