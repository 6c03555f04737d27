/* SPDX-License-Identifier: GPL-2.0 */
/* What calls cost: filled by measure, apply and revert, shown as text and JSON. */
#ifndef HP_REPORT_MEASURE_H
#define HP_REPORT_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/error.h"
#include "base/exit_status.h"
#include "hotfix/target.h"
#include "host/build_id.h"
#include "hotproof/patch_map.h"
#include "observe/bootstrap.h"
#include "report/verify.h"

/* "2026-11-23T09:00:00Z" */
#define HP_MEASURE_TIME_MAX 32

/* One side, old or new, of a function that was measured. */
struct hp_measure_side {
	bool measured;
	char reason[160];	    /* why not; with measured, what to know about it; may be "" */
	char symbol[HP_SYMBOL_MAX]; /* the function that was timed */
	const char *earlier;	    /* the file of the earlier run it is from, or NULL; not owned */
	char earlier_at[HP_MEASURE_TIME_MAX]; /* and when that run ended */
	const char *method;		      /* "fentry+fexit", "kprobe+kretprobe" */
	double probe_cost;		      /* median of what the probe adds to a call, ns */
	double probe_spread;  /* of processes: from the 10th to the 90th percentile of that, ns */
	uint64_t untimed;     /* calls without a time: entry and exit could not be paired */
	uint64_t misses;      /* calls the probe skipped, or HP_COUNT_UNKNOWN */
	size_t processes;     /* of how many processes, 0: of the kernel */
	uint64_t window_ns;   /* how long was measured */
	struct hp_hist *hist; /* owned; raw times, all CPUs; NULL unless measured */
};

enum hp_measure_which {
	HP_MEASURE_OLD,
	HP_MEASURE_NEW,
	HP_MEASURE_SIDES,
};

struct hp_measure_function {
	char symbol[HP_SYMBOL_MAX]; /* as asked for, or the target */
	char object[HP_NAME_MAX];
	uint64_t sympos;		      /* which of that name, from 1; 0: the only one */
	char object_id[HP_BUILD_ID_TEXT_MAX]; /* build-id of a file of processes, or "" */
	char livepatch[HP_NAME_MAX];	      /* what replaces it, or "" */
	struct hp_measure_side side[HP_MEASURE_SIDES];
	struct hp_comparison comparison; /* set by hp_measure_report__finish() */
};

struct hp_measure_report {
	struct hp_measure_function *functions; /* owned */
	size_t function_count;
	char measured_at[HP_MEASURE_TIME_MAX];	    /* UTC, ISO 8601 */
	char kernel_build_id[HP_BUILD_ID_TEXT_MAX]; /* of the running kernel; "": it has none */
	struct hp_exercise_result exercise;	    /* ->calls is not used here */
	enum hp_exit status;
};

/* Allocate the histogram of @side and mark it as measured; NULL: out of memory. */
struct hp_hist *hp_measure_side__start(struct hp_measure_side *side);

/* Note when and on which kernel this was measured. */
void hp_measure_report__stamp(struct hp_measure_report *report);

/*
 * Read a report that measure, or apply with --baseline, wrote as JSON to the file @path. Sides
 * that it took from a still earlier report are left out: what is compared was measured once.
 * hp_measure_report__free() the result. Returns 0, -EBADMSG (no such report) or the error of
 * reading, with @err filled.
 */
int hp_measure_report__read(struct hp_measure_report *out, const char *path, struct hp_error *err);

/*
 * The function of @report that is @symbol of @object, the @sympos-th of that name (0 is the only
 * one), or NULL.
 */
struct hp_measure_function *hp_measure_report__find(const struct hp_measure_report *report,
						    const char *object, const char *symbol,
						    uint64_t sympos);

/*
 * Give each function of @report the side that it has not measured from @earlier, read from the
 * file @path, which must outlive @report. The sides move; @earlier is still to be freed.
 */
void hp_measure_report__complete(struct hp_measure_report *report,
				 struct hp_measure_report *earlier, const char *path);

/*
 * Compare old and new of each function, with @seed. The status is HP_EXIT_OK when each function
 * has at least one timed call, HP_EXIT_VERIFY otherwise. Returns 0 or -ENOMEM.
 */
int hp_measure_report__finish(struct hp_measure_report *report, uint64_t seed);

/* Frees what the report owns, not the report. */
void hp_measure_report__free(struct hp_measure_report *report);

/* Tables, comparisons and histograms; with @ascii, bars of plain characters. */
int hp_measure_report__print(const struct hp_measure_report *report, FILE *out, bool color,
			     bool ascii);

/* The fields without the envelope; NULL: out of memory. */
json_t *hp_measure_report__body(const struct hp_measure_report *report);

/* The report of `hotproof measure --json`, docs/schema/measure.schema.json. */
json_t *hp_measure_report__json(const struct hp_measure_report *report);

#endif
