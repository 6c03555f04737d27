/* SPDX-License-Identifier: GPL-2.0 */
/* The one writer of JSON reports. */
#ifndef HP_REPORT_JSON_H
#define HP_REPORT_JSON_H

#include <stdint.h>

#include <jansson.h>

/*
 * A new report object: {"schema": "hotproof.<verb>", "version": 1, "hotproof": "<release>", …}.
 * docs/schema/<verb>.schema.json describes it. The caller owns the reference.
 */
json_t *hp_json_report(const char *verb, int version);

/* Print @report on stdout, one document, indented, with a newline; drops the reference. */
int hp_json_print(json_t *report);

/* An address as "0xffffffff81000000": 64 bits do not survive JSON numbers everywhere. */
json_t *hp_json_address(uint64_t address);

#endif
