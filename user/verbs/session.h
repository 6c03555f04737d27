/* SPDX-License-Identifier: GPL-2.0 */
/* An engine and its state for as long as a verb runs. */
#ifndef HP_VERBS_SESSION_H
#define HP_VERBS_SESSION_H

#include "engines/engine.h"

struct hp_session {
	const struct hp_engine *engine;
	struct hp_engine_state *state; /* NULL until ->engine->open() */
};

static inline void hp_session_close(struct hp_session *session)
{
	if (session->state)
		session->engine->close(session->state);
}

#endif
