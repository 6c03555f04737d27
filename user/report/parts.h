/* SPDX-License-Identifier: GPL-2.0 */
/* Parts that several JSON reports have: the same in each, and in each schema. */
#ifndef HP_REPORT_PARTS_H
#define HP_REPORT_PARTS_H

#include <jansson.h>

#include "base/error.h"
#include "engines/engine.h"

/* A refusal; null when there is none. */
json_t *hp_json_error(const struct hp_error *err);

/* The tasks that have not switched, with their stacks. */
json_t *hp_json_blockers(const struct hp_progress *progress);

#endif
