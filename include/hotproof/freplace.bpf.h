/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For authors of hotfixes that replace functions of a loaded BPF program:
 *
 *	#include <linux/bpf.h>
 *	#include <bpf/bpf_helpers.h>
 *	#include <hotproof/freplace.bpf.h>
 *
 *	HP_BASELINE("1f2e3d4c5b6a7988");
 *
 *	HP_REPLACE(classify) int new_classify(struct xdp_md *ctx) { … }
 *
 * A replacement has the target's signature. A map that is declared under the name of one of the
 * running program's, with the same shape, is that map.
 */
#ifndef HOTPROOF_FREPLACE_BPF_H
#define HOTPROOF_FREPLACE_BPF_H

/* This function replaces @function of the program. */
#define HP_REPLACE(function) SEC("freplace/" #function)

/*
 * The tag of the program that the hotfix was made for, as `bpftool prog` prints it. With another one
 * it is refused. May be left out: then any program will do that has the functions.
 */
#define HP_BASELINE(tag)                      \
	static const char hotproof_baseline[] \
		__attribute__((used, section(".hotproof.baseline"))) = tag

#endif
