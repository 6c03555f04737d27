/* SPDX-License-Identifier: GPL-2.0 */
/* A hotfix for a loaded BPF program, as a file: freplace programs, maps, the baseline. */
#ifndef HP_HOTFIX_BPF_OBJECT_H
#define HP_HOTFIX_BPF_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "host/bpf_program.h"

struct bpf_object;
struct bpf_program;

/* A forward attach. */
struct hp_bpf_forward {
	char target[HP_BPF_NAME_MAX];
	char replacement[HP_BPF_NAME_MAX];
	uint32_t instructions;
	struct bpf_program *program; /* of the object */
};

struct hp_bpf_object {
	char name[64]; /* of the hotfix: the file's, without its endings */
	const char *path;
	char baseline[HP_BPF_TAG_TEXT_MAX]; /* the tag it was made for, or "" */
	struct bpf_object *object;	    /* owned; not loaded */
	struct hp_bpf_forward *forwards;    /* owned */
	size_t forward_count;
};

/* True if @path is an ELF file for BPF. */
bool hp_bpf_object__is_one(const char *path);

/* What a hotfix in the file @path is called: the file, up to its first dot. False: nothing, or too long. */
bool hp_bpf_object__name(const char *path, char *name, size_t size);

/*
 * Read the file; nothing is loaded. @path must outlive the result. HP_E_BPF_OBJECT: it cannot be
 * read, or has another program than freplace. hp_bpf_object__close() it.
 */
int hp_bpf_object__open(struct hp_bpf_object **out, const char *path, struct hp_error *err);
void hp_bpf_object__close(struct hp_bpf_object *object);
HP_DEFINE_CLEANUP(struct hp_bpf_object *, hp_bpf_object__close)

#endif
