/* SPDX-License-Identifier: GPL-2.0 */
/* The BPF programs that are loaded on this host, their functions, and who is attached to these. */
#ifndef HP_HOST_BPF_PROGRAM_H
#define HP_HOST_BPF_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

#define HP_BPF_NAME_MAX	    128 /* of a function, by its BTF; a program's own name has 15 bytes */
#define HP_BPF_TAG_TEXT_MAX 17	/* BPF_TAG_SIZE bytes in hexadecimal */

struct btf;

/* A function of a loaded program, or only of the object file that it came from. */
struct hp_bpf_function {
	char name[HP_BPF_NAME_MAX];
	uint32_t type_id; /* BTF_KIND_FUNC in the program's BTF */
	bool global; /* linkage: only such functions keep their signature and can be replaced */
	bool loaded; /* it is in the program, and not inlined or another program's */
	uint64_t address; /* of its machine code; 0 when hidden (kptr_restrict) or not jited */
	uint32_t size;	  /* of its machine code, bytes */
	char prototype[256];
};

struct hp_bpf_program {
	int fd; /* owned */
	uint32_t id;
	uint32_t type; /* enum bpf_prog_type */
	char name[16];
	char tag[HP_BPF_TAG_TEXT_MAX];
	uint64_t runs;			   /* 0 unless kernel.bpf_stats_enabled */
	struct btf *btf;		   /* owned; NULL: it was loaded without */
	struct hp_bpf_function *functions; /* owned; none without BTF */
	size_t function_count;
	uint32_t *maps; /* ids, owned */
	size_t map_count;
};

/*
 * Open the one program that @spec names: "id:N", "name:NAME" (the program's, or that of its main
 * function in full), "pin:PATH" or "tag:TAG". HP_E_BPF_NO_PROGRAM: none, or more than one, and
 * which. hp_bpf_program__close() it.
 */
int hp_bpf_program__find(struct hp_bpf_program **out, const char *spec, struct hp_error *err);

/* The same by id. -ENOENT, with @err filled, when it is gone. */
int hp_bpf_program__open(struct hp_bpf_program **out, uint32_t id, struct hp_error *err);
void hp_bpf_program__close(struct hp_bpf_program *program);
HP_DEFINE_CLEANUP(struct hp_bpf_program *, hp_bpf_program__close)

const struct hp_bpf_function *hp_bpf_program__function(const struct hp_bpf_program *program,
						       const char *name);

/* "xdp", "sched_cls", … */
const char *hp_bpf_type_name(uint32_t type);

/* A program that is attached to a function of another one. */
struct hp_bpf_holder {
	uint32_t link_id;
	uint32_t program_id;
	char program_name[16];
	uint32_t target_id;	 /* the program, */
	uint32_t target_type_id; /* and the function in its BTF */
	bool replaces;		 /* freplace; else fentry, fexit or fmod_ret */
};

/* All of them on this host; *out is malloc'ed. Links that go meanwhile are left out. */
int hp_bpf_holders__list(struct hp_bpf_holder **out, size_t *count, struct hp_error *err);

/*
 * Is there a map by which tail calls get into the main function of @program? 0, with the map's id and
 * name in @map; -ENOENT: none; -EPERM: maps cannot be read. Such a call lands behind the function's
 * first instruction, which a replacement has taken: it runs the old code (docs/kernel-hazards.md, 3).
 */
int hp_bpf_tail_calls__find(uint32_t program, char *map, size_t size);

#endif
