/* SPDX-License-Identifier: GPL-2.0 */
/* SIGINT and SIGTERM ask long work to stop and clean up; this is where it looks. */
#ifndef HP_BASE_INTERRUPT_H
#define HP_BASE_INTERRUPT_H

#include <stdbool.h>

/* Catch SIGINT and SIGTERM from now on. A second SIGINT does not end the process: undoing does. */
void hp_interrupt_catch(void);

/* True once one of them has come. */
bool hp_interrupted(void);

#endif
