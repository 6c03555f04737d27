// SPDX-License-Identifier: GPL-2.0
/* The static call sites of targets: where to look for them, and what was found. */
#include "observe/callsites.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "observe/callsites_internal.h"

#define PROGRESS_AFTER_NS (2 * HP_NSEC_PER_SEC)

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The targets' addresses, each once (two hotfixes may have one target), as slots of results. */
static int make_slots(struct hp_callsites *cs, const struct hp_target *targets, size_t n)
{
	size_t i;

	cs->address = calloc(n + 1, sizeof(*cs->address));
	cs->slot_of = calloc(n + 1, sizeof(*cs->slot_of));
	cs->slots = calloc(n + 1, sizeof(*cs->slots));
	if (!cs->address || !cs->slot_of || !cs->slots)
		return -ENOMEM;
	cs->target_count = n;
	for (i = 0; i < n; i++)
		cs->address[i] = targets[i].old_addr;
	qsort(cs->address, n, sizeof(*cs->address), compare_u64);
	for (i = 0; i < n; i++)
		if (!i || cs->address[i] != cs->address[cs->slot_count - 1])
			cs->address[cs->slot_count++] = cs->address[i];
	for (i = 0; i < n; i++) {
		const uint64_t *found = bsearch(&targets[i].old_addr, cs->address, cs->slot_count,
						sizeof(*cs->address), compare_u64);

		cs->slot_of[i] = (size_t)(found - cs->address);
	}
	return 0;
}

static int add_site(struct hp_target_sites *slot, const struct hp_site *site)
{
	/* Grows to the next power of two. */
	if (!(slot->count & (slot->count - 1))) {
		size_t cap = slot->count ? 2 * slot->count : 1;
		struct hp_site *sites = realloc(slot->sites, cap * sizeof(*sites));

		if (!sites)
			return -ENOMEM;
		slot->sites = sites;
	}
	slot->sites[slot->count++] = *site;
	return 0;
}

int hp_search__add_blind(struct hp_search *s, size_t slot_index, const char *object)
{
	struct hp_target_sites *slot = &s->cs->slots[slot_index];
	struct hp_callsites *cs = s->cs;
	const char **blind;
	char **names;
	size_t i;

	for (i = 0; i < slot->blind_count; i++)
		if (strcmp(slot->blind[i], object) == 0)
			return 0;
	blind = realloc(slot->blind, (slot->blind_count + 1) * sizeof(*blind));
	if (!blind)
		return -ENOMEM;
	slot->blind = blind;
	for (i = 0; i < cs->name_count; i++)
		if (strcmp(cs->names[i], object) == 0)
			break;
	if (i == cs->name_count) {
		names = realloc(cs->names, (cs->name_count + 1) * sizeof(*names));
		if (!names)
			return -ENOMEM;
		cs->names = names;
		names[cs->name_count] = strdup(object);
		if (!names[cs->name_count])
			return -ENOMEM;
		cs->name_count++;
	}
	slot->blind[slot->blind_count++] = cs->names[i];
	return 0;
}

static enum hp_site_kind site_kind(enum hp_branch branch)
{
	switch (branch) {
	case HP_BRANCH_CALL:
		return HP_SITE_CALL;
	case HP_BRANCH_JUMP:
		return HP_SITE_TAIL;
	case HP_BRANCH_COND:
		return HP_SITE_COND;
	default:
		return HP_SITE_UNKNOWN;
	}
}

static int on_reference(void *arg, const struct hp_reference *ref)
{
	const struct hp_search *s = arg;
	struct hp_callsites *cs = s->cs;
	struct hp_target_sites *slot = &cs->slots[s->slot[ref->target]];
	uint64_t target = cs->address[s->slot[ref->target]];
	struct hp_site site = {
		.address = ref->address + s->slide,
		.kind = site_kind(ref->branch),
		.confirmed = ref->confirmed,
		.function = ref->function,
	};

	if (ref->branch == HP_BRANCH_NONE) {
		slot->address_taken += ref->confirmed;
		return 0;
	}
	if (s->freed)
		return 0;
	if (site.kind == HP_SITE_CALL)
		site.return_address = ref->next + s->slide;
	if (site.function.name) {
		site.offset = site.address - site.function.address;
		site.recursive = hp_callsites__same_function(cs, &site.function, target);
		/* include/linux/static_call_types.h: STATIC_CALL_TRAMP_PREFIX */
		site.static_call = strncmp(site.function.name, "__SCT__", 7) == 0;
	}
	return add_site(slot, &site);
}

