// SPDX-License-Identifier: GPL-2.0
/*
 * The running kernel's symbols, by name and by address. The two indexes are built when they are
 * first asked for: many runs need only one of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/kallsyms_internal.h"

#define KALLSYMS_PATH "/proc/kallsyms"
#define MODULES_PATH  "/proc/modules"
#define NO_SYMBOL     UINT32_MAX

/* A text symbol whose end is not known is taken to hold at most this much. */
#define UNKNOWN_SIZE_MAX (64 * 1024)
/* The per-CPU symbols are offsets from 0; the last of them does not reach up to the kernel. */
#define GAP_MAX (1ull << 30)

static void release(struct hp_kallsyms *ks)
{
	size_t i;

	if (ks->index) {
		free(ks->index->by_address);
		free(ks->index->bucket);
		free(ks->index->next);
		free(ks->index);
	}
	for (i = 0; i < ks->object_count; i++)
		free(ks->objects[i].name);
	free(ks->objects);
	free(ks->entries);
	free(ks->names);
	memset(ks, 0, sizeof(*ks));
}

void hp_kallsyms__close(struct hp_kallsyms *ks)
{
	if (!ks)
		return;
	release(ks);
	free(ks);
}

/*
 * A hash of which modules are loaded where. The lines of /proc/kallsyms are numbered, so a module
 * that goes away while the file is read makes the reader miss lines of the modules behind it.
 */
static uint64_t modules_fingerprint(void)
{
	_cleanup_file_ FILE *f = fopen(MODULES_PATH, "re");
	char line[4096], name[64], state[16], address[24];
	uint64_t hash = 0xcbf29ce484222325ull;
	const char *s;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %*s %*s %*s %15s %23s", name, state, address) != 3)
			continue;
		for (s = name; *s; s++)
			hash = (hash ^ (unsigned char)*s) * 0x100000001b3ull;
		for (s = address; *s; s++)
			hash = (hash ^ (unsigned char)*s) * 0x100000001b3ull;
	}
	return hash;
}

static int read_table(struct hp_kallsyms *ks, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ks->index = calloc(1, sizeof(*ks->index));
	if (!ks->index)
		return -ENOMEM;
	return hp_kallsyms__parse(ks, fd);
}

int hp_kallsyms__open(struct hp_kallsyms **out, const char *path, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_kallsyms__close) struct hp_kallsyms *ks = calloc(1, sizeof(*ks));
	uint64_t before, after = 0;
	int ret, tries = 3;

	if (!ks)
		return hp_fail(err, HP_E_NOMEM, "no memory for the kernel's symbols");
	do {
		release(ks);
		before = path ? 0 : modules_fingerprint();
		ret = read_table(ks, path ? path : KALLSYMS_PATH);
		if (!ret && !path)
			after = modules_fingerprint();
	} while (!ret && before != after && --tries);
	if (ret)
		return hp_fail_errno(err, ret == -ENOMEM ? HP_E_NOMEM : HP_E_KALLSYMS, ret,
				     "cannot read %s", path ? path : KALLSYMS_PATH);
	if (!ks->count)
		return hp_fail(err, HP_E_KALLSYMS, "%s holds no symbols",
			       path ? path : KALLSYMS_PATH);
	*out = ks;
	ks = NULL;
	return 0;
}

bool hp_kallsyms__hidden(const struct hp_kallsyms *ks)
{
	return ks->hidden;
}

static const char *entry_name(const struct hp_kallsyms *ks, uint32_t i)
{
	return ks->names + ks->entries[i].name;
}

static uint32_t name_hash(const char *name)
{
	uint32_t hash = 2166136261u;

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 16777619u;
	return hash ^ hash >> 15;
}

static int index_names(const struct hp_kallsyms *ks)
{
	struct ksym_index *index = ks->index;
	uint32_t buckets = 1024, i, *slot;

	if (index->bucket)
		return 0;
	while (buckets < ks->count)
		buckets *= 2;
	index->next = malloc(ks->count * sizeof(*index->next));
	if (!index->next)
		return -ENOMEM;
	index->bucket = malloc(buckets * sizeof(*index->bucket));
	if (!index->bucket) {
		free(index->next);
		index->next = NULL;
		return -ENOMEM;
	}
	index->bucket_mask = buckets - 1;
	memset(index->bucket, 0xff, buckets * sizeof(*index->bucket));
	/* Backwards, so that each chain is in the order of the table. */
	for (i = (uint32_t)ks->count; i-- > 0;) {
		slot = &index->bucket[name_hash(entry_name(ks, i)) & index->bucket_mask];
		index->next[i] = *slot;
		*slot = i;
	}
	return 0;
}

