// SPDX-License-Identifier: GPL-2.0
/* Taking functions over from an earlier hotfix: which one that is, and whether it may go. */
#include "engines/bpf/handover.h"

#include <string.h>

#include "engines/bpf/pins.h"

static bool is_among(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* Nothing may be lost by its going, and it must be possible to put it back. */
static int check_held(const struct hp_held_links *held, const struct hp_bpf_program *program,
		      const char *const *functions, size_t count, struct hp_error *err)
{
	for (size_t i = 0; i < held->count; i++) {
		const struct hp_held_link *link = &held->links[i];

		if (link->target_id != program->id || !is_among(link->function, functions, count))
			return hp_fail(err, HP_E_BPF_HELD,
				       "%s replaces %s too, which would run the original again: "
				       "revert it first, or replace that as well",
				       held->hotfix, link->function);
		if (link->program_fd < 0 || link->target_fd < 0)
			return hp_fail(err, HP_E_BPF_PRIVILEGE,
				       "the program of %s that replaces %s cannot be opened",
				       held->hotfix, link->function);
	}
	return 0;
}

/* Does @held hold one of @functions? */
static bool holds_one(const struct hp_held_links *held, const struct hp_bpf_program *program,
		      const char *const *functions, size_t count)
{
	for (size_t i = 0; i < held->count; i++)
		if (held->links[i].target_id == program->id &&
		    is_among(held->links[i].function, functions, count))
			return true;
	return false;
}

int hp_handover__find(struct hp_held_links *out, const struct hp_bpf_program *program,
		      const char *const *functions, size_t count, struct hp_error *err)
{
	_cleanup_free_ struct hp_link_pin *pins = NULL;
	size_t pin_count;
	int ret = hp_link_pins__list(&pins, &pin_count, err);

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < pin_count && !ret; i++) {
		__cleanup(hp_held_links__close) struct hp_held_links held = { 0 };

		/* Sorted by hotfix; what was never finished has to be recovered first. */
		if (hp_link_pins__unfinished(&pins[i]) ||
		    (i && !strcmp(pins[i].hotfix, pins[i - 1].hotfix)))
			continue;
		ret = hp_held_links__open(&held, pins[i].hotfix, err);
		if (ret || !holds_one(&held, program, functions, count))
			continue;
		if (out->count)
			return hp_fail(err, HP_E_BPF_HELD,
				       "%s and %s hold these functions: revert one of them first",
				       out->hotfix, held.hotfix);
		*out = held;
		memset(&held, 0, sizeof(held));
	}
	return ret ?: check_held(out, program, functions, count, err);
}
