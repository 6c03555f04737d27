// SPDX-License-Identifier: GPL-2.0
/*
 * A search by PROCMAP_QUERY (Linux 6.11), which passes over what is no code of a file within the
 * kernel. That waits for memory mostly, since nobody has looked at most mappings for a long time: so
 * several threads do it. Who there is, and in which address space, a task iterator tells before and
 * after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "host/processes_search.h"

#include "bpf/mms.lskel.h"

HP_DEFINE_CLEANUP(struct mms_bpf *, mms_bpf__destroy)

/* struct procmap_query of linux/fs.h, which on this system may be older than its kernel. */
struct query {
	uint64_t size, flags, address;
	uint64_t start, end, prot, page_size, offset, inode;
	uint32_t major, minor;
	uint32_t name_size, build_id_size;
	uint64_t name, build_id;
};

#define QUERY	      _IOWR('f', 17, struct query)
#define QUERY_OR_NEXT 0x10	    /* the mapping of the address, or the next one */
#define QUERY_CODE    (0x04 | 0x20) /* executable, and of a file */

#define DELETED " (deleted)"

#define MAX_THREADS  16
#define FOR_A_THREAD 64 /* so many processes take longer than a thread takes to begin */

/* As much as the kernel hands out at once (bpf_seq_read(): 8 pages). */
#define READ_RECORDS (8 * 4096 / sizeof(struct hp_mm_record))

struct member {
	struct hp_mm_record mm;
	bool read;
	bool missed; /* it was not there, or may not be asked: it may have ended, or called exec() */
};

struct list {
	struct member *items; /* by tgid */
	size_t count, room;
};

struct crew {
	struct list *list;
	atomic_size_t next;
};

struct reader {
	struct crew *crew;
	struct hp_search search;
	struct hp_processes found;
	pthread_t thread;
	int ret;
};

/* -ENOENT: there is no further one. */
static int ask(int fd, uint64_t address, uint32_t flags, char *name, uint32_t name_size,
	       struct query *query)
{
	*query = (struct query){
		.size = sizeof(*query),
		.flags = QUERY_CODE | flags,
		.address = address,
		.name = (uint64_t)name,
		.name_size = name_size,
	};
	return ioctl(fd, QUERY, query) ? -errno : 0;
}

/* As /proc/PID/maps tells it: with the name, which takes time to make. */
static int is_deleted(int fd, const struct query *mapping, bool *deleted)
{
	char name[4096];
	struct query query;
	int ret = ask(fd, mapping->start, 0, name, sizeof(name), &query);
	size_t len;

	*deleted = false;
	if (ret || query.inode != mapping->inode)
		return ret == -ENOENT ? 0 : ret;
	len = strnlen(name, sizeof(name));
	*deleted = len > strlen(DELETED) && !strcmp(name + len - strlen(DELETED), DELETED);
	return 0;
}

static int consider(struct hp_search *s, int fd, const struct hp_mm_record *mm,
		    const struct query *mapping)
{
	struct hp_vma_record r = {
		.mm = mm->mm,
		.start = mapping->start,
		.end = mapping->end,
		.offset = mapping->offset,
		.inode = mapping->inode,
		.major = mapping->major,
		.minor = mapping->minor,
		.tgid = mm->tgid,
		.tid = mm->tid,
		.flags = mm->flags,
	};
	bool deleted = false;
	int ret = 0;

	if (hp_search__matches(s, &r) > 0)
		ret = is_deleted(fd, mapping, &deleted);
	if (ret)
		return ret;
	r.flags |= deleted ? HP_VMA_DELETED : 0;
	memcpy(r.comm, mm->comm, sizeof(r.comm));
	return hp_search__consider(s, &r);
}

static int read_mappings(struct hp_search *s, const struct hp_mm_record *mm)
{
	_cleanup_close_ int fd = -1;
	struct query mapping = { 0 };
	char path[32];
	int ret;

	snprintf(path, sizeof(path), "/proc/%u/maps", mm->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!(ret = ask(fd, mapping.end, QUERY_OR_NEXT, NULL, 0, &mapping))) {
		ret = consider(s, fd, mm, &mapping);
		if (ret)
			return ret;
	}
	return ret == -ENOENT ? 0 : ret;
}

static void *run(void *arg)
{
	struct reader *reader = arg;
	struct list *list = reader->crew->list;
	size_t i;

	while ((i = atomic_fetch_add(&reader->crew->next, 1)) < list->count) {
		struct member *m = &list->items[i];
		int ret = m->read ? 0 : read_mappings(&reader->search, &m->mm);

		m->missed = ret == -ESRCH || ret == -EACCES || ret == -EPERM;
		m->read = !ret;
		if (!ret || m->missed)
			continue;
		reader->ret = ret;
		atomic_store(&reader->crew->next, list->count); /* for all others too */
	}
	return NULL;
}

static size_t count_threads(size_t processes)
{
	size_t wanted = 1 + processes / FOR_A_THREAD, have = 1;
	cpu_set_t cpus;

	if (!sched_getaffinity(0, sizeof(cpus), &cpus))
		have = (size_t)CPU_COUNT(&cpus);
	have = have < MAX_THREADS ? have : MAX_THREADS;
	return wanted < have ? wanted : have;
}

