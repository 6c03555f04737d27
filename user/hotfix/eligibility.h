/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Does a hotfix fit this host? Everything that can be said before anything is loaded: what would
 * make the kernel refuse the module, and what would make the wrong kernel take it.
 */
#ifndef HP_HOTFIX_ELIGIBILITY_H
#define HP_HOTFIX_ELIGIBILITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "hotfix/target.h"
#include "hotfix/klp_module.h"

/* Something to say about the hotfix on this host. */
struct hp_remark {
	enum hp_reason reason; /* why it is not eligible here; HP_E_NONE: good to know, no more */
	char text[320];	       /* one line */
};

enum hp_target_state {
	HP_TARGET_FOUND,      /* exactly the one that the hotfix means */
	HP_TARGET_NOT_LOADED, /* its module is not loaded: it will be patched when it comes */
	HP_TARGET_MISSING,
	HP_TARGET_AMBIGUOUS, /* several of that name, and no sympos says which */
};

/* What was found for one target, in the order of hp_klp_module.targets. */
struct hp_target_fit {
	enum hp_target_state state;
	size_t matches;		      /* symbols of that name in the object */
	uint64_t address;	      /* of the one that is meant; 0 when not found or hidden */
	uint64_t size;		      /* 0 when unknown */
	bool untraceable;	      /* ftrace does not know it: it cannot be redirected */
	char stacked_on[HP_NAME_MAX]; /* an enabled livepatch that replaces it already, or "" */
};

struct hp_eligibility {
	char release[65];      /* of the running kernel */
	bool addresses_hidden; /* kallsyms shows none to this user */
	bool traceable_known;  /* the list of the functions that ftrace knows could be read */
	bool signature_enforced;
	char signature_cause[48]; /* what enforces it: "module.sig_enforce", "lockdown=integrity" */
	struct hp_target_fit *targets; /* hp_klp_module.target_count of them */
	size_t target_count;
	struct hp_remark *remarks; /* refusals first */
	size_t remark_count;
	size_t refusal_count; /* 0: eligible here */
};

/* Where to look; a zeroed one, or NULL, is this host. */
struct hp_eligibility_host {
	const char *root;		   /* put before /proc, /sys and /lib/modules (tests) */
	const char *release;		   /* instead of uname()'s */
	const struct hp_kallsyms *symbols; /* read already, borrowed; NULL: read them */
	/*
	 * The engine will look at the targets' entries itself: do not go through the list of all
	 * functions that ftrace knows, which takes as long as all the rest.
	 */
	bool entries_elsewhere;
};

/*
 * Check @mod against the host. Returns 0 and a result owned by the caller, whatever is found; a negative errno with @err filled when it cannot be found out (HP_E_KALLSYMS, HP_E_NOMEM).
 * Needs no privilege; without CAP_SYSLOG addresses are 0, and without access to tracefs it is not
 * checked whether ftrace knows the targets.
 */
int hp_eligibility__check(struct hp_eligibility **out, const struct hp_klp_module *mod,
			  const struct hp_eligibility_host *host, struct hp_error *err);
void hp_eligibility__free(struct hp_eligibility *e);
HP_DEFINE_CLEANUP(struct hp_eligibility *, hp_eligibility__free)

/*
 * For a verb that goes on only when eligible: 0, or the negative errno of the first refusal with
 * @err filled from it (further refusals are in its detail).
 */
int hp_eligibility__require(const struct hp_eligibility *e, struct hp_error *err);

#endif
