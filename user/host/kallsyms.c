// SPDX-License-Identifier: GPL-2.0
/*
 * The running kernel's symbols, read from /proc/kallsyms in one pass.
 *
 * The file has some 200000 lines, so the table is kept in 16 bytes per symbol plus one arena of
 * names, and the two indexes (by address, by name) are built when they are first asked for.
 *
 * Lines are kept in the order of the file, because livepatch's sympos counts in that order:
 * klp_find_object_symbol() walks vmlinux in the order of the kernel's own table, which
 * scripts/kallsyms.c sorts by address, and a module in the order of its ELF symbol table
 * (module_kallsyms_on_each_symbol()). s_show() in kernel/kallsyms.c prints both just so.
 */
#include "host/kallsyms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KALLSYMS_PATH "/proc/kallsyms"
#define MODULES_PATH  "/proc/modules"
#define READ_SIZE     (256 * 1024)
#define NO_SYMBOL     UINT32_MAX

/* A text symbol whose end is not known is taken to hold at most this much. */
#define UNKNOWN_SIZE_MAX (64 * 1024)
/* The per-CPU symbols are offsets from 0; the last of them does not reach up to the kernel. */
#define GAP_MAX (1ull << 30)

struct entry {
	uint64_t address;
	uint32_t name; /* offset in names */
	uint16_t object;
	char type;
};

struct object {
	char *name;
	bool closed; /* its block in the file has ended */
};

/* Built on demand, behind a pointer: asking a const table a question may build them. */
struct kallsyms_index {
	uint32_t *by_address; /* entry numbers */
	uint32_t *bucket;     /* first entry of each name hash */
	uint32_t *next;	      /* entry -> next entry with that hash, in the order of the table */
	uint32_t bucket_mask;
};

struct hp_kallsyms {
	struct entry *entries;
	size_t count, entry_cap;
	char *names;
	size_t names_len, names_cap;
	struct object *objects;
	size_t object_count, current;
	bool hidden;
	struct kallsyms_index *index;
};

