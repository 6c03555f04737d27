/* SPDX-License-Identifier: GPL-2.0 */
/* The klp engine: kernel and module functions, redirected by kernel livepatch modules. */
#ifndef HP_KLP_KLP_H
#define HP_KLP_KLP_H

#include "engines/engine.h"

extern const struct hp_engine hp_klp_engine;

#endif
