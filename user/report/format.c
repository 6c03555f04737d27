// SPDX-License-Identifier: GPL-2.0
/* Numbers and verdicts for people. */
#include "report/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/verify.h"

static const struct {
	double ns;
	const char *name;
} units[] = { { 1, "ns" }, { 1e3, "us" }, { 1e6, "ms" }, { 1e9, "s" } };

#define UNITS (sizeof(units) / sizeof(units[0]))

struct hp_text hp_format__ns(double ns)
{
	struct hp_text text;
	size_t unit = 0;
	double value;
	int decimals;

	/* 999.6 us is 1 ms in three digits: choose the unit by the rounded value. */
	while (unit + 1 < UNITS && fabs(ns) >= 999.5 * units[unit].ns)
		unit++;
	value = ns / units[unit].ns;
	if (fabs(value) >= 99.95 || value == nearbyint(value))
		decimals = 0;
	else
		decimals = fabs(value) >= 9.995 ? 1 : 2;
	snprintf(text.s, sizeof(text.s), "%.*f %s", decimals, value, units[unit].name);
	return text;
}

struct hp_text hp_format__ns_signed(double ns)
{
	struct hp_text plain = hp_format__ns(ns);
	struct hp_text text;

	if (ns <= 0)
		return plain;
	snprintf(text.s, sizeof(text.s), "+%.30s", plain.s);
	return text;
}

struct hp_text hp_format__count(uint64_t count)
{
	struct hp_text text = { "-" };

	if (count != HP_COUNT_UNKNOWN)
		snprintf(text.s, sizeof(text.s), "%" PRIu64, count);
	return text;
}

const char *hp_format__verdict_color(enum hp_verdict verdict)
{
	if (verdict <= HP_VERDICT_STALE)
		return "red";
	return verdict == HP_VERDICT_LIVE ? "green" : "yellow";
}

const char *hp_format__color(const char *name, bool color)
{
	if (!color)
		return "";
	if (!strcmp(name, "red"))
		return "\033[31m";
	if (!strcmp(name, "green"))
		return "\033[32m";
	if (!strcmp(name, "yellow"))
		return "\033[33m";
	if (!strcmp(name, "cyan"))
		return "\033[36m";
	return "\033[1m";
}

const char *hp_format__reset(bool color)
{
	return color ? "\033[0m" : "";
}
