/* SPDX-License-Identifier: GPL-2.0 */
/* The links of a pinned hotfix taken in hand: to let them go, and to put them back as they were. */
#ifndef HP_ENGINES_BPF_HELD_H
#define HP_ENGINES_BPF_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "host/bpf_program.h"

struct hp_held_link {
	char function[HP_BPF_NAME_MAX];
	uint32_t link_id;
	uint32_t target_id;	 /* the program whose function is replaced, */
	uint32_t target_type_id; /* and the function in its BTF */
	int program_fd;		 /* the replacement */
	int target_fd;
	int link_fd; /* -1 unless hp_held_links__unpin() opened it */
};

struct hp_held_links {
	char hotfix[64];
	struct hp_held_link *links;
	size_t count;
};

/* All of @hotfix; none, and no error, when it has no pins. hp_held_links__close() it. */
int hp_held_links__open(struct hp_held_links *out, const char *hotfix, struct hp_error *err);
void hp_held_links__close(struct hp_held_links *held);

/*
 * Remove the pins and open the links instead: from here on each goes when its link_fd is closed. After
 * an error they are pinned as before, or HP_E_STUCK says that this did not work either.
 */
int hp_held_links__unpin(struct hp_held_links *held, struct hp_error *err);

/* Close the one that replaces @function; false: there is none. */
bool hp_held_links__close_one(struct hp_held_links *held, const char *function);

/*
 * Unpin and close all of them, and wait until the kernel has let them go. HP_E_BPF_HELD: somebody
 * else has a link open; otherwise as above.
 */
int hp_held_links__let_go(struct hp_held_links *held, struct hp_error *err);

/* Attach and pin them again, if the pins are not there. */
int hp_held_links__put_back(const struct hp_held_links *held, struct hp_error *err);

#endif
