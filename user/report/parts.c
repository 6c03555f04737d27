// SPDX-License-Identifier: GPL-2.0
/* Parts that several JSON reports have. */
#include "report/parts.h"

#include <string.h>

#include "base/cleanup.h"
#include "report/json.h"

json_t *hp_json_error(const struct hp_error *err)
{
	if (err->reason == HP_E_NONE)
		return json_null();
	return json_pack("{s:s, s:o, s:s}", "code", hp_reason_code(err->reason), "message",
			 hp_json_text(err->message), "hint", hp_reason_hint(err->reason));
}

/* A stack as its lines. */
static json_t *stack_json(const char *stack)
{
	json_t *array;

	if (!stack)
		return json_null();
	array = json_array();
	while (*stack) {
		size_t length = strcspn(stack, "\n");
		_cleanup_free_ char *line = strndup(stack, length);

		if (length)
			hp_json_append(&array, line ? hp_json_text(line) : NULL);
		stack += length + (stack[length] == '\n');
	}
	return array;
}

json_t *hp_json_blockers(const struct hp_progress *progress)
{
	json_t *array = json_array();

	for (size_t i = 0; i < progress->blocker_count; i++) {
		const struct hp_blocker *b = &progress->blockers[i];
		char state[2] = { b->state ? b->state : '?', '\0' };
		char comm[sizeof(b->comm) + 1] = "";

		memcpy(comm, b->comm, sizeof(b->comm));
		hp_json_append(&array, json_pack("{s:i, s:i, s:b, s:o, s:o, s:o}", "pid", b->pid,
						 "tgid", b->tgid, "kthread", b->kthread, "state",
						 hp_json_text(state), "comm", hp_json_text(comm),
						 "stack", stack_json(b->stack)));
	}
	return array;
}
