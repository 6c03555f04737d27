// SPDX-License-Identifier: GPL-2.0
/* What can be guarded, from BTF, the error injection list and ftrace's list. */
#include "engines/guard/candidates.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "engines/guard/cond.h"
#include "host/pseudofs.h"

#define SECURITY "security_"
#define LSM	 "bpf_lsm_"
#define NEAREST	 3

struct names {
	char **items;
	size_t count;
};

static void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool names_has(const struct names *names, const char *name)
{
	return names->count &&
	       bsearch(&name, names->items, names->count, sizeof(*names->items), by_text);
}

/* The first word of each line. A list that this kernel does not have is empty. */
static int names_read(struct names *names, const char *fstype, const char *mount, const char *file)
{
	int fd = hp_pseudofs__open(fstype, mount, file);
	_cleanup_file_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	size_t room = 0;
	char line[512];

	memset(names, 0, sizeof(*names));
	if (!f) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, " \t\n")] = '\0';
		if (names->count == room) {
			char **grown;

			room = room ? 2 * room : 1024;
			grown = realloc(names->items, room * sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			names->items = grown;
		}
		names->items[names->count] = strdup(line);
		if (!names->items[names->count])
			return -ENOMEM;
		names->count++;
	}
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), by_text);
	return 0;
}

static const char *function_name(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	return btf_is_func(t) ? btf__name_by_offset(btf, t->name_off) : NULL;
}

/* A guard answers with a number: to a caller that wants nothing or a pointer it has no answer. */
static bool returns_number(const struct btf *btf, __u32 id)
{
	__u32 type = btf__type_by_id(btf, btf__type_by_id(btf, id)->type)->type;
	const struct btf_type *t;

	while (type) {
		t = btf__type_by_id(btf, type);
		if (!btf_is_mod(t) && !btf_is_typedef(t))
			return btf_is_int(t) && t->size >= 4;
		type = t->type;
	}
	return false;
}

bool hp_guard_lsm_twin(const char *function, char *out, size_t size)
{
	if (!strncmp(function, LSM, strlen(LSM)))
		snprintf(out, size, "%s", function);
	else if (!strncmp(function, SECURITY, strlen(SECURITY)))
		snprintf(out, size, LSM "%s", function + strlen(SECURITY));
	else
		return false;
	return true;
}

