// SPDX-License-Identifier: GPL-2.0
/* The signal flag: the only global state that changes while a verb runs. */
#include "base/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	interrupted = 1;
}

void hp_interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = on_signal }, hup;

	/* Without SA_RESTART: a sleep or a wait ends early, and its caller looks at the flag. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* A lost terminal must not leave a change half done; nohup(1) says that it does not matter. */
	sigaction(SIGHUP, NULL, &hup);
	if (hup.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
}

bool hp_interrupted(void)
{
	return interrupted;
}
