/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where guards are pinned: /sys/fs/bpf/hotproof/NAME/, laid out as docs/pinned-state.md says.
 * Nothing here knows what is in the pinned objects.
 */
#ifndef HP_ENGINES_GUARD_PINS_H
#define HP_ENGINES_GUARD_PINS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "host/bpffs.h"
#include "hotproof/guard.h"

/* In the order in which they are made; they go the other way round, the link first. */
enum hp_pin {
	HP_PIN_PATCH,
	HP_PIN_COUNTERS,
	HP_PIN_CALLERS,
	HP_PIN_SITES,
	HP_PIN_LINK,
	HP_PINS,
};

typedef char hp_guard_name[HP_GUARD_NAME_MAX];

/* 0 when a guard may be called @name. */
int hp_pins__check_name(const char *name, struct hp_error *err);

/* The names of all guards, sorted; *names is malloc'ed. No error when there is no such folder. */
int hp_pins__list(hp_guard_name **names, size_t *count, struct hp_error *err);

/* Make the folder of guard @name; -EEXIST without @err filled when it is there. */
int hp_pins__make(const char *name, struct hp_error *err);

int hp_pins__pin(const char *name, enum hp_pin pin, int fd, struct hp_error *err);

/* A descriptor of the pinned object, or a negative errno: -ENOENT when it is not there. */
int hp_pins__get(const char *name, enum hp_pin pin);

/*
 * Make, pin and remove a folder in that of @name, as a way back would: nothing is left. What a killed
 * process leaves of it goes with hp_pins__remove().
 */
int hp_pins__rehearse(const char *name, int fd, struct hp_error *err);

/* Remove the folder of all when nothing is in it. With the lock. */
void hp_pins__tidy(void);

/* Remove the folder and what is in it, the link first. No error when there is nothing. */
int hp_pins__remove(const char *name, struct hp_error *err);

/* Could they be removed? To be asked before the first of them is. */
int hp_pins__check_removable(const char *name, struct hp_error *err);

#endif
