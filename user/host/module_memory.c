// SPDX-License-Identifier: GPL-2.0
/*
 * The code of a loaded kernel module as it is in memory. /sys/module/M/sections says where its
 * sections begin, not how long they are: each is taken to last until the next one, and the last one
 * to the end of its page (code and data of a module never share one, CONFIG_STRICT_MODULE_RWX).
 */
#include "host/module_memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/kcore.h"

#define SYS_MODULE "/sys/module"
#define PAGE	   4096u
#define TEXT_MAX   (64u << 20)

struct hp_module_memory {
	char module[64];
	struct hp_module_text *texts;
	size_t count;
};

struct start {
	uint64_t address;
	bool exec;
};

static bool starts_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* ".text", ".text.unlikely", ".noinstr.text", …: the linker's names for code. */
static bool is_code(const char *name)
{
	size_t length = strlen(name);

	return starts_with(name, ".text") || (length > 5 && !strcmp(name + length - 5, ".text"));
}

static int read_start(int dir, const char *name, uint64_t *address)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char text[32] = "";

	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) < 0)
		return -errno;
	*address = strtoull(text, NULL, 16);
	return *address ? 0 : -EACCES; /* hidden from who may not see it */
}

static int compare_start(const void *a, const void *b)
{
	const struct start *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

/* Where the sections begin that are still in memory, in order. */
static int read_starts(const char *folder, struct start **out, size_t *count)
{
	_cleanup_dir_ DIR *dir = opendir(folder);
	struct start *all = NULL;
	struct dirent *entry;
	size_t n = 0;
	int ret = dir ? 0 : -errno;

	while (!ret && (entry = readdir(dir))) {
		const char *name = entry->d_name;
		struct start *grown;

		/* What ran once is freed, and its place may be another module's by now. */
		if (!strcmp(name, ".") || !strcmp(name, "..") || starts_with(name, ".init"))
			continue;
		grown = realloc(all, (n + 1) * sizeof(*all));
		ret = grown ? 0 : -ENOMEM;
		if (!grown)
			break;
		all = grown;
		all[n].exec = is_code(name);
		ret = read_start(dirfd(dir), name, &all[n].address);
		n += !ret;
	}
	if (ret) {
		free(all);
		return ret;
	}
	if (n)
		qsort(all, n, sizeof(*all), compare_start);
	*out = all;
	*count = n;
	return 0;
}

static int read_text(struct hp_module_memory *memory, const struct hp_kcore *kcore,
		     uint64_t address, uint64_t end)
{
	struct hp_module_text *text = &memory->texts[memory->count];

	if (end - address > TEXT_MAX)
		return -EFBIG;
	*text = (struct hp_module_text){ .address = address, .size = end - address };
	text->bytes = malloc(text->size + 1);
	if (!text->bytes)
		return -ENOMEM;
	memory->count++;
	return hp_kcore__read(kcore, address, text->bytes, text->size);
}

static int read_texts(struct hp_module_memory *memory, const struct hp_kcore *kcore,
		      const struct start *starts, size_t count)
{
	int ret = 0;

	memory->texts = calloc(count + 1, sizeof(*memory->texts));
	if (!memory->texts)
		return -ENOMEM;
	for (size_t i = 0; i < count && !ret; i++) {
		uint64_t address = starts[i].address;
		size_t next = i + 1;

		while (next < count && starts[next].address == address)
			next++; /* an empty section */
		if (starts[i].exec && (i + 1 == count || starts[i + 1].address != address))
			ret = read_text(memory, kcore, address,
					next < count ? starts[next].address
						     : (address | (PAGE - 1)) + 1);
	}
	return ret ?: memory->count ? 0 : -ENODATA;
}

int hp_module_memory__open(struct hp_module_memory **out, const char *module,
			   const char *sys_module, const char *kcore_path, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_module_memory__close) struct hp_module_memory *memory =
		calloc(1, sizeof(*memory));
	__cleanup(hp_cleanup_hp_kcore__close) struct hp_kcore *kcore = NULL;
	_cleanup_free_ struct start *starts = NULL;
	char folder[PATH_MAX];
	size_t count = 0;
	int ret;

	if (!memory)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	snprintf(memory->module, sizeof(memory->module), "%s", module);
	ret = hp_kcore__open(&kcore, kcore_path, err);
	if (ret)
		return ret;
	snprintf(folder, sizeof(folder), "%s/%s/sections", sys_module ? sys_module : SYS_MODULE,
		 module);
	ret = read_starts(folder, &starts, &count);
	if (ret)
		return hp_fail_errno(err, HP_E_KALLSYMS_HIDDEN, ret,
				     "the addresses of module %s cannot be read in %s", module,
				     folder);
	ret = read_texts(memory, kcore, starts, count);
	if (ret)
		return hp_fail_errno(err, HP_E_KCORE, ret, "the code of module %s cannot be read",
				     module);
	*out = memory;
	memory = NULL;
	return 0;
}

void hp_module_memory__close(struct hp_module_memory *memory)
{
	if (!memory)
		return;
	for (size_t i = 0; i < memory->count; i++)
		free(memory->texts[i].bytes);
	free(memory->texts);
	free(memory);
}

const char *hp_module_memory__name(const struct hp_module_memory *memory)
{
	return memory->module;
}

size_t hp_module_memory__count(const struct hp_module_memory *memory)
{
	return memory->count;
}

const struct hp_module_text *hp_module_memory__text(const struct hp_module_memory *memory, size_t i)
{
	return &memory->texts[i];
}
