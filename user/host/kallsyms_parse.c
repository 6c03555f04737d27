// SPDX-License-Identifier: GPL-2.0
/*
 * Reading /proc/kallsyms: its lines, in one pass, into the table of symbols.
 *
 * Lines are kept in the order of the file, because livepatch's sympos counts in that order:
 * klp_find_object_symbol() walks vmlinux in the order of the kernel's own table, which
 * scripts/kallsyms.c sorts by address, and a module in the order of its ELF symbol table
 * (module_kallsyms_on_each_symbol()). s_show() in kernel/kallsyms.c prints both just so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/kallsyms_internal.h"

#define READ_SIZE (256 * 1024)

static int reserve_entry(struct hp_kallsyms *ks)
{
	size_t cap = ks->entry_cap ? ks->entry_cap * 3 / 2 : 16 * 1024;
	struct ksym_entry *entries;

	if (ks->count < ks->entry_cap)
		return 0;
	if (cap >= UINT32_MAX)
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
	struct ksym_object *objects;

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
	ks->entries[ks->count++] = (struct ksym_entry){
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

int hp_kallsyms__parse(struct hp_kallsyms *ks, int fd)
{
	_cleanup_free_ char *buf = malloc(READ_SIZE + 1);
	size_t fill = 0;
	ssize_t n;

	if (!buf || add_object(ks, "vmlinux", strlen("vmlinux")))
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
