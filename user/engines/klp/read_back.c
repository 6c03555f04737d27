// SPDX-License-Identifier: GPL-2.0
/*
 * Is a redirect in place? Judged from what was read: the func_stack, the ftrace_ops that carry it,
 * and the live text of the target's entry. Being registered proves nothing: ftrace can lose a
 * livepatch without telling it (docs/kernel-hazards.md, 1).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engines/klp/snapshot.h"

#define FTRACE_OPS_FL_ENABLED 1 /* BIT(0) since its first day, include/linux/ftrace.h */

#define CALL_LEN 5

/* What stands where a traced function calls ftrace: arch/x86/kernel/ftrace.c. */
enum entry_kind {
	ENTRY_CALL,
	ENTRY_NOP,
	ENTRY_TRAP, /* int3: a breakpoint, or text that is being changed at this very moment */
	ENTRY_JUMP,
	ENTRY_OTHER,
};

size_t hp_klp_entry__offset(const unsigned char *entry)
{
	static const unsigned char endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	/* What seals an endbr64 that nothing needs: nopw (%rax), later nopl -42(%rax). */
	static const unsigned char sealed[] = { 0x66, 0x0f, 0x1f, 0x00 };
	static const unsigned char sealed_fineibt[] = { 0x0f, 0x1f, 0x40, 0xd6 };

	if (!memcmp(entry, endbr64, 4) || !memcmp(entry, sealed, 4) ||
	    !memcmp(entry, sealed_fineibt, 4))
		return 4;
	return 0;
}

static enum entry_kind classify(const unsigned char *site)
{
	static const unsigned char nop5[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };

	if (!memcmp(site, nop5, sizeof(nop5)))
		return ENTRY_NOP;
	switch (site[0]) {
	case 0xe8:
		return ENTRY_CALL;
	case 0xcc:
		return ENTRY_TRAP;
	case 0xe9:
	case 0xeb:
		return ENTRY_JUMP;
	}
	return ENTRY_OTHER;
}

size_t hp_klp_entry__size(const unsigned char *entry)
{
	return hp_klp_entry__offset(entry) + CALL_LEN;
}

bool hp_klp_entry__traceable(const unsigned char *entry)
{
	enum entry_kind kind = classify(entry + hp_klp_entry__offset(entry));

	return kind == ENTRY_CALL || kind == ENTRY_NOP || kind == ENTRY_TRAP;
}

static void __attribute__((format(printf, 3, 4)))
say(struct hp_read_back *out, enum hp_redirect redirect, const char *fmt, ...)
{
	va_list ap;

	out->redirect = redirect;
	va_start(ap, fmt);
	vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
	va_end(ap);
}

/* What is at the entry, as far as it can be told; false when the entry does not lead to ftrace. */
static bool judge_entry(const struct hp_klp_func *func, struct hp_read_back *out)
{
	const unsigned char *site = func->entry + hp_klp_entry__offset(func->entry);

	switch (classify(site)) {
	case ENTRY_CALL:
		return true;
	case ENTRY_NOP:
		say(out, HP_REDIRECT_BROKEN,
		    "registered, but the target's entry is still a nop: calls run the old code");
		return false;
	case ENTRY_TRAP:
		say(out, HP_REDIRECT_UNKNOWN,
		    "a breakpoint stands at the target's entry: its call to ftrace cannot be seen");
		return false;
	case ENTRY_JUMP:
		say(out, HP_REDIRECT_BROKEN,
		    "registered, but the target's entry is a jump that ftrace did not put there");
		return false;
	case ENTRY_OTHER:
		break;
	}
	say(out, HP_REDIRECT_BROKEN,
	    "registered, but the target's entry is %02x %02x %02x %02x %02x, no call to ftrace",
	    site[0], site[1], site[2], site[3], site[4]);
	return false;
}

