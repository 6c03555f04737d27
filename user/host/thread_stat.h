/* SPDX-License-Identifier: GPL-2.0 */
/* What /proc/PID/task/TID/stat says of a thread. */
#ifndef HP_HOST_THREAD_STAT_H
#define HP_HOST_THREAD_STAT_H

#include <stdint.h>
#include <sys/types.h>

/* The values of proc_pid_stat(5) that are asked for, by their numbers there. */
enum hp_thread_stat {
	HP_STAT_FLAGS = 9,	/* PF_*, include/linux/sched.h */
	HP_STAT_PROCESSOR = 39, /* where it ran last */
};

/* One of them. A negative errno when the thread is not there. */
int hp_thread_stat__read(pid_t pid, pid_t tid, enum hp_thread_stat which, uint64_t *value);

#endif
