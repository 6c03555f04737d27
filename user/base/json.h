/* SPDX-License-Identifier: GPL-2.0 */
/* Parts of JSON documents. */
#ifndef HP_BASE_JSON_H
#define HP_BASE_JSON_H

#include <stdint.h>

#include <jansson.h>

/*
 * A new report object: {"schema": "hotproof.<verb>", "version": 1, "hotproof": "<release>", …}.
 * docs/schema/<verb>.schema.json describes it. The caller owns the reference.
 */
json_t *hp_json_report(const char *verb, int version);

/* An address as "0xffffffff81000000": 64 bits do not survive JSON numbers everywhere. */
json_t *hp_json_address(uint64_t address);

/*
 * @text as a string, null for NULL. Bytes that are not UTF-8 (a task's comm, a command line) become
 * U+FFFD each: jansson takes no other text, and a report must not fail for it.
 */
json_t *hp_json_text(const char *text);

/* The same with null for "": fixed-size fields that say nothing. */
json_t *hp_json_text_or_null(const char *text);

/*
 * Append @value to *@array; both references are taken. When either is missing, *@array is dropped
 * and becomes NULL: a report that lost an element must not look like a whole one.
 */
void hp_json_append(json_t **array, json_t *value);

/* The envelope of hp_json_report() with the fields of @body, which is taken; NULL on failure. */
json_t *hp_json_envelope(const char *verb, int version, json_t *body);

#endif