static bool judge_ops(const struct hp_klp_func *func, struct hp_read_back *out)
{
	if (!(func->ops_flags & FTRACE_OPS_FL_ENABLED)) {
		say(out, HP_REDIRECT_BROKEN,
		    "registered, but its ftrace_ops are not enabled (flags 0x%" PRIx64 ")",
		    func->ops_flags);
		return false;
	}
	if (strcmp(func->ops_func, "klp_ftrace_handler")) {
		say(out, HP_REDIRECT_BROKEN,
		    "registered, but ftrace calls %s instead of klp_ftrace_handler",
		    func->ops_func[0] ? func->ops_func : "nothing");
		return false;
	}
	return true;
}

/* Does the call at the entry lead to ftrace's trampoline for these ops alone? */
static bool calls_own_trampoline(const struct hp_klp_func *func)
{
	size_t offset = hp_klp_entry__offset(func->entry);
	uint64_t destination;
	int32_t relative;

	if (classify(func->entry + offset) != ENTRY_CALL)
		return false;
	memcpy(&relative, func->entry + offset + 1, sizeof(relative));
	destination = func->old_addr + offset + CALL_LEN + (uint64_t)(int64_t)relative;
	return func->trampoline && destination - func->trampoline < func->trampoline_size;
}

/*
 * ftrace is dead: nobody can observe or revert the livepatch any more. Where several users share
 * the function, arch_ftrace_ops_list_func() stops before it reaches the livepatch, too.
 */
static void judge_dead(const struct hp_klp_func *func, struct hp_read_back *out)
{
	const unsigned char *site = func->entry + hp_klp_entry__offset(func->entry);
	const char *entry = "cannot be read";

	if (func->have_entry && classify(site) != ENTRY_CALL)
		entry = "is no call: calls run the old code";
	else if (func->have_entry && calls_own_trampoline(func))
		entry = "still leads to the livepatch";
	else if (func->have_entry)
		entry = "calls ftrace, which redirects nothing";
	say(out, HP_REDIRECT_BROKEN,
	    "ftrace has stopped itself after an error (see dmesg); the entry %s", entry);
}

void hp_klp_snapshot__read_back(const struct hp_klp_snapshot *snap,
				const struct hp_klp_patch *patch,
				const struct hp_klp_object *object, const struct hp_klp_func *func,
				struct hp_read_back *out)
{
	if (!object->loaded) {
		say(out, HP_REDIRECT_ABSENT, "module %s is not loaded", object->name);
	} else if (!patch->enabled && !patch->transition) {
		say(out, HP_REDIRECT_ABSENT, "the livepatch is disabled");
	} else if (snap->source == HP_KLP_FROM_SYSFS) {
		if (snap->ftrace_disabled == 1)
			say(out, HP_REDIRECT_BROKEN,
			    "ftrace has stopped itself after an error (see dmesg)");
		else
			say(out, HP_REDIRECT_UNKNOWN, "the kernel's own list cannot be read here");
	} else if (!func->patched) {
		say(out, HP_REDIRECT_ABSENT, "not registered");
	} else if (snap->ftrace_disabled == 1) {
		judge_dead(func, out);
	} else if (!func->have_ops || !func->ops_known) {
		say(out, HP_REDIRECT_UNKNOWN, "its ftrace_ops could not be read");
	} else if (!judge_ops(func, out)) {
		return;
	} else if (!func->have_entry) {
		say(out, HP_REDIRECT_UNKNOWN, "the text at the target's entry cannot be read");
	} else if (!judge_entry(func, out)) {
		return;
	} else if (func->superseded_by[0]) {
		say(out, HP_REDIRECT_SUPERSEDED, "%s takes the calls", func->superseded_by);
	} else {
		say(out, HP_REDIRECT_IN_PLACE, "the entry calls %s, which leads to %s%s",
		    calls_own_trampoline(func) ? "the livepatch's own trampoline" : "ftrace",
		    func->nop		? "the old code, on purpose"
		    : func->new_name[0] ? func->new_name
					: "the replacement",
		    patch->forced
			    ? "; its transition was forced: tasks may be in the old code still"
			    : "");
	}
}
