/* SPDX-License-Identifier: GPL-2.0 */
/* From an errno to what refused it and the way out: deduced from facts, without trying anything. */
#ifndef HP_HOST_CAUSE_H
#define HP_HOST_CAUSE_H

#include "host/features.h"

/*
 * Fill the cause and the state of @found, of which the step and the log are known. @ret is what
 * the try of @feature returned, not 0 (host/try.h). A cause that is there already is kept.
 */
void hp_cause__find(const struct hp_feature *feature, const struct hp_facts *facts, int ret,
		    struct hp_finding *found);

/*
 * Must @feature not even be tried here? Then the cause is in @found. With kernel.ftrace_enabled=0
 * trampolines and kprobes attach and detach without an error and without effect, but leave ftrace's
 * records wrong: once the sysctl is 1 again, the next program that is detached, anybody's, makes
 * ftrace warn and shut itself down for good (measured on 6.1; ftrace_shutdown() in
 * kernel/trace/ftrace.c).
 */
bool hp_cause__bars(const struct hp_feature *feature, const struct hp_facts *facts,
		    struct hp_finding *found);

/* Blame @reason: what refused it, and what to do about it (NULL: the reason's own hint). */
void hp_cause__blame(struct hp_finding *found, enum hp_reason reason, const char *fix,
		     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Blame the lockdown mode, for @what; the way out depends on where the mode came from. */
void hp_cause__blame_lockdown(const struct hp_facts *facts, const char *what,
			      struct hp_finding *found);

/* Blame what hides the addresses of kernel symbols. */
void hp_cause__blame_kallsyms(const struct hp_facts *facts, struct hp_finding *found);

/* The capabilities of @mask as "CAP_BPF, CAP_PERFMON". */
void hp_cause__capabilities(uint64_t mask, char *buf, size_t size);

/* Which of @mask are not held, CAP_SYS_ADMIN standing in for them if @admin. 0: none. */
uint64_t hp_cause__not_held(const struct hp_facts *facts, uint64_t mask, bool admin);

#endif
