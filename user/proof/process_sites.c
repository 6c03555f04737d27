// SPDX-License-Identifier: GPL-2.0
/* Call sites of the targets in processes: known from code, seen at run time, put together. */
#include "proof/process_sites.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engines/proc/memory.h"
#include "observe/elf_sites.h"
#include "proof/process_tails.h"

/* Of more sites than that, only those that called are listed: there may be thousands of processes. */
#define MAX_LISTED 256

struct known_file {
	struct hp_elf *elf;
	struct hp_elf_sites sites;
	bool blind; /* it could not be looked into */
};

struct hp_process_sites {
	struct hp_proc *proc;
	const struct hp_hotfix_meta *meta;
	struct hp_elf_function
		*functions; /* one for each forward attach; of the first target file */
	struct known_file *files;
	size_t file_count;
};

/* By what the calls of a site that is known from code are told, in the order of the sites. */
struct site_key {
	uint64_t next;	   /* link address behind it */
	uint64_t function; /* of a jump, the function that it is in, in the process; 0: not known */
};

/* One process while its sites are put together. */
struct fill {
	struct hp_process_sites *sites;
	struct hp_process_row *row;
	const struct hp_maps *maps;
	uint64_t target_bias;
	struct site_key **keys; /* of each target's sites that are known from code */
};

int hp_process_sites__open(struct hp_process_sites **out, struct hp_proc *proc)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->proc = proc;
	(*out)->meta = hp_hotfix__meta(hp_proc__hotfix(proc));
	return 0;
}

static void free_functions(struct hp_process_sites *s)
{
	for (size_t i = 0; s->functions && i < s->meta->forward_count; i++)
		hp_elf_function__free(&s->functions[i]);
	free(s->functions);
	s->functions = NULL;
}

void hp_process_sites__close(struct hp_process_sites *s)
{
	for (size_t i = 0; i < s->file_count; i++)
		hp_elf_sites__free(&s->files[i].sites);
	free(s->files);
	free_functions(s);
	free(s);
}

/* The targets by their names: the same in all files of this build. */
static int learn_functions(struct hp_process_sites *s, struct hp_elf *target)
{
	int ret = 0;

	if (s->functions)
		return 0;
	s->functions = calloc(s->meta->forward_count + 1, sizeof(*s->functions));
	for (size_t i = 0; s->functions && i < s->meta->forward_count && !ret; i++)
		ret = hp_elf_function__init(&s->functions[i], target, s->meta->forward[i].address);
	if (s->functions && !ret)
		return 0;
	free_functions(s);
	return -ENOMEM;
}

static const struct known_file *look_into(struct hp_process_sites *s, struct hp_elf *elf)
{
	bool is_own = hp_elf__build_id(elf) &&
		      hp_build_id__equal(hp_elf__build_id(elf), &s->meta->target_id);
	struct known_file *grown;
	struct hp_elf_sites sites;
	int ret;

	for (size_t i = 0; i < s->file_count; i++)
		if (s->files[i].elf == elf)
			return &s->files[i];
	ret = hp_elf_sites__find(&sites, elf, is_own, s->functions, s->meta->forward_count);
	if (ret == -ENOMEM)
		return NULL;
	grown = realloc(s->files, (s->file_count + 1) * sizeof(*grown));
	if (!grown) {
		hp_elf_sites__free(&sites);
		return NULL;
	}
	s->files = grown;
	grown[s->file_count] = (struct known_file){ elf, sites, ret != 0 };
	return &grown[s->file_count++];
}

/* Does the pointer lead to the target, or nowhere yet (lazy binding)? Not when somebody else has that name. */
static bool leads_there(const struct fill *f, const struct hp_map *map, uint64_t slot, size_t i)
{
	uint64_t target = f->target_bias + f->sites->meta->forward[i].address, value;
	const struct hp_map *at;

	if (hp_memory__read(f->row->record.process.pid, slot, &value, sizeof(value)))
		return false;
	at = value == target ? NULL : hp_maps__at(f->maps, value);
	return value == target || (at && at->inode == map->inode && at->major == map->major &&
				   at->minor == map->minor);
}

static const char *base_of(const struct hp_map *map)
{
	const char *base = strrchr(map->path, '/');

	return base ? base + 1 : map->path;
}