static int on_pointer(void *arg, size_t target, uint64_t address)
{
	const struct hp_search *s = arg;
	size_t i;

	for (i = 0; i + 1 < s->skip_count; i += 2)
		if (address >= s->skip[i] && address < s->skip[i + 1])
			return 0;
	s->cs->slots[s->slot[target]].address_taken++;
	return 0;
}

int hp_search__aim(struct hp_search *s, size_t n, uint64_t slide)
{
	_cleanup_free_ uint64_t *addresses = calloc(n + 1, sizeof(*addresses));
	size_t i;

	hp_address_set__free(&s->set);
	if (!addresses)
		return -ENOMEM;
	/* Slots are in order of address: index i of the set is s->slot[i]. */
	for (i = 0; i < n; i++)
		addresses[i] = s->cs->address[s->slot[i]] - slide;
	s->slide = slide;
	s->freed = false;
	s->skip_count = 0;
	return hp_address_set__init(&s->set, addresses, n);
}

bool hp_search__stopped(const struct hp_search *s)
{
	return s->source->stop && *s->source->stop;
}

void hp_search__show(const struct hp_search *s, const char *object)
{
	if (hp_now_ns() - s->begin_ns > PROGRESS_AFTER_NS)
		hp_progress("looking for call sites in %s", object);
}

int hp_search__scan(struct hp_search *s, const struct hp_code *code, bool exec)
{
	return exec ? hp_code__scan(code, &s->set, s->source->ks, on_reference, s)
		    : hp_data__scan(code, &s->set, on_pointer, s);
}

static bool slot_wanted(const struct hp_search *s, size_t slot, const char *object)
{
	size_t i;

	if (!s->cs->address[slot])
		return false;
	for (i = 0; i < s->target_count; i++)
		if (s->cs->slot_of[i] == slot && strcmp(s->targets[i].object, object) == 0)
			return true;
	return false;
}

static int read_vmlinux(const void *ctx, uint64_t address, void *buf, size_t len)
{
	return hp_vmlinux_image__read(ctx, address, buf, len);
}

bool hp_search__is_bookkeeping(const char *name)
{
	static const char *const prefixes[] = {
		".BTF",
		".orc_",
		".note",
		"__ksymtab",
		"__kcrctab",
		"__mcount_loc",
		"__bug_table",
		"__ex_table",
		"__jump_table",
		"__versions",
		"__dyndbg",
		".modinfo",
		".smp_locks",
		".altinstr",
		".parainstructions",
		".retpoline_sites",
		".return_sites",
		".static_call_sites",
		".call_sites",
		".ibt_endbr_seal",
		"_kprobe_blacklist",
		"_error_injection_whitelist",
		".rodata.str",
	};
	size_t i;

	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* Code that is gone after boot; alternatives' replacements are only ever copied elsewhere. */
static bool is_freed_code(const char *name)
{
	return strncmp(name, ".init", 5) == 0 || strncmp(name, ".exit", 5) == 0 ||
	       strncmp(name, ".altinstr", 9) == 0;
}

/* Tables that the linker script keeps inside of .init.data (include/asm-generic/vmlinux.lds.h). */
static size_t find_skips(const struct hp_kallsyms *ks, uint64_t slide, uint64_t *skip)
{
	static const char *const names[][2] = {
		{ "__start_mcount_loc", "__stop_mcount_loc" },
		{ "__start_kprobe_blacklist", "__stop_kprobe_blacklist" },
		{ "__start_error_injection_whitelist", "__stop_error_injection_whitelist" },
	};
	struct hp_symbol start, stop;
	size_t i, n = 0;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (hp_kallsyms__find(ks, "vmlinux", names[i][0], 0, &start) ||
		    hp_kallsyms__find(ks, "vmlinux", names[i][1], 0, &stop))
			continue;
		skip[n++] = start.address - slide;
		skip[n++] = stop.address - slide;
	}
	return n;
}

static int search_vmlinux(struct hp_search *s)
{
	const struct hp_vmlinux_image *img = s->source->img;
	const struct hp_kallsyms *ks = s->source->ks;
	uint64_t skip[6], slide;
	size_t i, n = 0;
	int ret;

	for (i = 0; i < s->cs->slot_count; i++)
		if (slot_wanted(s, i, "vmlinux"))
			s->slot[n++] = i;
	if (!n)
		return 0;
	if (!img) {
		for (i = 0, ret = 0; i < n && !ret; i++)
			ret = hp_search__add_blind(s, s->slot[i], "vmlinux");
		return ret;
	}
	slide = hp_vmlinux_image__slide(img);
	ret = hp_search__aim(s, n, slide);
	s->skip = skip;
	s->skip_count = find_skips(ks, slide, skip);
	for (i = 0; i < hp_vmlinux_image__section_count(img) && !ret; i++) {
		const struct hp_image_section *section = hp_vmlinux_image__section(img, i);
		const struct hp_code code = {
			.address = section->address,
			.size = section->size,
			.slide = slide,
			.read = read_vmlinux,
			.ctx = img,
		};

		if (hp_search__stopped(s))
			return -EINTR;
		if (!section->alloc || section->nobits || hp_search__is_bookkeeping(section->name))
			continue;
		hp_search__show(s, "the kernel");
		s->freed = is_freed_code(section->name);
		ret = hp_search__scan(s, &code, section->exec);
	}
	return ret;
}

