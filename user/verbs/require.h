/* SPDX-License-Identifier: GPL-2.0 */
/* What a verb needs of the host before it attaches anything. */
#ifndef HP_VERBS_REQUIRE_H
#define HP_VERBS_REQUIRE_H

#include "base/error.h"

/*
 * Refuse to attach to functions while kernel.ftrace_enabled is 0: what is attached then counts
 * nothing, and ftrace breaks when it is detached (docs/kernel-hazards.md, 7). 0, or a negative errno
 * with @err filled: HP_E_KLP_FTRACE_OFF, or HP_E_FTRACE_DOWN when ftrace has shut itself down.
 */
int hp_require_ftrace(struct hp_error *err);

#endif
