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

/* Is there a whole hotfix, or a guard, of this name? */
bool hp_link_pins__are_there(const char *hotfix);

/*
 * Could @hotfix be pinned? HP_E_PIN, HP_E_BPF_EXISTS: there are such pins, and they are not those of
 * @leaving, which will be gone by then ("": none will). Changes nothing.
 */
int hp_link_pins__check_room(const char *hotfix, const char *leaving, struct hp_error *err);

/*
 * Pin the links @fds of @functions for @hotfix: first under a name that nobody reads, and then all
 * at once under the real one. HP_E_BPF_EXISTS: there are such pins. After an error none is pinned.
 */
int hp_link_pins__pin(const char *hotfix, const char *const *functions, const int *fds,
		      size_t count, struct hp_error *err);

/*
 * Try it, under the name that nobody reads, with any objects @fds: nothing is left. What takes over from
 * another hotfix asks before that one goes.
 */
int hp_link_pins__rehearse(const char *hotfix, const char *const *functions, const int *fds,
			   size_t count, struct hp_error *err);

/* Remove all pins of @hotfix, under the other name again. No error when there are none. */
int hp_link_pins__remove(const char *hotfix, struct hp_error *err);

/*
 * The hotfixes that have pins under the other name, with no function: somebody is at work, or was
 * killed. *out is malloc'ed.
 */
int hp_link_pins__list_unfinished(struct hp_link_pin **out, size_t *count, struct hp_error *err);

/* Remove what @hotfix has under the other name. No error when there is nothing. */
int hp_link_pins__sweep(const char *hotfix, struct hp_error *err);

/* Remove the folder of all hotfixes, if it is empty. */
void hp_link_pins__tidy(void);

#endif