/* All LSM hooks that return a number, sorted. */
static int read_hooks(const struct btf *btf, struct names *hooks)
{
	memset(hooks, 0, sizeof(*hooks));
	for (__u32 id = 1; id < btf__type_cnt(btf); id++) {
		const char *name = function_name(btf, id);
		char **grown;

		if (!name || strncmp(name, LSM, strlen(LSM)) || !returns_number(btf, id))
			continue;
		grown = realloc(hooks->items, (hooks->count + 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		hooks->items = grown;
		grown[hooks->count] = strdup(name);
		if (!grown[hooks->count])
			return -ENOMEM;
		hooks->count++;
	}
	if (hooks->count)
		qsort(hooks->items, hooks->count, sizeof(*hooks->items), by_text);
	return 0;
}

struct lists {
	struct names injectable;
	struct names traceable;
	struct names hooks;
};

static void lists_free(struct lists *lists)
{
	names_free(&lists->injectable);
	names_free(&lists->traceable);
	names_free(&lists->hooks);
}

/* Fill @out for the function @name with type @id; false when it cannot be guarded. */
static bool judge(const struct btf *btf, const struct lists *lists, const char *name, __u32 id,
		  struct hp_guard_candidate *out)
{
	char twin[HP_GUARD_FUNCTION_MAX];
	bool security = !strncmp(name, SECURITY, strlen(SECURITY));

	if (strlen(name) >= sizeof(out->function) || !returns_number(btf, id))
		return false;
	memset(out, 0, sizeof(*out));
	out->fmod_ret = security || names_has(&lists->injectable, name);
	/* Where ftrace's list cannot be read, BTF is all there is to go by. */
	if (lists->traceable.count && !names_has(&lists->traceable, name))
		out->fmod_ret = false;
	out->lsm = hp_guard_lsm_twin(name, twin, sizeof(twin)) && names_has(&lists->hooks, twin);
	if (!out->fmod_ret && !out->lsm)
		return false;
	strcpy(out->function, name);
	hp_guard_cond__describe(btf, id, out->prototype, sizeof(out->prototype));
	return true;
}

static int by_function(const void *a, const void *b)
{
	const struct hp_guard_candidate *x = a, *y = b;

	return strcmp(x->function, y->function);
}

int hp_guard_candidates__find(struct hp_guard_candidates *out, struct hp_btf *btf,
			      const char *pattern, struct hp_error *err)
{
	__cleanup(lists_free) struct lists lists = { 0 };
	const struct btf *types = hp_btf__vmlinux(btf);
	size_t room = 0;
	int ret;

	memset(out, 0, sizeof(*out));
	if (!types)
		return hp_fail(err, HP_E_GUARD_LOAD, "the kernel's BTF cannot be read");
	ret = names_read(&lists.injectable, "debugfs", "/sys/kernel/debug", "error_injection/list");
	ret = ret
		      ?: names_read(&lists.traceable, "tracefs", "/sys/kernel/tracing",
				    "available_filter_functions");
	ret = ret ?: read_hooks(types, &lists.hooks);
	for (__u32 id = 1; !ret && id < btf__type_cnt(types); id++) {
		const char *name = function_name(types, id);

		if (!name || (pattern && fnmatch(pattern, name, 0)))
			continue;
		if (out->count == room) {
			struct hp_guard_candidate *grown;

			room = room ? 2 * room : 64;
			grown = realloc(out->items, room * sizeof(*grown));
			if (!grown)
				ret = -ENOMEM;
			else
				out->items = grown;
		}
		if (!ret && judge(types, &lists, name, id, &out->items[out->count]))
			out->count++;
	}
	if (ret) {
		hp_guard_candidates__free(out);
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_function);
	return 0;
}

void hp_guard_candidates__free(struct hp_guard_candidates *candidates)
{
	free(candidates->items);
	memset(candidates, 0, sizeof(*candidates));
}

/* How many characters of @name's words, of three letters and more, are in @other too. */
static size_t likeness(const char *name, const char *other)
{
	size_t score = 0;

	while (*name) {
		size_t length = strcspn(name, "_");
		char word[HP_GUARD_FUNCTION_MAX];

		snprintf(word, sizeof(word), "%.*s", (int)length, name);
		if (length >= 3 && strcmp(word, "security") && strcmp(word, "bpf") &&
		    strcmp(word, "lsm") && strcmp(word, "sys") && strstr(other, word))
			score += length;
		name += length + (name[length] == '_');
	}
	return score;
}

/* Words of either in the other: do_unlinkat and path_unlink have "unlink" in common. */
static size_t nearness(const char *function, const struct hp_guard_candidate *candidate)
{
	return likeness(function, candidate->function) + likeness(candidate->function, function);
}

static bool can_be(const struct hp_guard_candidate *candidate, enum hp_guard_kind kind)
{
	return !kind || (kind == HP_GUARD_LSM ? candidate->lsm : candidate->fmod_ret);
}

void hp_guard_candidates__nearest(const struct hp_guard_candidates *candidates,
				  const char *function, enum hp_guard_kind kind, char *out,
				  size_t size)
{
	size_t len = 0, bound = SIZE_MAX;

	out[0] = '\0';
	/* Three times the best of those that have not been named; ties go by the alphabet. */
	for (int n = 0; n < NEAREST && len < size; n++) {
		const struct hp_guard_candidate *best = NULL;
		size_t most = 0;

		for (size_t i = 0; i < candidates->count; i++) {
			const struct hp_guard_candidate *c = &candidates->items[i];
			size_t score = nearness(function, c);

			if (score <= most || score > bound || !can_be(c, kind) ||
			    strstr(out, c->function) || !strncmp(c->function, LSM, strlen(LSM)))
				continue;
			best = c;
			most = score;
		}
		if (!best)
			return;
		bound = most;
		len += (size_t)snprintf(out + len, size - len, "%s%s", n ? ", " : "",
					best->function);
	}
}
