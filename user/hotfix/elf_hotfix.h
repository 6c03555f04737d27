/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A hotfix file for the proc engine: a shared object whose note "hotproof" says, in JSON, what it
 * replaces and what it needs. docs/schema/hotfix.schema.json describes the JSON.
 */
#ifndef HP_HOTFIX_ELF_HOTFIX_H
#define HP_HOTFIX_ELF_HOTFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "host/build_id.h"
#include "host/elf_file.h"

#define HP_HOTFIX_FORMAT       1
#define HP_HOTFIX_NOTE_OWNER   "hotproof"
#define HP_HOTFIX_NOTE_TYPE    1 /* metadata in JSON */
#define HP_HOTFIX_NOTE_SECTION ".note.hotproof"
#define HP_HOTFIX_HASH_BYTES   32 /* SHA-256 */
#define HP_HOTFIX_ID_MAX       64
#define HP_HOTFIX_ATTACHES_MAX 256
#define HP_HOTFIX_FUNCTION_MAX (1 << 20) /* bytes of a target */

/* A forward attach: calls of the target go to the replacement. */
struct hp_forward {
	char *target;	   /* as the author named it */
	char *replacement; /* a dynamic symbol of the hotfix */
	uint64_t address;  /* link address of the target in its object */
	uint64_t size;
	uint8_t sha256[HP_HOTFIX_HASH_BYTES]; /* of the target's bytes in its object */
	uint64_t new_address;		      /* link address of the replacement, from the file */
	uint64_t new_size;
};

/* A reverse attach: an undefined symbol of the hotfix. */
struct hp_reverse {
	char *symbol;	  /* as the hotfix has it */
	char *name;	  /* as the target object has it, when in_target; "file.c:name" too */
	bool in_target;	  /* it is the target object's; else some other library's, at run time */
	uint64_t address; /* link address in the target object, */
	bool indirect;	  /* of a function that says where it is (IFUNC) */
	uint64_t slot;	  /* where the target itself has what it uses by that name; 0: its own */
};

/* What there is to know about a target that the attaches do not say. */
enum hp_remark_kind {
	HP_REMARK_CALLS,    /* count: direct calls in the target file */
	HP_REMARK_COLD,	    /* address, size: a part of the target that lies elsewhere */
	HP_REMARK_CLONE,    /* address, size: a copy under another name, not redirected */
	HP_REMARK_INLINED,  /* count: copies within other functions, not redirected */
	HP_REMARK_NOT_SEEN, /* of no target: what could not be looked for */
	HP_REMARK_KINDS,
};

struct hp_remark {
	enum hp_remark_kind kind;
	char *target; /* as in the forward attach, or "" */
	char *text;   /* for people */
	uint64_t count, address, size;
};

/* True if the fix may be less than its author believes. */
bool hp_remark__is_warning(const struct hp_remark *remark);

struct hp_hotfix_meta {
	char *id;
	uint64_t sequence;
	char *description; /* "" for none */
	char **cves;
	size_t cve_count;
	char *target_path;
	struct hp_build_id target_id;
	struct hp_forward *forward;
	size_t forward_count;
	struct hp_reverse *reverse;
	size_t reverse_count;
	struct hp_remark *remarks;
	size_t remark_count;
};

void hp_hotfix_meta__free(struct hp_hotfix_meta *meta);

/* The JSON of the note, and back; the latter checks every field. */
json_t *hp_hotfix_meta__json(const struct hp_hotfix_meta *meta);
int hp_hotfix_meta__parse(struct hp_hotfix_meta *meta, const char *text, size_t len,
			  struct hp_error *err);

/* An id may be used as a file name: letters, digits, ".", "_", "-", not beginning with a dot. */
bool hp_hotfix_id__valid(const char *id);

/* SHA-256 of @len bytes. */
void hp_hotfix__hash(const void *data, size_t len, uint8_t hash[HP_HOTFIX_HASH_BYTES]);

struct hp_hotfix;

/* Open and check a hotfix file. 0 or a negative errno with @err filled. */
int hp_hotfix__open(struct hp_hotfix **out, const char *path, struct hp_error *err);
void hp_hotfix__close(struct hp_hotfix *hotfix);
HP_DEFINE_CLEANUP(struct hp_hotfix *, hp_hotfix__close)

const struct hp_hotfix_meta *hp_hotfix__meta(const struct hp_hotfix *hotfix);
struct hp_elf *hp_hotfix__elf(const struct hp_hotfix *hotfix);

/* True if the file at @path is an ELF file with a note of ours, whatever else is wrong with it. */
bool hp_hotfix__is_one(const char *path);

#endif
