/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of reports share: text in memory, JSON checked against its published schema. */
#ifndef HP_TESTS_REPORT_H
#define HP_TESTS_REPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/cleanup.h"

/*
 * What `tests/validate VERB` says about @report: 0 valid, 1 not, with its complaints unless @quiet.
 * Run from the project's folder.
 */
static inline int validate(const char *verb, const json_t *report, bool quiet)
{
	char command[128];
	FILE *pipe;
	int status;

	snprintf(command, sizeof(command), "tests/validate %s%s", verb, quiet ? " >/dev/null" : "");
	pipe = popen(command, "w");
	assert_non_null(pipe);
	assert_int_equal(json_dumpf(report, pipe, 0), 0);
	status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* @report, which is taken, is valid; and the same with a member too many is not. */
static inline void assert_valid(const char *verb, json_t *report)
{
	assert_non_null(report);
	assert_int_equal(validate(verb, report, false), 0);
	json_object_set_new(report, "surplus", json_true());
	assert_int_equal(validate(verb, report, true), 1);
	json_decref(report);
}

/* A stream in memory: take_text() closes it and returns what was written, for free(). */
struct memory {
	FILE *stream;
	char *text;
	size_t size;
};

static inline void open_memory(struct memory *memory)
{
	memory->stream = open_memstream(&memory->text, &memory->size);
	assert_non_null(memory->stream);
}

static inline char *take_text(struct memory *memory)
{
	fclose(memory->stream);
	return memory->text;
}

/* @text holds @part; otherwise show the whole text. */
static inline void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

static inline void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' in:\n%s", part, text);
}

#endif
