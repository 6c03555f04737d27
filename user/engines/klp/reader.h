/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The loaded BPF programs that read the livepatch core. They run when asked and attach to nothing,
 * so there is nothing to undo but the file descriptors. One reader serves one thread; keep it open,
 * loading it costs more than all its reads.
 */
#ifndef HP_KLP_READER_H
#define HP_KLP_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/text.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "engines/engine.h"
#include "hotproof/klp_records.h"

struct klp_list_bpf;
struct klp_tasks_bpf;

struct hp_klp_reader {
	struct klp_list_bpf *list;
	struct klp_tasks_bpf *tasks; /* NULL before it is needed, and where it is refused */
	bool tasks_refused;
	uint64_t klp_patches; /* address of the list's head, 0 until it is found */
};

/*
 * Load the programs. Needs CAP_BPF and CAP_PERFMON. Returns 0 and a reader owned by the caller, or
 * a negative errno with @err filled.
 */
int hp_klp_reader__open(struct hp_klp_reader **out, struct hp_error *err);
void hp_klp_reader__close(struct hp_klp_reader *reader);
HP_DEFINE_CLEANUP(struct hp_klp_reader *, hp_klp_reader__close)

/*
 * Find the list. Needs CAP_SYSLOG, and kernel.kptr_restrict below 2: without them the kernel tells
 * no address by name. The tasks can be read all the same.
 */
int hp_klp_reader__find_list(struct hp_klp_reader *reader, struct hp_error *err);

/* Run one of the syscall programs; 0 or a negative errno. */
int hp_klp_reader__run(int prog_fd);

/* A symbol of the kernel or of a module. */
struct hp_klp_symbol {
	char name[HP_SYMBOL_MAX];
	char object[HP_NAME_MAX]; /* "vmlinux" or a module */
	uint64_t address;
	uint64_t offset; /* of the address into the symbol */
	uint64_t size;
	unsigned char bytes[HP_KLP_ENTRY_LEN]; /* what is at the address */
	uint64_t word;			       /* the first eight of them, for a variable */
};

/*
 * The first symbol of this name in @object ("vmlinux" or a module). Not by reading /proc/kallsyms:
 * the kernel looks it up, in microseconds. -ENOENT, -EPERM or another negative errno.
 */
int hp_klp_reader__find(struct hp_klp_reader *reader, const char *object, const char *name,
			struct hp_klp_symbol *out);

/* The code of a function behind its ftrace call site. */
struct hp_klp_body {
	/*
	 * It comes by the place behind the site more than once a call: it jumps back there, or may
	 * do so, since it could not be read or decoded.
	 */
	bool loops;
	struct hp_text_place branch; /* its first, if every call comes there once; else all 0 */
};

/* Read the function of @size bytes at @address. */
void hp_klp_reader__body(struct hp_klp_reader *reader, uint64_t address, uint64_t size,
			 struct hp_klp_body *out);

/* What is at @address. */
int hp_klp_reader__at(struct hp_klp_reader *reader, uint64_t address, struct hp_klp_symbol *out);

#endif
