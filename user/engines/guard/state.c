// SPDX-License-Identifier: GPL-2.0
/* Reading and switching guards that are pinned. */
#include "engines/guard/state.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/log.h"

/* An upper bound for the time in which a program that began to run has ended. */
#define GRACE_NS (100 * HP_NSEC_PER_MSEC)

#define MAX_MAPS 64 /* of the program: it has four, and what an author's code has */

uint64_t hp_boot_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * HP_NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Map the patch map, if it is one of ours. */
static void map_patch(struct hp_guard *guard)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	void *patch;

	if (guard->fd[HP_PIN_PATCH] < 0)
		return;
	guard->foreign = true;
	if (bpf_obj_get_info_by_fd(guard->fd[HP_PIN_PATCH], &info, &len) ||
	    info.value_size != sizeof(*guard->patch))
		return;
	patch = mmap(NULL, sizeof(*guard->patch), PROT_READ | PROT_WRITE, MAP_SHARED,
		     guard->fd[HP_PIN_PATCH], 0);
	if (patch == MAP_FAILED)
		return;
	guard->patch = patch;
	guard->foreign =
		guard->patch->magic != HP_GUARD_MAGIC || guard->patch->version != HP_GUARD_VERSION;
	if (guard->foreign) {
		munmap(patch, sizeof(*guard->patch));
		guard->patch = NULL;
	}
}

static bool is_listed(const char *name, struct hp_error *err)
{
	_cleanup_free_ hp_guard_name *names = NULL;
	bool found = false;
	size_t count = 0;

	if (hp_pins__list(&names, &count, err))
		return false;
	for (size_t i = 0; i < count; i++)
		found |= !strcmp(names[i], name);
	return found;
}

/* What the kernel would copy of another map, which somebody has pinned there, has no room where these are read. */
static void drop_misfits(struct hp_guard *guard)
{
	static const struct {
		__u32 type, key, value;
	} shapes[HP_PINS] = {
		[HP_PIN_COUNTERS] = { BPF_MAP_TYPE_ARRAY, sizeof(__u32),
				      HP_GUARD_SHARDS * sizeof(struct hp_guard_counters) },
		[HP_PIN_CALLERS] = { BPF_MAP_TYPE_HASH, sizeof(struct hp_guard_caller),
				     sizeof(struct hp_guard_caller_calls) },
		[HP_PIN_SITES] = { BPF_MAP_TYPE_HASH, sizeof(__u64),
				   sizeof(struct hp_guard_site_calls) },
	};

	for (int pin = 0; pin < HP_PINS; pin++) {
		struct bpf_map_info info = { 0 };
		__u32 len = sizeof(info);

		if (guard->fd[pin] < 0 || !shapes[pin].value ||
		    (!bpf_obj_get_info_by_fd(guard->fd[pin], &info, &len) &&
		     info.type == shapes[pin].type && info.key_size == shapes[pin].key &&
		     info.value_size == shapes[pin].value))
			continue;
		close(guard->fd[pin]);
		guard->fd[pin] = -EUCLEAN;
	}
}

int hp_guard__open(struct hp_guard *guard, const char *name, struct hp_error *err)
{
	bool any = false;

	memset(guard, 0, sizeof(*guard));
	for (int pin = 0; pin < HP_PINS; pin++)
		guard->fd[pin] = -ENOENT;
	if (hp_pins__check_name(name, NULL))
		return hp_fail(err, HP_E_GUARD_NONE, "there is no guard '%s'", name);
	strcpy(guard->name, name);
	for (int pin = 0; pin < HP_PINS; pin++) {
		guard->fd[pin] = hp_pins__get(name, (enum hp_pin)pin);
		any |= guard->fd[pin] >= 0;
		if (guard->fd[pin] == -EPERM || guard->fd[pin] == -EACCES) {
			int ret = guard->fd[pin];

			hp_guard__close(guard);
			return hp_fail_errno(err, HP_E_PIN, ret, "cannot read " HP_PINS_ROOT "/%s",
					     name);
		}
	}
	/* A folder of another hotfix has pins with other names. */
	if (!any && !is_listed(name, err)) {
		guard->name[0] = '\0';
		return hp_fail(err, HP_E_GUARD_NONE, "there is no guard '%s'", name);
	}
	drop_misfits(guard);
	map_patch(guard);
	return 0;
}

void hp_guard__close(struct hp_guard *guard)
{
	if (guard->patch)
		munmap(guard->patch, sizeof(*guard->patch));
	guard->patch = NULL;
	for (int pin = 0; pin < HP_PINS; pin++) {
		if (guard->fd[pin] >= 0 && guard->name[0])
			close(guard->fd[pin]);
		guard->fd[pin] = -ENOENT;
	}
}

