/* SPDX-License-Identifier: GPL-2.0 */
/* What a task calls itself, for people. */
#ifndef HP_BASE_TASK_NAME_H
#define HP_BASE_TASK_NAME_H

#define HP_COMM_LEN 16 /* TASK_COMM_LEN, include/linux/sched.h */

struct hp_task_name {
	char s[HP_COMM_LEN + 1];
};

/*
 * @comm with '?' for all that does not print: a task may call itself anything, also what moves the
 * cursor of who reads it. JSON reports have the name as it is.
 */
struct hp_task_name hp_task_name(const char comm[HP_COMM_LEN]);

#endif
