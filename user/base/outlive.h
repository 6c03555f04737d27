/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changes that must not stop halfway: made by a child, which goes on to their end when this process is
 * killed in the midst of them.
 */
#ifndef HP_BASE_OUTLIVE_H
#define HP_BASE_OUTLIVE_H

#include <stddef.h>

#include "base/error.h"

typedef int (*hp_outlive_fn)(void *arg, struct hp_error *err);

/*
 * Run @step in a child and wait for it; returns what it did, with its error in @err. Of what it
 * changes in memory, only @arg (@size bytes) comes back; no descriptor does. It must be short: signals
 * do not end it. HP_E_KILLED: somebody killed the child itself.
 */
int hp_outlive(hp_outlive_fn step, void *arg, size_t size, struct hp_error *err);

#endif
