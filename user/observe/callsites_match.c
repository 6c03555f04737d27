// SPDX-License-Identifier: GPL-2.0
/*
 * From a return address seen on a stack to the call site it stands for. A call is simple. A jump
 * leaves the return address of whoever called the jumping function: then that call is decoded, and
 * the function that it goes to must hold the only jump to the target that it can come to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/text.h"
#include "host/module_files.h"
#include "host/module_image.h"
#include "host/module_memory.h"
#include "observe/callsites_internal.h"

/* How many jumps in a row are followed: a tail call, and the trampoline of a static call. */
#define JUMPS_MAX 2

/* The module section that was looked into last. */
struct hp_match_cache {
	struct hp_module_files *files;
	struct hp_module_image *module;
	struct hp_module_memory *memory; /* of a module without a file */
	struct hp_bytes section;
	uint8_t *bytes; /* section.bytes, owned */
};

struct hp_match_cache *hp_match_cache__new(void)
{
	return calloc(1, sizeof(struct hp_match_cache));
}

void hp_match_cache__free(struct hp_match_cache *cache)
{
	if (!cache)
		return;
	hp_module_files__close(cache->files);
	hp_module_image__close(cache->module);
	hp_module_memory__close(cache->memory);
	free(cache->bytes);
	free(cache);
}

static int read_vmlinux(const void *ctx, uint64_t address, void *buf, size_t len)
{
	return hp_vmlinux_image__read(ctx, address, buf, len);
}

static int code_of_vmlinux(const struct hp_callsites *cs, uint64_t address, struct hp_code *code)
{
	const struct hp_vmlinux_image *img = cs->source.img;
	uint64_t link;
	size_t i;

	if (!img)
		return -ENOENT;
	link = hp_vmlinux_image__link(img, address);
	for (i = 0; i < hp_vmlinux_image__section_count(img); i++) {
		const struct hp_image_section *section = hp_vmlinux_image__section(img, i);

		if (!section->exec || link - section->address >= section->size)
			continue;
		*code = (struct hp_code){
			.address = section->address,
			.size = section->size,
			.slide = hp_vmlinux_image__slide(img),
			.read = read_vmlinux,
			.ctx = img,
		};
		return 0;
	}
	return -ENOENT;
}

/* Make @module the one in the cache. */
static int open_module(const struct hp_callsites *cs, const char *module)
{
	struct hp_match_cache *cache = cs->cache;
	char path[4096];
	int ret;

	if (cache->module && strcmp(hp_module_image__name(cache->module), module) == 0)
		return 0;
	if (cache->memory && strcmp(hp_module_memory__name(cache->memory), module) == 0)
		return 0;
	hp_module_image__close(cache->module);
	cache->module = NULL;
	hp_module_memory__close(cache->memory);
	cache->memory = NULL;
	free(cache->bytes);
	cache->bytes = NULL;
	cache->section = (struct hp_bytes){ 0 };
	ret = cache->files ? 0 : hp_module_files__open(&cache->files, cs->source.modules_dir);
	if (!ret)
		ret = hp_module_files__find(cache->files, module, path, sizeof(path));
	if (!ret)
		ret = hp_module_image__open(&cache->module, path, module, cs->source.sys_module,
					    NULL);
	if (ret)
		ret = hp_module_memory__open(&cache->memory, module, cs->source.sys_module,
					     cs->source.kcore, NULL);
	return ret;
}

static int code_in_memory(struct hp_match_cache *cache, uint64_t address, struct hp_code *code)
{
	for (size_t i = 0; i < hp_module_memory__count(cache->memory); i++) {
		const struct hp_module_text *text = hp_module_memory__text(cache->memory, i);

		if (address - text->address >= text->size)
			continue;
		cache->section = (struct hp_bytes){ text->bytes, text->address, text->size };
		*code = (struct hp_code){
			.address = text->address,
			.size = text->size,
			.read = hp_bytes__read,
			.ctx = &cache->section,
		};
		return 0;
	}
	return -ENOENT;
}

static int code_of_module(const struct hp_callsites *cs, const char *module, uint64_t address,
			  struct hp_code *code)
{
	struct hp_match_cache *cache = cs->cache;
	size_t i;
	int ret;

