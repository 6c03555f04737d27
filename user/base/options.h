/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Declared options: a verb lists what it takes in one table, and parsing, the checks of each
 * value and --help all come from it. The options that every verb has are added by the parser.
 */
#ifndef HP_BASE_OPTIONS_H
#define HP_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum hp_option_kind {
	HP_OPT_FLAG,	/* bool *: set to true */
	HP_OPT_STRING,	/* const char **: the argument itself, not copied */
	HP_OPT_ONE,	/* the same, of options that people may think can be given more than once */
	HP_OPT_UINT,	/* uint64_t *: a decimal number */
	HP_OPT_PERCENT, /* double *: 0 to 100, an optional % behind it */
	HP_OPT_OUTPUT,	/* const char **: the same, and -o stands for it too */
	HP_OPT_STRINGS, /* struct hp_strings *: the option may be given more than once */
	HP_OPT_DURATION, /* uint64_t *: nanoseconds, from "30s", "500ms", "1.5s", "2m", "100us", "24h" */
};

#define HP_STRINGS_MAX 256

struct hp_strings {
	const char *items[HP_STRINGS_MAX]; /* the arguments themselves, not copied */
	size_t count;
};

struct hp_option {
	const char *name; /* long name without dashes */
	enum hp_option_kind kind;
	void *value;
	const char *arg;  /* what the help calls the argument, NULL for a flag */
	const char *help; /* one sentence */
};

/* What all verbs share, filled by the parser. */
struct hp_globals {
	bool json;
	bool color; /* colours on stdout */
	bool help;  /* --help was given: it has been printed, return HP_EXIT_OK */
	int verbosity;
};

struct hp_command {
	const char *name;
	const char *operands; /* "FILE.ko", "[LIVEPATCH…]" */
	const char *summary;  /* one line */
	const char *details;  /* paragraphs for --help, may be NULL */
	int (*run)(const struct hp_command *cmd, int argc, char **argv); /* an exit status */
	/* The same when an operand is a hotfix for processes; NULL: no difference. */
	int (*run_process)(const struct hp_command *cmd, int argc, char **argv);
	/* The same when an operand is the name of a guard. */
	int (*run_guard)(const struct hp_command *cmd, int argc, char **argv);
	/* The same when one is a file with the code of a guard. */
	int (*run_guard_code)(const struct hp_command *cmd, int argc, char **argv);
	/* The same when one is a hotfix for a loaded BPF program, or --prog names such a program. */
	int (*run_program)(const struct hp_command *cmd, int argc, char **argv);
};

/*
 * Parse @argv (argv[0] is the verb) by @options, ended by an entry with a NULL name. Operands are
 * moved to the end; returns the index of the first one, or a negative errno with @err filled.
 * With --help it prints the help on stdout, sets @globals->help, and returns argc.
 */
int hp_options_parse(const struct hp_command *cmd, const struct hp_option *options,
		     struct hp_globals *globals, int argc, char **argv, struct hp_error *err);

/* "1.5s" to nanoseconds; -EINVAL for anything else than a non-negative number with a unit. */
int hp_duration_parse(const char *text, uint64_t *ns);

#endif