/* All that were not read yet. Each thread has its own search: they share nothing but the list. */
static int read_all(struct hp_search *s, struct list *list, size_t left)
{
	struct reader readers[MAX_THREADS] = { 0 };
	struct crew crew = { .list = list };
	size_t count = count_threads(left), begun = 1;
	sigset_t all, before;
	int ret = 0;

	for (size_t i = 0; i < count; i++) {
		readers[i].crew = &crew;
		readers[i].search.id = s->id;
		readers[i].search.out = &readers[i].found;
	}
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (begun < count && !pthread_create(&readers[begun].thread, NULL, run, &readers[begun]))
		begun++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	run(&readers[0]);
	for (size_t i = 0; i < begun; i++) {
		if (i)
			pthread_join(readers[i].thread, NULL);
		ret = ret ?: readers[i].ret;
		ret = ret ?: hp_search__take(s, &readers[i].search);
		hp_processes__free(&readers[i].found);
		free(readers[i].search.files);
		free(readers[i].search.changed);
	}
	return ret;
}

static int add_member(struct list *list, const struct hp_mm_record *mm)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 256;
		struct member *grown = realloc(list->items, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->items = grown;
		list->room = room;
	}
	list->items[list->count++] = (struct member){ .mm = *mm };
	return 0;
}

static int compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return x->mm.tgid < y->mm.tgid ? -1 : x->mm.tgid > y->mm.tgid;
}

/* In order, and once each: of a process whose first thread has ended, all others have a record. */
static void put_in_order(struct list *list)
{
	size_t kept = 0;

	if (!list->count)
		return;
	qsort(list->items, list->count, sizeof(*list->items), compare_members);
	for (size_t i = 1; i < list->count; i++)
		if (list->items[i].mm.tgid != list->items[kept].mm.tgid)
			list->items[++kept] = list->items[i];
	list->count = kept + 1;
}

/* Who there is now, of those that are wanted. */
static int list_processes(const struct hp_search *s, int link, struct list *list)
{
	_cleanup_free_ struct hp_mm_record *records = malloc(READ_RECORDS * sizeof(*records));
	_cleanup_close_ int fd = bpf_iter_create(link);
	size_t have = 0;
	ssize_t n;

	if (fd < 0 || !records)
		return -errno;
	list->count = 0;
	for (;;) {
		size_t whole;

		n = read(fd, (char *)records + have, READ_RECORDS * sizeof(*records) - have);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
		whole = have / sizeof(*records);
		for (size_t i = 0; i < whole; i++)
			if (hp_search__is_wanted(s, (pid_t)records[i].tgid) &&
			    add_member(list, &records[i]))
				return -ENOMEM;
		have -= whole * sizeof(*records);
		memmove(records, &records[whole], have);
	}
	if (n < 0)
		return -errno;
	put_in_order(list);
	return 0;
}

/* The same process, if it did not call exec() since. */
static struct member *find_member(const struct list *list, uint32_t tgid, uint64_t mm)
{
	struct member key = { .mm = { .tgid = tgid } }, *m = NULL;

	if (list->count)
		m = bsearch(&key, list->items, list->count, sizeof(key), compare_members);
	return m && m->mm.mm == mm ? m : NULL;
}

/*
 * What was found of processes that have ended or called exec() since does not hold any more. How
 * many of @now are yet to be read, in @left. -EACCES for one that is still there, and cannot be asked.
 */
static int compare_lists(struct hp_search *s, const struct list *before, struct list *now,
			 size_t *left)
{
	struct hp_processes *out = s->out;
	size_t kept = 0;

	*left = 0;
	for (size_t i = 0; i < now->count; i++) {
		struct member *m = &now->items[i], *old = find_member(before, m->mm.tgid, m->mm.mm);

		if (old && old->missed)
			return -EACCES;
		m->read = old && old->read;
		*left += !m->read;
	}
	for (size_t i = 0; i < out->count; i++)
		if (find_member(now, (uint32_t)out->items[i].pid, out->items[i].mm))
			out->items[kept++] = out->items[i];
	out->count = kept;
	return 0;
}

static int look_until_same(struct hp_search *s, int link, struct list lists[2])
{
	for (int looks = 0; looks < HP_SEARCH_LOOKS; looks++) {
		struct list *now = &lists[looks % 2], *before = &lists[(looks + 1) % 2];
		size_t left = 0;
		int ret = list_processes(s, link, now);

		ret = ret ?: compare_lists(s, before, now, &left);
		if (ret || !left)
			return ret;
		ret = read_all(s, now, left);
		if (ret)
			return ret;
	}
	return 0;
}

/* Of ourselves. */
static int try_query(void)
{
	_cleanup_close_ int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	struct query mapping;

	return fd < 0 ? -errno : ask(fd, 0, QUERY_OR_NEXT, NULL, 0, &mapping);
}

int hp_search__query(struct hp_search *s)
{
	__cleanup(hp_cleanup_mms_bpf__destroy) struct mms_bpf *skel = NULL;
	struct list lists[2] = { 0 };
	int ret = try_query(), link; /* the skeleton's */

	if (ret)
		return ret;
	skel = mms_bpf__open_and_load();
	link = skel ? mms_bpf__address_spaces__attach(skel) : -1;
	if (link < 0)
		return -errno;
	ret = look_until_same(s, link, lists);
	free(lists[0].items);
	free(lists[1].items);
	return ret;
}
