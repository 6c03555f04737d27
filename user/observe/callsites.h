/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The static call sites of targets: the instructions of the running kernel and its modules that
 * call or jump to them, found in the code as it was linked.
 *
 * What is not seen: code that the kernel frees once it has booted (.init.text), and what it
 * rewrites into its text at boot or later: alternatives, paravirt calls, and static calls that
 * were updated since. Calls from there show up as return addresses that match no site.
 */
#ifndef HP_OBSERVE_CALLSITES_H
#define HP_OBSERVE_CALLSITES_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "hotfix/target.h"
#include "host/kallsyms.h"
#include "host/vmlinux_image.h"

enum hp_site_kind {
	HP_SITE_UNKNOWN, /* seen at run time only: nothing says how it calls */
	HP_SITE_CALL,
	HP_SITE_TAIL, /* a jump */
	HP_SITE_COND, /* a conditional jump */
};

struct hp_site {
	uint64_t address; /* of the instruction, at run time */
	/* What the target finds on the stack. 0 for jumps: there it is somebody else's. */
	uint64_t return_address;
	enum hp_site_kind kind;
	bool recursive;	  /* in the target itself */
	bool static_call; /* the trampoline of a static call: callers may be patched to bypass it */
	bool confirmed;	  /* false: could not be decoded from the function's start, may be data */
	struct hp_symbol function; /* that holds it; its strings are of the table of symbols */
	uint64_t offset;	   /* into that function */
};

/* What is known about one target. */
struct hp_target_sites {
	struct hp_site *sites; /* ordered by address */
	size_t count;
	size_t address_taken; /* references to its address: it may be called through pointers */
	bool pointers_unseen; /* there may be more, in the data of modules whose file is not known */
	const char **blind;   /* objects that may call it, and could not be looked into */
	size_t blind_count;
};

struct hp_callsites;

/* Where to look; all zero but the first two means the running system. */
struct hp_callsites_source {
	const struct hp_vmlinux_image *img; /* relocated; NULL: vmlinux goes into the blind lists */
	const struct hp_kallsyms *ks;
	const char *modules_dir;	   /* NULL: /lib/modules/RELEASE */
	const char *sys_module;		   /* NULL: /sys/module */
	const char *proc_modules;	   /* NULL: /proc/modules */
	const char *kcore;		   /* NULL: /proc/kcore, for modules without a file */
	const volatile sig_atomic_t *stop; /* give up when it turns non-zero; may be NULL */
};

/*
 * Find the sites of @n targets, in one pass over the kernel and one over each module that can
 * matter. A target whose old_addr is 0 gets none. What @source points at must outlive the result.
 */
int hp_callsites__search(struct hp_callsites **out, const struct hp_callsites_source *source,
			 const struct hp_target *targets, size_t n, struct hp_error *err);

void hp_callsites__close(struct hp_callsites *cs);
HP_DEFINE_CLEANUP(struct hp_callsites *, hp_callsites__close)

const struct hp_target_sites *hp_callsites__target(const struct hp_callsites *cs, size_t i);

/* Which site a return address belongs to. */
struct hp_site_match {
	const struct hp_site *site;
	/*
	 * The call went to a function that jumps to the target, and has one such jump only: that is
	 * the site.
	 */
	bool via_tail;
};

/*
 * The site of target @i that made the call which returns to @return_address. -ENOENT when none is
 * known, or when it could be one of several jumps.
 */
int hp_callsites__match(const struct hp_callsites *cs, size_t i, uint64_t return_address,
			struct hp_site_match *out);

#endif
