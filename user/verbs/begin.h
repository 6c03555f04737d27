/* SPDX-License-Identifier: GPL-2.0 */
/* The beginning that all verbs have in common. */
#ifndef HP_VERBS_BEGIN_H
#define HP_VERBS_BEGIN_H

#include "base/options.h"

/* How many operands a verb wants; a negative @max: any number from @min on. */
struct hp_operands {
	int min;
	int max;
	const char *what; /* "one livepatch": for the message */
};

/*
 * Parse @argv, and count the operands. Returns the index of the first one; or -1 when the verb is
 * over, with its exit *status: help was printed, or a wrong usage was reported.
 */
int hp_verb_begin(const struct hp_command *cmd, const struct hp_option *options,
		  struct hp_operands wanted, struct hp_globals *globals, int argc, char **argv,
		  int *status);

#endif