uint32_t hp_guard__id(const struct hp_guard *guard)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(guard->fd[HP_PIN_PATCH], &info, &len))
		return 0;
	return info.id;
}

static __u64 load_word(const struct hp_guard *guard)
{
	return guard->patch ? __atomic_load_n(&guard->patch->word, __ATOMIC_ACQUIRE) : 0;
}

enum hp_guard_state hp_guard__state(const struct hp_guard *guard)
{
	return (enum hp_guard_state)((load_word(guard) & HP_GUARD_WORD_STATE) / HP_GUARD_WORD_STEP);
}

static size_t rule_index(const struct hp_guard *guard)
{
	return (load_word(guard) & HP_GUARD_WORD_RULE) / HP_GUARD_WORD_RULE;
}

const struct hp_guard_rule *hp_guard__rule(const struct hp_guard *guard)
{
	return guard->patch ? &guard->patch->rules[rule_index(guard)] : NULL;
}

enum hp_guard_status hp_guard__status(const struct hp_guard *guard)
{
	const struct hp_guard_rule *rule = hp_guard__rule(guard);

	if (guard->foreign)
		return HP_GUARD_IS_FOREIGN;
	if (!rule || hp_guard__state(guard) == HP_GUARD_OFF)
		return HP_GUARD_IS_UNFINISHED;
	if (rule->expires_ns && hp_boot_ns() >= rule->expires_ns)
		return HP_GUARD_IS_EXPIRED;
	return hp_guard__state(guard) == HP_GUARD_ENFORCE ? HP_GUARD_IS_ENFORCING
							  : HP_GUARD_IS_OBSERVING;
}

const char *hp_guard_status_name(enum hp_guard_status status)
{
	static const char *const names[] = {
		[HP_GUARD_IS_UNFINISHED] = "unfinished", [HP_GUARD_IS_OBSERVING] = "observe-only",
		[HP_GUARD_IS_ENFORCING] = "enforcing",	 [HP_GUARD_IS_EXPIRED] = "expired",
		[HP_GUARD_IS_FOREIGN] = "foreign",
	};

	return names[status];
}

/*
 * Wait until every run of the program that began before now has ended. Programs run in an RCU read-
 * side section (__bpf_prog_enter_recur()), and the global membarrier is a grace period
 * (kernel/sched/membarrier.c). Where the kernel refuses it (nohz_full), time must do.
 */
static void wait_for_readers(void)
{
	const struct timespec grace = { .tv_nsec = GRACE_NS };

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&grace, NULL);
}

_Static_assert(sizeof(struct hp_guard_rule) == HP_GUARD_WORD_RULE, "what the word adds");

/* Which limits a rule has, for the programs. */
static __u32 flags_of(const struct hp_guard_rule *rule)
{
	__u32 flags = rule->flags & (HP_GUARD_BY_CGROUP | HP_GUARD_BY_EXE | HP_GUARD_ALL_SITES);

	flags |= rule->uid_count ? HP_GUARD_BY_UID : 0;
	flags |= rule->percent < HP_GUARD_PERCENT ? HP_GUARD_BY_PERCENT : 0;
	flags |= rule->cond_count ? HP_GUARD_BY_ARG : 0;
	return flags;
}

/*
 * The way of a call, with its key: by the limit that takes least to ask for. Of several users
 * none can be the key.
 */
static __u64 way_of(const struct hp_guard_rule *rule)
{
	if (rule->flags & HP_GUARD_ALL_SITES)
		return HP_GUARD_WAY_WHOLE;
	if (rule->uid_count == 1)
		return HP_GUARD_WAY_UID | rule->uids[0] * HP_GUARD_WORD_KEY;
	if (rule->cond_count && !rule->conds[0].steps)
		return HP_GUARD_WAY_ARG;
	if ((rule->flags & HP_GUARD_BY_CGROUP) && rule->cgroup_level <= HP_GUARD_WORD_LEVEL)
		return HP_GUARD_WAY_CGROUP | rule->cgroup_id * HP_GUARD_WORD_KEY |
		       rule->cgroup_level;
	if (rule->flags & HP_GUARD_BY_EXE)
		return HP_GUARD_WAY_EXE | rule->exe_inode * HP_GUARD_WORD_KEY;
	return HP_GUARD_WAY_WHOLE;
}

/* Whoever writes has the lock: nobody else changes the word meanwhile. */
static void store_word(struct hp_guard *guard, __u64 word)
{
	__atomic_store_n(&guard->patch->word, word, __ATOMIC_RELEASE);
}