	ret = open_module(cs, module);
	if (ret)
		return ret;
	if (cache->memory)
		return code_in_memory(cache, address, code);
	if (address - cache->section.address >= cache->section.size) {
		for (i = 0; i < hp_module_image__section_count(cache->module); i++) {
			const struct hp_module_section *section =
				hp_module_image__section(cache->module, i);

			if (section->exec && address - section->address < section->size)
				break;
		}
		if (i == hp_module_image__section_count(cache->module))
			return -ENOENT;
		free(cache->bytes);
		cache->section.address = hp_module_image__section(cache->module, i)->address;
		cache->section.size = hp_module_image__section(cache->module, i)->size;
		cache->bytes = malloc(cache->section.size);
		cache->section.bytes = cache->bytes;
		ret = cache->bytes
			      ? hp_module_image__read(cache->module, cs->source.ks, i, cache->bytes)
			      : -ENOMEM;
		if (ret) {
			cache->section.size = 0;
			return ret;
		}
	}
	*code = (struct hp_code){
		.address = cache->section.address,
		.size = cache->section.size,
		.read = hp_bytes__read,
		.ctx = &cache->section,
	};
	return 0;
}

/* The code around a runtime address. */
static int code_at(const struct hp_callsites *cs, uint64_t address, struct hp_symbol *sym,
		   struct hp_code *code)
{
	uint64_t offset;
	int ret;

	ret = hp_kallsyms__lookup(cs->source.ks, address, sym, &offset);
	if (ret)
		return ret;
	if (strcmp(sym->object, "vmlinux") == 0)
		return code_of_vmlinux(cs, address, code);
	return code_of_module(cs, sym->object, address, code);
}

/* The jumps to the target that a call to @function comes to. */
struct found {
	const struct hp_site *site;
	size_t count;
};

static void count_jumps(const struct hp_callsites *cs, const struct hp_target_sites *slot,
			uint64_t function, int depth, struct found *found)
{
	_cleanup_free_ uint8_t *buf = NULL;
	struct hp_symbol sym;
	struct hp_code code;
	uint64_t start, len, at;
	size_t i;

	for (i = 0; i < slot->count; i++) {
		const struct hp_site *site = &slot->sites[i];

		if (site->kind == HP_SITE_CALL ||
		    !hp_callsites__same_function(cs, &site->function, function))
			continue;
		if (found->site != site)
			found->count++;
		found->site = site;
	}
	if (found->count || depth == 1 || code_at(cs, function, &sym, &code) || !sym.size)
		return;
	start = sym.address - code.slide;
	len = sym.size;
	if (start < code.address || start - code.address >= code.size)
		return;
	if (len > code.size - (start - code.address))
		len = code.size - (start - code.address);
	buf = malloc(len);
	if (!buf || code.read(code.ctx, start, buf, len))
		return;
	for (at = 0; at < len;) {
		struct hp_insn insn;

		if (hp_text__decode(buf + at, len - at, start + at, &insn))
			return;
		at += insn.length;
		if (insn.branch != HP_BRANCH_JUMP && insn.branch != HP_BRANCH_COND)
			continue;
		if (insn.target - start >= len)
			count_jumps(cs, slot, insn.target + code.slide, depth - 1, found);
	}
}

int hp_callsites__match(const struct hp_callsites *cs, size_t i, uint64_t return_address,
			struct hp_site_match *out)
{
	const struct hp_target_sites *slot = hp_callsites__target(cs, i);
	struct found found = { 0 };
	struct hp_symbol sym;
	struct hp_code code;
	struct hp_insn insn;
	size_t j;
	int ret;

	*out = (struct hp_site_match){ 0 };
	for (j = 0; j < slot->count; j++)
		if (slot->sites[j].return_address == return_address && return_address) {
			out->site = &slot->sites[j];
			return 0;
		}
	ret = code_at(cs, return_address - 1, &sym, &code);
	if (!ret)
		ret = hp_code__ending_at(&code, cs->source.ks, return_address - code.slide, &insn);
	if (ret)
		return ret == -ENOMEM ? ret : -ENOENT;
	if (insn.branch != HP_BRANCH_CALL)
		return -ENOENT;
	count_jumps(cs, slot, insn.target + code.slide, JUMPS_MAX, &found);
	if (found.count != 1)
		return -ENOENT;
	out->site = found.site;
	out->via_tail = true;
	return 0;
}