static int compare_site(const void *a, const void *b)
{
	const struct hp_site *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static int new_callsites(struct hp_callsites **out, const struct hp_callsites_source *source,
			 const struct hp_target *targets, size_t n)
{
	struct hp_callsites *cs = calloc(1, sizeof(*cs));
	int ret;

	if (!cs)
		return -ENOMEM;
	cs->source = *source;
	cs->cache = hp_match_cache__new();
	ret = cs->cache ? make_slots(cs, targets, n) : -ENOMEM;
	if (ret)
		hp_callsites__close(cs);
	else
		*out = cs;
	return ret;
}

void hp_callsites__close(struct hp_callsites *cs)
{
	size_t i;

	if (!cs)
		return;
	for (i = 0; cs->slots && i < cs->slot_count; i++) {
		free(cs->slots[i].sites);
		free(cs->slots[i].blind);
	}
	for (i = 0; i < cs->name_count; i++)
		free(cs->names[i]);
	hp_match_cache__free(cs->cache);
	free(cs->names);
	free(cs->slots);
	free(cs->slot_of);
	free(cs->address);
	free(cs);
}

const struct hp_target_sites *hp_callsites__target(const struct hp_callsites *cs, size_t i)
{
	return &cs->slots[cs->slot_of[i]];
}

bool hp_callsites__same_function(const struct hp_callsites *cs, const struct hp_symbol *function,
				 uint64_t address)
{
	struct hp_symbol sym;
	uint64_t offset;
	size_t len;

	if (!function->name || hp_kallsyms__lookup(cs->source.ks, address, &sym, &offset))
		return false;
	if (sym.address == function->address)
		return true;
	/* The compiler moves what is unlikely to run out of f into f.cold. */
	len = strlen(sym.name);
	return strcmp(sym.object, function->object) == 0 &&
	       strncmp(function->name, sym.name, len) == 0 &&
	       strncmp(function->name + len, ".cold", 5) == 0;
}

int hp_callsites__search(struct hp_callsites **out, const struct hp_callsites_source *source,
			 const struct hp_target *targets, size_t n, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_callsites__close) struct hp_callsites *cs = NULL;
	struct hp_search s = {
		.source = source,
		.targets = targets,
		.target_count = n,
		.begin_ns = hp_now_ns(),
	};
	size_t i;
	int ret;

	if (hp_kallsyms__hidden(source->ks))
		return hp_fail(err, HP_E_KALLSYMS_HIDDEN, "the kernel hides its addresses");
	ret = new_callsites(&cs, source, targets, n);
	if (ret)
		return hp_fail(err, HP_E_NOMEM, "no memory for call sites");
	s.cs = cs;
	/* With CONFIG_KALLSYMS_ALL there is one __ksymtab_X for each exported X. */
	s.ksymtab = hp_kallsyms__count(source->ks, "vmlinux", "__ksymtab_kfree") > 0;
	s.slot = calloc(cs->slot_count + 1, sizeof(*s.slot));
	ret = s.slot ? search_vmlinux(&s) : -ENOMEM;
	if (!ret)
		ret = hp_search__modules(&s);
	hp_address_set__free(&s.set);
	free(s.slot);
	if (ret == -EINTR)
		return hp_fail(err, HP_E_INTERRUPTED, "interrupted while looking for call sites");
	if (ret == -ENOMEM)
		return hp_fail(err, HP_E_NOMEM, "no memory for call sites");
	if (ret)
		return hp_fail_errno(err, HP_E_IMAGE_CORRUPT, ret, "cannot read the code of %s",
				     source->img ? hp_vmlinux_image__path(source->img)
						 : "the kernel");
	for (i = 0; i < cs->slot_count; i++)
		if (cs->slots[i].count)
			qsort(cs->slots[i].sites, cs->slots[i].count, sizeof(struct hp_site),
			      compare_site);
	*out = cs;
	cs = NULL;
	return 0;
}