/* Make rule @index hold, with @state. */
static void store_rule(struct hp_guard *guard, size_t index, enum hp_guard_state state)
{
	__u64 way = state == HP_GUARD_OFF ? 0 : way_of(&guard->patch->rules[index]);

	store_word(guard, index * HP_GUARD_WORD_RULE | state * HP_GUARD_WORD_STEP | way);
}

void hp_guard__put(struct hp_guard *guard, const struct hp_guard_rule *rule)
{
	struct hp_guard_rule *next = &guard->patch->rules[!rule_index(guard)];

	*next = *rule;
	next->flags = flags_of(rule);
}

void hp_guard__test(struct hp_guard *guard, bool on)
{
	__u64 word = load_word(guard) & (HP_GUARD_WORD_STATE | HP_GUARD_WORD_RULE);

	if (on)
		return store_word(guard, word | HP_GUARD_WORD_TEST | HP_GUARD_WAY_WHOLE);
	store_rule(guard, rule_index(guard), hp_guard__state(guard));
}

void hp_guard__flip(struct hp_guard *guard, enum hp_guard_state state)
{
	store_rule(guard, !rule_index(guard), state);
	wait_for_readers();
}

void hp_guard__switch_off(struct hp_guard *guard)
{
	store_rule(guard, rule_index(guard), HP_GUARD_OFF);
	wait_for_readers();
}

/* The guard's program by its link; a descriptor or a negative errno. */
static int open_program(const struct hp_guard *guard, struct bpf_link_info *link)
{
	__u32 len = sizeof(*link);
	int fd;

	memset(link, 0, sizeof(*link));
	if (guard->fd[HP_PIN_LINK] < 0)
		return guard->fd[HP_PIN_LINK];
	if (bpf_obj_get_info_by_fd(guard->fd[HP_PIN_LINK], link, &len))
		return -errno;
	fd = bpf_prog_get_fd_by_id(link->prog_id);
	return fd < 0 ? -errno : fd;
}

int hp_guard__counts(const struct hp_guard *guard, struct hp_guard_counts *out,
		     struct hp_error *err)
{
	_cleanup_free_ struct hp_guard_counters *shards = calloc(HP_GUARD_SHARDS, sizeof(*shards));
	struct bpf_prog_info info = { 0 };
	struct bpf_link_info link;
	__u32 zero = 0, len = sizeof(info);
	_cleanup_close_ int prog = -1;

	memset(out, 0, sizeof(*out));
	if (!shards)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	if (guard->fd[HP_PIN_COUNTERS] < 0 ||
	    bpf_map_lookup_elem(guard->fd[HP_PIN_COUNTERS], &zero, shards))
		return hp_fail(err, HP_E_GUARD_DAMAGED, "the counters of guard %s are gone",
			       guard->name);
	for (int i = 0; i < HP_GUARD_SHARDS; i++) {
		const struct hp_guard_counters *c = &shards[i];
		struct hp_guard_counters *sum = &out->sum;

		sum->calls += c->calls;
		sum->returned += c->returned;
		sum->observed += c->observed;
		sum->tested += c->tested;
		sum->unread += c->unread;
		sum->lost += c->lost;
		sum->siteless += c->siteless;
		if (c->first_ns && (!sum->first_ns || c->first_ns < sum->first_ns))
			sum->first_ns = c->first_ns;
		if (c->last_ns > sum->last_ns)
			sum->last_ns = c->last_ns;
	}
	prog = open_program(guard, &link);
	if (prog >= 0 && !bpf_obj_get_info_by_fd(prog, &info, &len))
		out->missed = info.recursion_misses;
	return 0;
}

static int most_first(const void *a, const void *b)
{
	const struct hp_guard_caller_line *x = a, *y = b;
	uint64_t n = x->calls.returned + x->calls.observed;
	uint64_t m = y->calls.returned + y->calls.observed;

	if (n != m)
		return n < m ? 1 : -1;
	return memcmp(&x->caller, &y->caller, sizeof(x->caller));
}

int hp_guard__callers(const struct hp_guard *guard, struct hp_guard_caller_line **lines,
		      size_t *count, struct hp_error *err)
{
	struct hp_guard_caller key, *last = NULL;
	int fd = guard->fd[HP_PIN_CALLERS];

	*count = 0;
	*lines = calloc(HP_GUARD_CALLERS, sizeof(**lines));
	if (!*lines)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	while (fd >= 0 && *count < HP_GUARD_CALLERS && !bpf_map_get_next_key(fd, last, &key)) {
		struct hp_guard_caller_line *line = &(*lines)[*count];

		line->caller = key;
		if (!bpf_map_lookup_elem(fd, &key, &line->calls))
			(*count)++;
		last = &key;
	}
	qsort(*lines, *count, sizeof(**lines), most_first);
	return 0;
}

