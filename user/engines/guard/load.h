/* SPDX-License-Identifier: GPL-2.0 */
/* Loading a guard's program for one function, and which functions it can be loaded for. */
#ifndef HP_ENGINES_GUARD_LOAD_H
#define HP_ENGINES_GUARD_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "engines/guard/pins.h"
#include "host/btf.h"
#include "host/features.h"
#include "hotfix/guard_object.h"
#include "hotproof/guard.h"

struct hp_guard_program;

/*
 * Load it for the function of @patch, which becomes its patch map, by @kind or, when that is 0, by the
 * first way that works: fmod_ret, then LSM. @code: the author's object, of that kind, which must
 * outlive the program; NULL: hotproof's own. Nothing is attached. Refusals name the function, the
 * cause, and the nearest function that can be guarded. hp_guard_program__close() it.
 */
int hp_guard_program__load(struct hp_guard_program **out, struct hp_btf *btf,
			   struct hp_features *features, const struct hp_guard_patch *patch,
			   enum hp_guard_kind kind, const struct hp_guard_object *code,
			   struct hp_error *err);
void hp_guard_program__close(struct hp_guard_program *program);
HP_DEFINE_CLEANUP(struct hp_guard_program *, hp_guard_program__close)

/* How it takes the function over, and the type id of what it is attached to, for its arguments. */
enum hp_guard_kind hp_guard_program__kind(const struct hp_guard_program *program);

/* The type id of what a guard of @function by @kind is attached to; -ENOENT when it has none. */
int hp_guard_attach_id(struct hp_btf *btf, const char *function, enum hp_guard_kind kind);

/* Attach it, for as long as the program or a pin of its link is there. */
int hp_guard_program__attach(struct hp_guard_program *program, struct hp_error *err);

/* The descriptor of a loaded one that @pin holds; that of its link once it is attached. */
int hp_guard_program__fd(const struct hp_guard_program *program, enum hp_pin pin);

#endif
