/* SPDX-License-Identifier: GPL-2.0 */
/* A hotfix file told to people and to programs. */
#ifndef HP_HOTFIX_INSPECT_H
#define HP_HOTFIX_INSPECT_H

#include <stdio.h>

#include <jansson.h>

#include "hotfix/elf_hotfix.h"

void hp_hotfix__print(const struct hp_hotfix *hotfix, FILE *out);

/* The same as a report of build and inspect; docs/schema/hotfix.schema.json. NULL: out of memory. */
json_t *hp_hotfix__report(const struct hp_hotfix *hotfix);

#endif
