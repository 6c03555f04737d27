/* SPDX-License-Identifier: GPL-2.0 */
/* A guard with code as a file, and whether this kernel takes it: shown as text and JSON. */
#ifndef HP_REPORT_GUARD_OBJECT_H
#define HP_REPORT_GUARD_OBJECT_H

#include <stdio.h>

#include <jansson.h>

#include "base/error.h"
#include "hotfix/guard_object.h"

struct hp_guard_object_report {
	const struct hp_guard_object *object;
	char prototype[256]; /* of what it is attached to; "": this kernel has no such function */
	struct hp_error refusal; /* of this kernel, or HP_E_NONE */
};

/* `inspect --json`, docs/schema/guard-object.schema.json; NULL: out of memory. */
json_t *hp_guard_object_report__json(const struct hp_guard_object_report *report);

/* 0 or a negative errno. */
int hp_guard_object_report__print(const struct hp_guard_object_report *report, FILE *out);

#endif
