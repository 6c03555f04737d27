/* SPDX-License-Identifier: GPL-2.0 */
/* The result of a verification: filled by verify, apply and revert, shown as text and JSON. */
#ifndef HP_REPORT_VERIFY_H
#define HP_REPORT_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/exit_status.h"
#include "hotfix/target.h"
#include "hotproof/patch_map.h"
#include "observe/callsites.h"
#include "observe/point.h"
#include "observe/verdict.h"

/* A call site of a target. */
struct hp_verify_site {
	char *object;	  /* the file's name, owned; NULL: of the kernel or a module */
	uint64_t address; /* of the instruction; of the return address for HP_SITE_UNKNOWN */
	char *symbol;	  /* the function around it, owned, NULL when unknown */
	uint64_t offset;  /* into that function */
	enum hp_site_kind kind;
	bool found_static; /* found in the object's code; false: seen at run time only */
	/*
	 * Its calls can be told apart. Not so for jumps: the return address that the target sees
	 * is that of the jumping function's caller. Such sites are listed, and not in coverage.
	 */
	bool countable;
	uint64_t redirected;
	uint64_t stale;
};

/* What is known about the call sites of one target. */
struct hp_call_sites {
	struct hp_verify_site *list; /* owned */
	size_t count;
	bool known;	      /* static call sites were looked for and found out */
	bool by_pointer;      /* the target's address is taken: it may be called through pointers */
	bool pointers_unseen; /* it may be taken in data that could not be searched, too */
	char reason[160];     /* why static call sites are not known */
	/* Known from code, never called, and left out of the list; of those the countable. */
	uint32_t unlisted, unlisted_countable;
};

/* How one point of a target was observed. */
struct hp_verify_point {
	const char *method; /* "fentry", "kprobe", …; NULL: not observed */
	char symbol[HP_SYMBOL_MAX];
	uint64_t offset;
	bool at_most;	  /* turns of a loop are counted too: there were at most so many calls */
	uint64_t misses;  /* HP_COUNT_UNKNOWN when the kernel does not count them */
	char reason[160]; /* why not observed, or why not in the cheapest way; may be "" */
};

struct hp_verify_target {
	struct hp_target target;
	struct hp_read_back read_back;
	struct hp_verify_point point[HP_POINT_ROLES];

	uint64_t calls; /* each of these five may be HP_COUNT_UNKNOWN */
	uint64_t redirected;
	uint64_t stale;
	uint64_t scoped; /* calls of the exercise */
	uint64_t misses;
	uint64_t program_runs; /* of the BPF program around the target; HP_COUNT_UNKNOWN */

	uint32_t switched; /* reach; 0 of 0 when it is not known */
	uint32_t total;

	struct hp_call_sites call_sites;

	enum hp_verdict verdict;
	char reason[HP_VERDICT_REASON_MAX];
};

/* What --exercise did. */
struct hp_exercise_result {
	const char *command; /* NULL: there was none */
	int status;	     /* exit status; 128 + n for signal n; -1: it was stopped */
	uint64_t calls;	     /* calls it made, redirected or stale, all targets */
};

struct hp_verify_report {
	struct hp_verify_target *targets; /* owned */
	size_t target_count;
	uint64_t window_ns; /* how long was observed */
	struct hp_exercise_result exercise;
	uint64_t min_calls;	 /* as asked, 0 for no such wish */
	double min_coverage;	 /* percent, the same */
	enum hp_verdict verdict; /* of all targets; set by hp_verify_report__finish() */
	enum hp_exit status;
};

/* Call sites of one target, by what is known about them. */
struct hp_site_totals {
	uint32_t known; /* found in code */
	uint32_t
		countable; /* of those, the ones whose calls can be told apart: coverage is of these */
	uint32_t exercised;  /* of the countable, called */
	uint32_t redirected; /* of the countable, called and never stale */
	uint32_t dynamic;    /* seen at run time only */
};

struct hp_site_totals hp_call_sites__totals(const struct hp_call_sites *sites);
void hp_call_sites__free(struct hp_call_sites *sites);
/* One more, all zero; NULL: out of memory. */
struct hp_verify_site *hp_call_sites__add(struct hp_call_sites *sites);
/* The site at @address of @object (NULL: the kernel), or NULL. */
struct hp_verify_site *hp_call_sites__at(const struct hp_call_sites *sites, const char *object,
					 uint64_t address);
/* As all reports have it; NULL: out of memory. */
json_t *hp_call_sites__json(const struct hp_call_sites *sites);
/* A line of text, or two, without indentation at @indent. */
void hp_call_sites__print(const struct hp_call_sites *sites, FILE *out, const char *indent);
void hp_verify_site__print(const struct hp_verify_site *site, FILE *out, const char *indent);

/* The worst verdict of all targets (absent when there is none), and the exit status it stands for. */
void hp_verify_report__finish(struct hp_verify_report *report);

/* Frees what the report owns, not the report. */
void hp_verify_report__free(struct hp_verify_report *report);

/* A table, and below it what needs a person's attention; @verbosity 1 tells it of all targets. */
int hp_verify_report__print(const struct hp_verify_report *report, FILE *out, bool color,
			    int verbosity);

/* The fields without the envelope, for reports that hold a verification; NULL: out of memory. */
json_t *hp_verify_report__body(const struct hp_verify_report *report);

/* The report of `hotproof verify --json`, docs/schema/verify.schema.json. */
json_t *hp_verify_report__json(const struct hp_verify_report *report);

#endif