static int compare_address(const void *a, const void *b, void *arg)
{
	const struct ksym_entry *entries = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (entries[x].address != entries[y].address)
		return entries[x].address < entries[y].address ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* vmlinux, most of the table, is sorted already: sort what comes behind it, when that lies above. */
static int index_addresses(const struct hp_kallsyms *ks)
{
	uint32_t *order, i, sorted, n = (uint32_t)ks->count;
	uint64_t lowest = UINT64_MAX;

	if (ks->index->by_address)
		return 0;
	order = malloc(n * sizeof(*order));
	if (!order)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		order[i] = i;
	for (sorted = 1; sorted < n; sorted++)
		if (ks->entries[sorted].address < ks->entries[sorted - 1].address)
			break;
	for (i = sorted; i < n; i++)
		if (ks->entries[i].address < lowest)
			lowest = ks->entries[i].address;
	/* Back to the first entry that is above all the rest. */
	while (sorted > 0 && ks->entries[sorted - 1].address > lowest)
		sorted--;
	qsort_r(order + sorted, n - sorted, sizeof(*order), compare_address, ks->entries);
	ks->index->by_address = order;
	return 0;
}

/* The position in by_address of the first symbol above @address; count when there is none. */
static size_t first_above(const struct hp_kallsyms *ks, uint64_t address)
{
	size_t low = 0, high = ks->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ks->entries[ks->index->by_address[mid]].address <= address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static uint64_t symbol_size(const struct hp_kallsyms *ks, const struct ksym_entry *entry)
{
	size_t above = first_above(ks, entry->address);
	const struct ksym_entry *next;

	if (above == ks->count)
		return 0;
	next = &ks->entries[ks->index->by_address[above]];
	if (next->object != entry->object || next->address - entry->address > GAP_MAX)
		return 0;
	return next->address - entry->address;
}

static void fill_symbol(const struct hp_kallsyms *ks, uint32_t i, struct hp_symbol *out)
{
	const struct ksym_entry *entry = &ks->entries[i];

	*out = (struct hp_symbol){
		.address = entry->address,
		.size = ks->hidden ? 0 : symbol_size(ks, entry),
		.name = entry_name(ks, i),
		.object = ks->objects[entry->object].name,
		.type = entry->type,
	};
}

/* The first symbol named @name of @object (NULL: any) from entry @i of a hash chain on. */
static uint32_t next_match(const struct hp_kallsyms *ks, const char *object, const char *name,
			   uint32_t i)
{
	for (; i != NO_SYMBOL; i = ks->index->next[i])
		if (strcmp(entry_name(ks, i), name) == 0 &&
		    (!object || strcmp(ks->objects[ks->entries[i].object].name, object) == 0))
			break;
	return i;
}

static uint32_t first_match(const struct hp_kallsyms *ks, const char *object, const char *name)
{
	return next_match(ks, object, name,
			  ks->index->bucket[name_hash(name) & ks->index->bucket_mask]);
}

size_t hp_kallsyms__count(const struct hp_kallsyms *ks, const char *object, const char *name)
{
	size_t n = 0;
	uint32_t i;

	if (index_names(ks))
		return 0;
	for (i = first_match(ks, object, name); i != NO_SYMBOL;
	     i = next_match(ks, object, name, ks->index->next[i]))
		n++;
	return n;
}

int hp_kallsyms__find(const struct hp_kallsyms *ks, const char *object, const char *name,
		      uint64_t sympos, struct hp_symbol *out)
{
	uint64_t skip = sympos ? sympos - 1 : 0;
	uint32_t i;
	int ret;

	ret = index_names(ks);
	if (!ret)
		ret = index_addresses(ks);
	if (ret)
		return ret;
	i = first_match(ks, object, name);
	for (; i != NO_SYMBOL && skip; skip--)
		i = next_match(ks, object, name, ks->index->next[i]);
	if (i == NO_SYMBOL)
		return -ENOENT;
	if (!sympos && next_match(ks, object, name, ks->index->next[i]) != NO_SYMBOL)
		return -ENOTUNIQ;
	fill_symbol(ks, i, out);
	return 0;
}

static bool is_text(char type)
{
	return type == 't' || type == 'T' || type == 'w' || type == 'W';
}

int hp_kallsyms__lookup(const struct hp_kallsyms *ks, uint64_t address, struct hp_symbol *out,
			uint64_t *offset)
{
	uint32_t best = NO_SYMBOL;
	uint64_t start;
	size_t pos;
	int ret;

	if (ks->hidden)
		return -ENOENT;
	ret = index_addresses(ks);
	if (ret)
		return ret;
	pos = first_above(ks, address);
	if (!pos)
		return -ENOENT;
	/* Of several names for one place, the first, as the kernel does (get_symbol_pos()). */
	start = ks->entries[ks->index->by_address[pos - 1]].address;
	for (; pos > 0 && ks->entries[ks->index->by_address[pos - 1]].address == start; pos--)
		if (is_text(ks->entries[ks->index->by_address[pos - 1]].type))
			best = ks->index->by_address[pos - 1];
	if (best == NO_SYMBOL)
		return -ENOENT;
	fill_symbol(ks, best, out);
	*offset = address - start;
	return *offset < (out->size ? out->size : UNKNOWN_SIZE_MAX) ? 0 : -ENOENT;
}
