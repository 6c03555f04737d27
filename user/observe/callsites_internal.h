/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the search for call sites share. Nobody else includes this. */
#ifndef HP_OBSERVE_CALLSITES_INTERNAL_H
#define HP_OBSERVE_CALLSITES_INTERNAL_H

#include "observe/callsites.h"
#include "observe/code_scan.h"

struct hp_match_cache;

struct hp_callsites {
	struct hp_callsites_source source;
	/* A slot of results for each address: two hotfixes may have one target. */
	uint64_t *address; /* sorted */
	struct hp_target_sites *slots;
	size_t slot_count;
	size_t *slot_of; /* target -> slot */
	size_t target_count;
	char **names; /* of blind objects */
	size_t name_count;
	struct hp_match_cache *cache; /* what matching has read; changes in a const result too */
};

/* One search, over one object at a time. */
struct hp_search {
	struct hp_callsites *cs;
	const struct hp_callsites_source *source;
	const struct hp_target *targets;
	size_t target_count;
	bool ksymtab; /* the table of symbols tells what is exported */
	uint64_t begin_ns;
	/* of the scan that goes on: */
	struct hp_address_set set;
	size_t *slot; /* index in the set -> slot */
	uint64_t slide;
	bool freed;	      /* code that is gone: what it calls does not matter any more */
	const uint64_t *skip; /* ranges [0, 1), [2, 3), … of data that do not count */
	size_t skip_count;
};

/* Look from now on for the @n slots in s->slot, in something linked @slide below its place. */
int hp_search__aim(struct hp_search *s, size_t n, uint64_t slide);

/* Scan some code, or data, for what was aimed at, and note what is found. */
int hp_search__scan(struct hp_search *s, const struct hp_code *code, bool exec);

/* Note that @object may call the target of a slot and could not be looked into. */
int hp_search__add_blind(struct hp_search *s, size_t slot, const char *object);

/* Sections that hold addresses for other reasons than to call them, or hold none. */
bool hp_search__is_bookkeeping(const char *section);

bool hp_search__stopped(const struct hp_search *s);

/* The live line, once the search has taken some time. */
void hp_search__show(const struct hp_search *s, const char *object);

/* The part of the search that goes through the loaded modules. */
int hp_search__modules(struct hp_search *s);

/* Whether @address is in @function, or @function is the cold part of the function there. */
bool hp_callsites__same_function(const struct hp_callsites *cs, const struct hp_symbol *function,
				 uint64_t address);

struct hp_match_cache *hp_match_cache__new(void);
void hp_match_cache__free(struct hp_match_cache *cache);

#endif
