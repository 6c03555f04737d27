/* SPDX-License-Identifier: GPL-2.0 */
/* The processes of a control group, which systemd makes one of for each unit. */
#ifndef HP_HOST_CGROUP_H
#define HP_HOST_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * The folder of control group @name: a path as the kernel gives it ("/system.slice/x.service", of
 * any hierarchy that is mounted), or that folder itself. 0 or a negative errno with @err filled.
 */
int hp_cgroup__find(char path[PATH_MAX], const char *name, struct hp_error *err);

/* The folder of the systemd unit @name; ".service" may be left out. */
int hp_cgroup__find_unit(char path[PATH_MAX], const char *name, struct hp_error *err);

/*
 * The processes in the folder @path and below it, by number; *out is malloc'ed and the caller's.
 * What comes or goes meanwhile may be missing.
 */
int hp_cgroup__pids(const char *path, pid_t **out, size_t *count, struct hp_error *err);

#endif
