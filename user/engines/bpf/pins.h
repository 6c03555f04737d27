/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the links of an applied hotfix are pinned: /sys/fs/bpf/hotproof/HOTFIX/replace-FUNCTION, as
 * docs/pinned-state.md says.
 */
#ifndef HP_ENGINES_BPF_PINS_H
#define HP_ENGINES_BPF_PINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "host/bpf_program.h"

struct hp_link_pin {
	char hotfix[64];
	char function[HP_BPF_NAME_MAX];
};

/* All of them; *out is malloc'ed. None, and no error, without a folder of ours. */
int hp_link_pins__list(struct hp_link_pin **out, size_t *count, struct hp_error *err);

/* True for a pin of a hotfix that was killed before all of its links were pinned. */
bool hp_link_pins__unfinished(const struct hp_link_pin *pin);

/* A descriptor of the link, or a negative errno. */
int hp_link_pins__get(const struct hp_link_pin *pin);

/*
 * Pin the links @fds of @functions for @hotfix: first under a name that nobody reads, and then all
 * at once under the real one. HP_E_BPF_EXISTS: there are such pins. After an error none is pinned.
 */
int hp_link_pins__pin(const char *hotfix, const char *const *functions, const int *fds,
		      size_t count, struct hp_error *err);

/* Remove all pins of @hotfix, those that were never finished too. No error when there are none. */
int hp_link_pins__remove(const char *hotfix, struct hp_error *err);

#endif
