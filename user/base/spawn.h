/* SPDX-License-Identifier: GPL-2.0 */
/* Other programs, run to their end. No shell is involved: an argument is an argument. */
#ifndef HP_BASE_SPAWN_H
#define HP_BASE_SPAWN_H

#include "base/error.h"

/*
 * Run @argv (ended by NULL, searched in $PATH), its standard output on our standard error. Returns
 * its exit status, 128 + n for signal n, or a negative errno when it could not be started.
 */
int hp_spawn__wait(const char *const argv[]);

#endif
