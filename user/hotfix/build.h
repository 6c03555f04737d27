/* SPDX-License-Identifier: GPL-2.0 */
/* Hotfix files made from C: compiled, resolved against the target file, linked with the note. */
#ifndef HP_HOTFIX_BUILD_H
#define HP_HOTFIX_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct hp_build {
	const char *source;
	const char *output;
	const char *target; /* path of the ELF file whose functions are replaced */
	const char *id;	    /* NULL: the output's name without ".so" */
	uint64_t sequence;
	const char *description; /* NULL for none */
	const char *const *cves;
	size_t cve_count;
	bool no_exceptions;	    /* the author says that none passes through a replacement */
	const char *const *options; /* more for the compiler, one argument each */
	size_t option_count;
};

/* Make the hotfix file. The output is there when all went well, and only then. */
int hp_build__run(const struct hp_build *build, struct hp_error *err);

#endif
