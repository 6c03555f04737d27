// SPDX-License-Identifier: GPL-2.0
/*
 * A guard: takes over the calls of one kernel function that are in scope, by returning an error in
 * its place. One of the two programs is loaded, for the function that user space chose; all that it
 * decides by is in the patch map, so that it changes without loading anything again.
 *
 * The way of a call that is out of scope is short: one word, one counter, the cheapest test first.
 */
#include "hotproof/guard.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* No code: what is in scope is turned away, with the rule's value. */
static __always_inline int hp_guard_code(unsigned long long *ctx)
{
	return -1;
}

SEC("fmod_ret")
int guard_fmod_ret(void *ctx)
{
	return hp_guard_run(ctx, 0);
}

SEC("lsm")
int guard_lsm(void *ctx)
{
	return hp_guard_run(ctx, 1);
}