static int add_static(struct fill *f, const struct known_file *file, const struct hp_map *map,
		      uint64_t bias)
{
	for (size_t n = 0; n < file->sites.count; n++) {
		const struct hp_elf_site *from = &file->sites.list[n];
		struct hp_call_sites *sites = &f->row->targets[from->function].call_sites;
		struct hp_verify_site *to;
		struct site_key *grown;
		const char *symbol;

		if (from->slot && !leads_there(f, map, bias + from->slot, from->function))
			continue;
		grown = realloc(f->keys[from->function], (sites->count + 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		f->keys[from->function] = grown;
		to = hp_call_sites__add(sites);
		if (!to)
			return -ENOMEM;
		grown += sites->count - 1;
		*grown = (struct site_key){ .next = from->next };
		to->object = strdup(base_of(map));
		to->address = from->address;
		if (!hp_elf__symbol_at(file->elf, from->address, &symbol, &to->offset)) {
			to->symbol = strdup(symbol);
			grown->function = bias + from->address - to->offset;
		}
		to->kind = from->kind;
		to->found_static = true;
		/* What a jump leaves on the stack is somebody else's return address: see site_of_jump(). */
		to->countable = from->kind == HP_SITE_CALL;
	}
	return 0;
}

static void add_reason(struct hp_call_sites *sites, const char *object)
{
	size_t used = strlen(sites->reason);

	snprintf(sites->reason + used, sizeof(sites->reason) - used, "%s %.60s",
		 used ? "," : "could not look into", object);
	sites->known = false;
}

static int look_into_all(struct fill *f)
{
	struct hp_process_sites *s = f->sites;
	const struct hp_map *last = NULL;

	for (size_t i = 0; i < f->maps->count; i++) {
		const struct hp_map *map = &f->maps->items[i];
		const struct known_file *file;
		struct hp_elf *elf;
		uint64_t bias;

		if (!map->inode || !(map->prot & PROT_EXEC))
			continue;
		/* The code of one object may be several mappings, one behind the other. */
		if (last && last->inode == map->inode && last->major == map->major &&
		    last->minor == map->minor)
			continue;
		last = map;
		if (hp_proc__object(s->proc, f->row->record.process.pid, map, &elf, &bias)) {
			for (size_t t = 0; t < s->meta->forward_count; t++)
				add_reason(&f->row->targets[t].call_sites, base_of(map));
			continue;
		}
		file = look_into(s, elf);
		if (!file || add_static(f, file, map, bias))
			return -ENOMEM;
		for (size_t t = 0; t < s->meta->forward_count; t++) {
			struct hp_call_sites *sites = &f->row->targets[t].call_sites;

			if (file->blind)
				add_reason(sites, base_of(map));
			else
				sites->by_pointer |= file->sites.address_taken[t];
		}
	}
	return 0;
}

/* The only jump of the function that the call returning to @next goes to, if it has just one. */
static struct hp_verify_site *site_of_jump(struct hp_call_sites *sites, const struct site_key *keys,
					   size_t known, pid_t pid, uint64_t next)
{
	struct hp_verify_site *site = NULL;
	uint64_t function = 0;

	for (size_t i = 0; i < known; i++) {
		if (sites->list[i].kind == HP_SITE_CALL || !keys[i].function)
			continue;
		function = function ?: hp_process_call__target(pid, next);
		if (!function)
			return NULL;
		if (keys[i].function != function)
			continue;
		if (site)
			return NULL;
		site = &sites->list[i];
	}
	if (site)
		site->countable = true;
	return site;
}

/* The site of @caller's calls: a known one, or a new one seen at run time only. */
static struct hp_verify_site *site_of(struct hp_call_sites *sites, const struct site_key *keys,
				      size_t known, pid_t pid,
				      const struct hp_process_caller *caller)
{
	const struct hp_proc_where *where = &caller->where;
	struct hp_verify_site *site;

	for (size_t i = 0; i < known; i++)
		if (keys[i].next == where->address && sites->list[i].kind == HP_SITE_CALL &&
		    !strncmp(sites->list[i].object ?: "", where->object, sizeof(where->object) - 1))
			return &sites->list[i];
	site = site_of_jump(sites, keys, known, pid, caller->next);
	if (site)
		return site;
	site = hp_call_sites__at(sites, where->object, where->address) ?: hp_call_sites__add(sites);
	if (!site || site->object)
		return site;
	site->object = strdup(where->object);
	site->address = where->address;
	site->symbol = *where->symbol ? strdup(where->symbol) : NULL;
	site->offset = *where->symbol ? where->offset : 0;
	site->countable = true;
	return site;
}

static int add_callers(struct hp_process_target *target, const struct site_key *keys, size_t known,
		       pid_t pid)
{
	const struct hp_process_callers *both[] = { &target->callers, &target->stale_callers };

	for (size_t stale = 0; stale < 2; stale++)
		for (size_t i = 0; i < both[stale]->count; i++) {
			const struct hp_process_caller *c = &both[stale]->list[i];
			struct hp_verify_site *site =
				site_of(&target->call_sites, keys, known, pid, c);

			if (!site)
				return -ENOMEM;
			*(stale ? &site->stale : &site->redirected) += c->calls;
		}
	return 0;
}

static void shorten(struct hp_call_sites *sites)
{
	size_t kept = 0;

	for (size_t i = 0; i < sites->count && sites->count > MAX_LISTED; i++) {
		struct hp_verify_site *site = &sites->list[i];

		if (site->redirected || site->stale) {
			sites->list[kept++] = *site;
			continue;
		}
		sites->unlisted++;
		sites->unlisted_countable += site->countable;
		free(site->object);
		free(site->symbol);
	}
	if (sites->unlisted)
		sites->count = kept;
}

int hp_process_sites__fill(struct hp_process_sites *s, struct hp_process_row *row,
			   const struct hp_maps *maps)
{
	const struct hp_map *map = hp_maps__at(maps, row->record.process.start);
	struct fill f = { .sites = s, .row = row, .maps = maps };
	size_t count = s->meta->forward_count;
	struct hp_elf *target;
	int ret;

	if (!map || hp_proc__object(s->proc, row->record.process.pid, map, &target, &f.target_bias))
		return 0;
	ret = learn_functions(s, target);
	f.keys = ret ? NULL : calloc(count + 1, sizeof(*f.keys));
	if (!f.keys)
		return -ENOMEM;
	for (size_t t = 0; t < count; t++)
		row->targets[t].call_sites.known = true;
	ret = look_into_all(&f);
	for (size_t t = 0; t < count && !ret; t++) {
		struct hp_call_sites *sites = &row->targets[t].call_sites;

		ret = add_callers(&row->targets[t], f.keys[t], sites->count,
				  row->record.process.pid);
		shorten(sites);
	}
	for (size_t t = 0; t < count; t++)
		free(f.keys[t]);
	free(f.keys);
	return ret;
}
