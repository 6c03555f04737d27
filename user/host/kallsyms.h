/* SPDX-License-Identifier: GPL-2.0 */
/* The running kernel's symbols, as /proc/kallsyms shows them. */
#ifndef HP_HOST_KALLSYMS_H
#define HP_HOST_KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct hp_kallsyms;

struct hp_symbol {
	uint64_t address;   /* 0 where kptr_restrict hides addresses */
	uint64_t size;	    /* to the next symbol of the object, 0 when unknown */
	const char *name;   /* these two live as long as the table */
	const char *object; /* "vmlinux" or a module's name */
	char type;	    /* as nm prints it: t/T text, d/D data, … */
};

/*
 * Read the table from @path (NULL: /proc/kallsyms). Tolerates modules that come and go.
 * Returns 0 and a table owned by the caller, or a negative errno with @err filled.
 */
int hp_kallsyms__open(struct hp_kallsyms **out, const char *path, struct hp_error *err);
void hp_kallsyms__close(struct hp_kallsyms *ks);
HP_DEFINE_CLEANUP(struct hp_kallsyms *, hp_kallsyms__close)

/* True when all addresses read as 0 (kptr_restrict, no CAP_SYSLOG). */
bool hp_kallsyms__hidden(const struct hp_kallsyms *ks);

/* How many symbols of @object ("vmlinux" or a module; NULL: any) are named @name. */
size_t hp_kallsyms__count(const struct hp_kallsyms *ks, const char *object, const char *name);

/*
 * The symbol @name of @object. @sympos as in livepatch: 0 wants a unique name, n the n-th in the
 * order of the table. -ENOENT: none; -ENOTUNIQ: sympos is 0 and there are several.
 */
int hp_kallsyms__find(const struct hp_kallsyms *ks, const char *object, const char *name,
		      uint64_t sympos, struct hp_symbol *out);

/* The text symbol that holds @address; @offset into it. -ENOENT when there is none. */
int hp_kallsyms__lookup(const struct hp_kallsyms *ks, uint64_t address, struct hp_symbol *out,
			uint64_t *offset);

#endif
