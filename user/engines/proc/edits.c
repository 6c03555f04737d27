// SPDX-License-Identifier: GPL-2.0
/* The entries of a stopped process written: all of them, or none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engines/proc/memory.h"
#include "engines/proc/session.h"

struct edit {
	uint64_t at;
	size_t length;
	uint8_t before[HP_ARCH_ENTRY_MAX], after[HP_ARCH_ENTRY_MAX];
};

struct edits {
	struct edit *items;
	size_t count;
};

static size_t site_count(const struct hp_attempt *a)
{
	return hp_hotfix__meta(a->proc->hotfix)->forward_count;
}

static const struct hp_site *site_at(const struct hp_attempt *a, uint64_t address)
{
	for (size_t i = 0; a && i < site_count(a); i++)
		if (a->sites[i].address == address)
			return &a->sites[i];
	return NULL;
}

/* An entry that is to become a jump to @to, or what its file has there when that is 0. */
static int add(struct edits *edits, pid_t pid, const struct hp_site *site, uint64_t to)
{
	struct edit *edit = &edits->items[edits->count];

	edit->at = site->address + site->entry.skip;
	edit->length = site->entry.length;
	memcpy(edit->after, site->original + site->entry.skip, edit->length);
	edits->count++;
	return hp_memory__read(pid, edit->at, edit->before, edit->length)
		       ?: (to ? hp_arch__encode_jump(edit->at, to, edit->after) : 0);
}

/* True if the bytes of @edit are @bytes now. */
static bool holds(const struct edit *edit, pid_t pid, const uint8_t *bytes)
{
	uint8_t now[HP_ARCH_ENTRY_MAX];

	return !hp_memory__read(pid, edit->at, now, edit->length) &&
	       !memcmp(now, bytes, edit->length);
}

static int write_all(const struct edits *edits, pid_t pid, int mem)
{
	size_t done;
	int ret = 0;

	for (done = 0; done < edits->count && !ret; done++)
		ret = hp_memory__write_code(mem, edits->items[done].at, edits->items[done].after,
					    edits->items[done].length);
	for (size_t i = 0; i < done && !ret; i++)
		if (!holds(&edits->items[i], pid, edits->items[i].after))
			ret = -EIO;
	if (!ret)
		return 0;
	while (done--) {
		const struct edit *edit = &edits->items[done];

		/* The one that could not be written needs no writing back. */
		if (!holds(edit, pid, edit->before) &&
		    hp_memory__write_code(mem, edit->at, edit->before, edit->length))
			return -ENOTRECOVERABLE;
	}
	return ret;
}

static int run(const struct edits *edits, const struct hp_attempt *a, int ret, struct hp_error *err)
{
	pid_t pid = a->process->pid;

	ret = ret ?: write_all(edits, pid, a->mem);
	free(edits->items);
	if (ret == -ENOTRECOVERABLE)
		return hp_fail(err, HP_E_PROC_WRITE,
			       "process %d: an entry was written, and cannot be restored", pid);
	if (ret)
		return hp_fail_errno(err, HP_E_PROC_READONLY, ret,
				     "process %d: an entry cannot be written", pid);
	return 0;
}

int hp_edits__apply(struct hp_attempt *a, struct hp_error *err)
{
	size_t old = a->other ? site_count(a->other) : 0;
	struct edits edits = { calloc(site_count(a) + old, sizeof(struct edit)), 0 };
	int ret = edits.items ? 0 : -ENOMEM;

	for (size_t i = 0; i < site_count(a) && !ret; i++)
		ret = add(&edits, a->process->pid, &a->sites[i], a->sites[i].replacement);
	/* What only the replaced hotfix redirected gets its own bytes back. */
	for (size_t i = 0; i < old && !ret; i++)
		if (!site_at(a, a->other->sites[i].address))
			ret = add(&edits, a->process->pid, &a->other->sites[i], 0);
	return run(&edits, a, ret, err);
}

/* True if the entry of @site is ours to restore; otherwise @ret says what is wrong with that. */
static bool is_ours(struct hp_attempt *a, const struct hp_site *site, int *ret,
		    struct hp_error *err)
{
	struct hp_error why = { 0 };
	enum hp_redirect redirect = hp_attempt__read_back(a, site, &why).redirect;

	/* Another version's jump is for its own revert. */
	if (redirect == HP_REDIRECT_IN_PLACE)
		return true;
	if (redirect != HP_REDIRECT_ABSENT && redirect != HP_REDIRECT_SUPERSEDED && !*ret) {
		if (err)
			*err = why;
		*ret = -EEXIST;
	}
	return false;
}

int hp_edits__revert(struct hp_attempt *a, struct hp_error *err)
{
	const struct hp_hotfix_meta *own = hp_hotfix__meta(a->proc->hotfix);
	/* While what was to be replaced is still there, the replacement was cut short: undo it. */
	struct hp_attempt *back =
		a->other && hp_hotfix__meta(a->other->proc->hotfix)->sequence < own->sequence
			? a->other
			: NULL;
	size_t old = back ? site_count(back) : 0;
	struct edits edits = { calloc(site_count(a) + old, sizeof(struct edit)), 0 };
	int ret = edits.items ? 0 : -ENOMEM;

	for (size_t i = 0; i < site_count(a) && ret != -ENOMEM; i++) {
		const struct hp_site *site = &a->sites[i], *before = site_at(back, site->address);

		if (is_ours(a, site, &ret, err) && !ret)
			ret = add(&edits, a->process->pid, site, before ? before->replacement : 0);
	}
	if (ret == -EEXIST) {
		free(edits.items);
		return ret;
	}
	for (size_t i = 0; i < old && !ret; i++)
		if (!site_at(a, back->sites[i].address) &&
		    hp_attempt__read_back(back, &back->sites[i], NULL).redirect ==
			    HP_REDIRECT_ABSENT)
			ret = add(&edits, a->process->pid, &back->sites[i],
				  back->sites[i].replacement);
	return run(&edits, a, ret, err);
}
