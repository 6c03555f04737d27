/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What can be read about the host and about ourselves that explains why the kernel refuses
 * something. None of it is an answer to whether a thing works: that is found by trying.
 */
#ifndef HP_HOST_FACTS_H
#define HP_HOST_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "host/kconfig.h"

#define HP_FACT_UNKNOWN (-1) /* the value of a number that could not be read */

enum hp_lockdown {
	HP_LOCKDOWN_UNKNOWN,
	HP_LOCKDOWN_NONE,
	HP_LOCKDOWN_INTEGRITY,
	HP_LOCKDOWN_CONFIDENTIALITY,
};

struct hp_facts {
	uint64_t capabilities; /* effective, one bit each */
	bool user_namespace;   /* not the initial one: capabilities reach no further than it */
	int seccomp;	       /* 0 off, 1 strict, 2 filter */
	enum hp_lockdown lockdown;
	char lsm[256];	    /* active security modules, comma-separated; "" when unknown */
	char cmdline[4096]; /* boot parameters; "" when unknown */
	int kptr_restrict;
	int perf_event_paranoid;
	int unprivileged_bpf_disabled;
	int bpf_jit_enable;
	int ftrace_enabled;
	int ftrace_down; /* 1: ftrace shut itself down after an error, for good */
	int modules_disabled;
	int sig_enforce;	   /* module.sig_enforce: 0, 1 */
	struct hp_kconfig *config; /* NULL when it could not be read */
};

/* Read what can be read under @root ("" on a real host); what cannot stays unknown. */
void hp_facts__read(struct hp_facts *facts, const char *root);
void hp_facts__release(struct hp_facts *facts);

/* Is the boot parameter @name there? @value (may be NULL) must be among its comma-separated values. */
bool hp_facts__boot_parameter(const struct hp_facts *facts, const char *name, const char *value);

/* Is @item in the comma-separated @list? */
bool hp_facts__listed(const char *list, const char *item);

const char *hp_lockdown_name(enum hp_lockdown mode);

#endif
