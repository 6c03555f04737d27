/* SPDX-License-Identifier: GPL-2.0 */
/* Why the kernel did not take a module: from its errno and what it said in its log. */
#ifndef HP_KLP_LOAD_ERROR_H
#define HP_KLP_LOAD_ERROR_H

#include <stdbool.h>

#include "base/error.h"

/* What decides between the causes of one errno. */
struct hp_load_facts {
	const char *log;       /* the kernel's messages during the load, "" for none */
	bool log_readable;     /* false: /dev/kmsg could not be read */
	bool capable;	       /* CAP_SYS_MODULE is effective */
	bool modules_disabled; /* kernel.modules_disabled */
	bool locked_down;      /* lockdown is not "none" */
	bool transition;       /* some livepatch is in transition */
};

/* Fill @err for a finit_module() of @name that gave @ret (a negative errno). Returns @ret. */
int hp_load_error__explain(const char *name, int ret, const struct hp_load_facts *facts,
			   struct hp_error *err);

/* Is @text, a line of the kernel's log, one of those that tell a cause? */
bool hp_load_error__knows(const char *text);

#endif
