/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engines whose redirects the kernel holds, as one: what verify, measure and revert go by, which are told a
 * hotfix or a function by its name. Whatever it is asked about a target or a hotfix, the engine of that answers.
 */
#ifndef HP_ENGINES_LOADED_H
#define HP_ENGINES_LOADED_H

#include "engines/engine.h"

extern const struct hp_engine hp_loaded_engine;

#endif
