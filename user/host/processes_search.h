/* SPDX-License-Identifier: GPL-2.0 */
/* A search for the processes that run code of a file, between the ways of reading mappings. */
#ifndef HP_HOST_PROCESSES_SEARCH_H
#define HP_HOST_PROCESSES_SEARCH_H

#include "hotproof/vma_record.h"

#include "host/processes.h"

/* A file that was looked at: its build-id is read once, however many processes map it. */
struct hp_search_file {
	uint64_t inode;
	uint32_t major, minor;
	bool matches;
};

struct hp_search {
	const struct hp_build_id *id;
	pid_t *pids; /* in order */
	size_t pid_count;
	struct hp_processes *out;
	struct hp_search_file *files;
	size_t file_count;
	struct hp_vma_other *others; /* the iterator's; NULL without one */
	uint32_t tgid;		     /* the last one that a record was read of, and its name */
	char comm[16];
	size_t room;	/* of out->items */
	pid_t *changed; /* called exec() while they were looked at, or have ended */
	size_t changed_count;
};

/* How often is looked again at processes that call exec() or come to be meanwhile. */
#define HP_SEARCH_LOOKS 8

bool hp_search__is_wanted(const struct hp_search *s, pid_t pid);

/* 1 if the mapped file is the one that is looked for, 0 if not, or a negative errno. */
int hp_search__matches(struct hp_search *s, const struct hp_vma_record *r);

/* Those of one process one after the other. 0 or a negative errno. */
int hp_search__consider(struct hp_search *s, const struct hp_vma_record *r);

/* What @part, a search for the same file, has found as well, after what was found before. */
int hp_search__take(struct hp_search *s, const struct hp_search *part);

/* HP_PROCESSES_QUERY (processes_query.c) */
int hp_search__query(struct hp_search *s);

#endif
