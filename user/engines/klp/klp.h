/* SPDX-License-Identifier: GPL-2.0 */
/* The klp engine: kernel and module functions, redirected by kernel livepatch modules. */
#ifndef HP_KLP_KLP_H
#define HP_KLP_KLP_H

#include "engines/engine.h"
#include "engines/klp/reader.h"

extern const struct hp_engine hp_klp_engine;

/* The reader that an open engine holds, for those who want the whole list. */
struct hp_klp_reader *hp_klp_engine__reader(struct hp_engine_state *state);

#endif
