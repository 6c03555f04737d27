/* SPDX-License-Identifier: GPL-2.0 */
/* How numbers and verdicts are written for people. */
#ifndef HP_REPORT_FORMAT_H
#define HP_REPORT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "observe/verdict.h"

struct hp_text {
	char s[32];
};

/* "850 ns", "1.25 us", "3.1 ms", "12 s": three digits and the unit that fits. */
struct hp_text hp_format__ns(double ns);

/* The same with its sign: "+12 ns", "-1.5 us", "0 ns". */
struct hp_text hp_format__ns_signed(double ns);

/* A count, "-" for HP_COUNT_UNKNOWN. */
struct hp_text hp_format__count(uint64_t count);

/* The name of a colour for libsmartcols, and the escape sequences for the rest. */
const char *hp_format__verdict_color(enum hp_verdict verdict);
const char *hp_format__color(const char *name, bool color);
const char *hp_format__reset(bool color);

#endif