static int reserve_entry(struct hp_kallsyms *ks)
{
	size_t cap = ks->entry_cap ? ks->entry_cap * 3 / 2 : 16 * 1024;
	struct entry *entries;

	if (ks->count < ks->entry_cap)
		return 0;
	if (cap >= NO_SYMBOL)
		return -E2BIG;
	entries = realloc(ks->entries, cap * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	ks->entries = entries;
	ks->entry_cap = cap;
	return 0;
}

/* Room for every name that @len bytes of lines can hold, so that copying needs no checks. */
static int reserve_names(struct hp_kallsyms *ks, size_t len)
{
	size_t cap = (ks->names_len + len) * 3 / 2;
	char *names;

	if (ks->names_len + len <= ks->names_cap)
		return 0;
	if (cap > UINT32_MAX)
		return -E2BIG;
	names = realloc(ks->names, cap);
	if (!names)
		return -ENOMEM;
	ks->names = names;
	ks->names_cap = cap;
	return 0;
}

static int add_object(struct hp_kallsyms *ks, const char *name, size_t len)
{
	struct object *objects;

	if (ks->object_count > UINT16_MAX)
		return -E2BIG;
	objects = realloc(ks->objects, (ks->object_count + 1) * sizeof(*objects));
	if (!objects)
		return -ENOMEM;
	ks->objects = objects;
	objects[ks->object_count].closed = false;
	objects[ks->object_count].name = strndup(name, len);
	if (!objects[ks->object_count].name)
		return -ENOMEM;
	ks->object_count++;
	return 0;
}

/*
 * Make the object of a line the current one. An object's symbols are one block; when a second
 * block comes, it holds the init functions that ftrace remembers after the module has freed them
 * (ftrace_mod_get_kallsym()). They are gone, and livepatch does not count them: -EEXIST.
 */
static int switch_object(struct hp_kallsyms *ks, const char *name, size_t len)
{
	const char *current = ks->objects[ks->current].name;
	size_t i;
	int ret;

	if (strncmp(current, name, len) != 0 || current[len]) {
		ks->objects[ks->current].closed = true;
		for (i = 0; i < ks->object_count; i++) {
			const char *known = ks->objects[i].name;

			if (strncmp(known, name, len) == 0 && !known[len])
				break;
		}
		if (i == ks->object_count) {
			ret = add_object(ks, name, len);
			if (ret)
				return ret;
		}
		ks->current = i;
	}
	return ks->objects[ks->current].closed ? -EEXIST : 0;
}

static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * One line, "address type name" with "\t[module]" behind it for a module; @p up to and with the
 * '\n' is there. Returns the begin of the next line, or NULL with @ret set. Lines that look
 * different are skipped.
 */
static const char *parse_line(struct hp_kallsyms *ks, const char *p, int *ret)
{
	char *name = ks->names + ks->names_len, *out = name;
	uint64_t address = 0;
	const char *object;
	size_t object_len;
	int digits, digit;
	char type;

	for (digits = 0; (digit = hex_digit(*p)) >= 0; digits++, p++)
		address = address << 4 | (unsigned int)digit;
	if (digits == 0 || digits > 16 || p[0] != ' ' || p[1] <= ' ' || p[2] != ' ')
		goto skip;
	type = p[1];
	for (p += 3; (unsigned char)*p > ' '; p++)
		*out++ = *p;
	*out++ = '\0';
	if (out == name + 1)
		goto skip;

	while (*p == ' ' || *p == '\t')
		p++;
	if (*p == '\n') {
		object = "vmlinux";
		object_len = strlen(object);
	} else if (*p == '[') {
		for (object = ++p; (unsigned char)*p > ' ' && *p != ']'; p++)
			;
		object_len = (size_t)(p - object);
		if (*p != ']' || p[1] != '\n' || !object_len)
			goto skip;
		p++;
	} else {
		goto skip;
	}

	*ret = switch_object(ks, object, object_len);
	if (*ret == -EEXIST)
		goto skip;
	if (!*ret)
		*ret = reserve_entry(ks);
	if (*ret)
		return NULL;
	ks->entries[ks->count++] = (struct entry){
		.address = address,
		.name = (uint32_t)ks->names_len,
		.object = (uint16_t)ks->current,
		.type = type,
	};
	ks->names_len += (size_t)(out - name);
	if (address)
		ks->hidden = false;
	return p + 1;
skip:
	*ret = 0;
	while (*p != '\n')
		p++;
	return p + 1;
}

/* All whole lines of @buf; returns how many bytes they take, or a negative errno. */
static ssize_t parse_lines(struct hp_kallsyms *ks, const char *buf, size_t len)
{
	const char *p = buf, *last = memrchr(buf, '\n', len);
	int ret;

	if (!last)
		return 0;
	ret = reserve_names(ks, (size_t)(last - buf) + 1);
	while (!ret && p && p <= last)
		p = parse_line(ks, p, &ret);
	return ret ? ret : p - buf;
}

static int parse_file(struct hp_kallsyms *ks, int fd)
{
	_cleanup_free_ char *buf = malloc(READ_SIZE + 1);
	size_t fill = 0;
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	ks->hidden = true;
	for (;;) {
		n = read(fd, buf + fill, READ_SIZE - fill);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 && !fill)
			return 0;
		fill += (size_t)n;
		if (n == 0)
			buf[fill++] = '\n'; /* the last line may lack it */
		n = parse_lines(ks, buf, fill);
		if (n < 0)
			return (int)n;
		/* No symbol has a name of 256 KiB: whatever that is, go on behind it. */
		if (n == 0 && fill >= READ_SIZE)
			n = (ssize_t)fill;
		fill -= (size_t)n;
		memmove(buf, buf + n, fill);
	}
}

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
	int ret;

	if (fd < 0)
		return -errno;
	ks->index = calloc(1, sizeof(*ks->index));
	if (!ks->index)
		return -ENOMEM;
	ret = add_object(ks, "vmlinux", strlen("vmlinux"));
	return ret ? ret : parse_file(ks, fd);
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
	struct kallsyms_index *index = ks->index;
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
	const struct entry *entries = arg;
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

static uint64_t symbol_size(const struct hp_kallsyms *ks, const struct entry *entry)
{
	size_t above = first_above(ks, entry->address);
	const struct entry *next;

	if (above == ks->count)
		return 0;
	next = &ks->entries[ks->index->by_address[above]];
	if (next->object != entry->object || next->address - entry->address > GAP_MAX)
		return 0;
	return next->address - entry->address;
}

static void fill_symbol(const struct hp_kallsyms *ks, uint32_t i, struct hp_symbol *out)
{
	const struct entry *entry = &ks->entries[i];

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