static int busiest_first(const void *a, const void *b)
{
	const struct hp_guard_site_line *x = a, *y = b;
	uint64_t n = x->calls.returned + x->calls.observed + x->calls.passed;
	uint64_t m = y->calls.returned + y->calls.observed + y->calls.passed;

	if (n != m)
		return n < m ? 1 : -1;
	return x->address < y->address ? -1 : x->address > y->address;
}

int hp_guard__sites(const struct hp_guard *guard, struct hp_guard_site_line **lines, size_t *count,
		    struct hp_error *err)
{
	int fd = guard->fd[HP_PIN_SITES];
	uint64_t key, *last = NULL;

	*count = 0;
	*lines = calloc(HP_GUARD_SITES, sizeof(**lines));
	if (!*lines)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	while (fd >= 0 && *count < HP_GUARD_SITES && !bpf_map_get_next_key(fd, last, &key)) {
		struct hp_guard_site_line *line = &(*lines)[*count];

		line->address = key;
		if (!bpf_map_lookup_elem(fd, &key, &line->calls))
			(*count)++;
		last = &key;
	}
	qsort(*lines, *count, sizeof(**lines), busiest_first);
	return 0;
}

static void say(struct hp_read_back *out, enum hp_redirect redirect, const char *reason)
{
	out->redirect = redirect;
	snprintf(out->reason, sizeof(out->reason), "%s", reason);
}

/* The link's program must decide by the pinned patch map, or the map switches nothing. */
void hp_guard__read_back(const struct hp_guard *guard, struct hp_read_back *out)
{
	__u32 maps[MAX_MAPS];
	struct bpf_prog_info prog = { .nr_map_ids = MAX_MAPS, .map_ids = (uintptr_t)maps };
	struct bpf_link_info link;
	_cleanup_close_ int fd = -1;
	__u32 len = sizeof(prog), patch = hp_guard__id(guard);
	bool decides = false;

	/* Who adds pins the map first, and who removes does so last: no loader left this. */
	if (guard->fd[HP_PIN_PATCH] == -ENOENT && guard->fd[HP_PIN_LINK] >= 0)
		return say(out, HP_REDIRECT_BROKEN,
			   "its patch map is gone from " HP_BPFFS ", and its program is attached");
	if (hp_guard__status(guard) == HP_GUARD_IS_UNFINISHED)
		return say(out, HP_REDIRECT_ABSENT, "it was never activated");
	if (hp_guard__status(guard) == HP_GUARD_IS_EXPIRED)
		return say(out, HP_REDIRECT_ABSENT, "its time is over");
	if (hp_guard__status(guard) == HP_GUARD_IS_FOREIGN || !patch)
		return say(out, HP_REDIRECT_UNKNOWN, "its patch map cannot be read");
	fd = open_program(guard, &link);
	if (fd == -ENOENT)
		return say(out, HP_REDIRECT_BROKEN, "its link is gone from " HP_BPFFS);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &prog, &len))
		return say(out, HP_REDIRECT_UNKNOWN, "its program cannot be read");
	for (__u32 i = 0; i < prog.nr_map_ids && i < MAX_MAPS; i++)
		decides |= maps[i] == patch;
	if (!decides)
		return say(out, HP_REDIRECT_BROKEN,
			   "the program of its link does not use its patch map");
	out->redirect = HP_REDIRECT_IN_PLACE;
	snprintf(out->reason, sizeof(out->reason), "program %u (%s) on %.80s by link %u", prog.id,
		 guard->patch->kind == HP_GUARD_LSM ? "LSM" : "fmod_ret", guard->patch->function,
		 link.id);
}

bool hp_guard__is_left_over(const struct hp_guard *guard, char *why, size_t size)
{
	enum hp_guard_status status = hp_guard__status(guard);
	struct hp_read_back read_back;

	hp_guard__read_back(guard, &read_back);
	if (read_back.redirect == HP_REDIRECT_BROKEN) {
		snprintf(why, size, "%s", read_back.reason);
		return true;
	}
	if (status == HP_GUARD_IS_UNFINISHED) {
		snprintf(why, size, "its loader died before it was active, or while removing it");
		return true;
	}
	snprintf(why, size, "%s", hp_guard_status_name(status));
	return false;
}
