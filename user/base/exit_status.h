/* SPDX-License-Identifier: GPL-2.0 */
/* The exit statuses of every verb. They are a public interface: none is ever reused. */
#ifndef HP_BASE_EXIT_STATUS_H
#define HP_BASE_EXIT_STATUS_H

enum hp_exit {
	HP_EXIT_OK = 0,		/* as asked */
	HP_EXIT_VERIFY = 1,	/* verification failed */
	HP_EXIT_USAGE = 2,	/* bad usage or bad input file */
	HP_EXIT_INELIGIBLE = 3, /* not eligible here: a restart is needed */
	HP_EXIT_BUDGET = 4,	/* budget exceeded, rolled back */
	HP_EXIT_PRIVILEGE = 5,	/* missing privilege or kernel feature */
	HP_EXIT_INTERNAL = 6,	/* internal error */
};

#endif
