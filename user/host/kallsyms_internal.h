/* SPDX-License-Identifier: GPL-2.0 */
/* The table of symbols, shared by the file that fills it and the one that searches it. */
#ifndef HP_HOST_KALLSYMS_INTERNAL_H
#define HP_HOST_KALLSYMS_INTERNAL_H

#include "host/kallsyms.h"

/* 16 bytes per symbol: there are some 200000. */
struct ksym_entry {
	uint64_t address;
	uint32_t name; /* offset in names */
	uint16_t object;
	char type;
};

struct ksym_object {
	char *name;
	bool closed; /* its block in the file has ended */
};

/* Built on demand, behind a pointer: asking a const table a question may build them. */
struct ksym_index {
	uint32_t *by_address; /* entry numbers */
	uint32_t *bucket;     /* first entry of each name hash */
	uint32_t *next;	      /* entry -> next entry with that hash, in the order of the table */
	uint32_t bucket_mask;
};

struct hp_kallsyms {
	struct ksym_entry *entries;
	size_t count, entry_cap;
	char *names;
	size_t names_len, names_cap;
	struct ksym_object *objects;
	size_t object_count, current;
	bool hidden;
	struct ksym_index *index;
};

/* Add the lines of the open file to an empty table. 0 or a negative errno. */
int hp_kallsyms__parse(struct hp_kallsyms *ks, int fd);

#endif
