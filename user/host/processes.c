// SPDX-License-Identifier: GPL-2.0
/* Which processes run code of an ELF file: executable mappings, read in one of three ways, and build-ids. */
#include "host/processes.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "hotproof/vma_record.h" /* for the skeleton too */

#include "base/log.h"
#include "bpf/vma.lskel.h"
#include "host/elf_file.h"
#include "host/maps.h"
#include "host/namespaces.h"
#include "host/processes_search.h"

HP_DEFINE_CLEANUP(struct vma_bpf *, vma_bpf__destroy)

/* As much as the kernel hands out at once (bpf_seq_read(): 8 pages). */
#define READ_BYTES (8 * 4096)

static int compare_numbers(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

bool hp_search__is_wanted(const struct hp_search *s, pid_t pid)
{
	if (pid == getpid())
		return false;
	return !s->pid_count ||
	       bsearch(&pid, s->pids, s->pid_count, sizeof(pid), compare_numbers) != NULL;
}

/*
 * -EAGAIN when it could not be read: another process may show the file. -ESRCH when there is no such
 * mapping any more: the process has ended, or called exec().
 */
static int read_file(const struct hp_search *s, const struct hp_vma_record *r)
{
	__cleanup(hp_cleanup_hp_elf__close) struct hp_elf *elf = NULL;
	struct hp_map map = { .start = r->start, .end = r->end };
	struct hp_error why = { 0 };
	char path[64];
	int ret;

	hp_map__file(&map, (pid_t)r->tid, path);
	ret = hp_elf__open(&elf, path, &why);
	if (ret && why.reason == HP_E_OPEN_FILE)
		return ret == -ENOENT || ret == -ESRCH ? -ESRCH : -EAGAIN;
	if (ret)
		return 0;
	return hp_elf__build_id(elf) && hp_build_id__equal(hp_elf__build_id(elf), s->id);
}

/* The iterator runs while we read from it, and at no other time. */
static void ask_no_more(struct hp_search *s, const struct hp_vma_record *r)
{
	struct hp_vma_other *other = s->others ? &s->others[r->inode % HP_VMA_OTHERS] : NULL;

	if (other && !other->inode)
		*other = (struct hp_vma_other){ r->inode, r->major, r->minor };
}

int hp_search__matches(struct hp_search *s, const struct hp_vma_record *r)
{
	struct hp_search_file *grown;
	int ret;

	for (size_t i = 0; i < s->file_count; i++)
		if (s->files[i].inode == r->inode && s->files[i].major == r->major &&
		    s->files[i].minor == r->minor)
			return s->files[i].matches;
	ret = read_file(s, r);
	if (ret < 0)
		return ret;
	if (!ret)
		ask_no_more(s, r);
	grown = realloc(s->files, (s->file_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->files = grown;
	grown[s->file_count++] = (struct hp_search_file){ r->inode, r->major, r->minor, ret };
	return ret;
}

static bool is_32bit(pid_t pid)
{
	unsigned char ident[EI_NIDENT];
	char path[32];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, ident, sizeof(ident)) == sizeof(ident) &&
	       ident[EI_CLASS] == ELFCLASS32;
}

static struct hp_process *new_item(struct hp_search *s)
{
	struct hp_processes *out = s->out;

	if (out->count == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct hp_process *items = realloc(out->items, room * sizeof(*items));

		if (!items)
			return NULL;
		out->items = items;
		s->room = room;
	}
	return &out->items[out->count++];
}

static int add_process(struct hp_search *s, const struct hp_vma_record *r)
{
	struct hp_processes *out = s->out;
	struct hp_process *p;

	/* The mappings of a process come one after the other. */
	if (out->count && out->items[out->count - 1].pid == (pid_t)r->tgid) {
		p = &out->items[out->count - 1];
		p->copies += p->offset == r->offset && p->start != r->start;
		return 0;
	}
	p = new_item(s);
	if (!p)
		return -ENOMEM;
	*p = (struct hp_process){
		.pid = (pid_t)r->tgid,
		.start = r->start,
		.end = r->end,
		.offset = r->offset,
		.inode = r->inode,
		.major = r->major,
		.minor = r->minor,
		.copies = 1,
		.mm = r->mm,
		.bits32 = r->flags & HP_VMA_32BIT,
		.deleted = r->flags & HP_VMA_DELETED,
	};
	memcpy(p->comm, s->comm, sizeof(p->comm));
	return 0;
}

/* Once for each time that the mappings of a process come by. */
static int note_changed(struct hp_search *s, pid_t pid)
{
	pid_t *grown;

	if (s->changed_count && s->changed[s->changed_count - 1] == pid)
		return 0;
	grown = realloc(s->changed, (s->changed_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->changed = grown;
	grown[s->changed_count++] = pid;
	return 0;
}

int hp_search__consider(struct hp_search *s, const struct hp_vma_record *r)
{
	int ret;

	if (r->tgid != s->tgid) {
		s->tgid = r->tgid;
		memcpy(s->comm, r->comm, sizeof(s->comm));
		s->comm[sizeof(s->comm) - 1] = '\0';
	}
	if (!hp_search__is_wanted(s, (pid_t)r->tgid))
		return 0;
	ret = hp_search__matches(s, r);
	if (ret == -ESRCH)
		return note_changed(s, (pid_t)r->tgid);
	if (ret == -EAGAIN) {
		s->out->unreadable++;
		return 0;
	}
	return ret > 0 ? add_process(s, r) : ret;
}

int hp_search__take(struct hp_search *s, const struct hp_search *part)
{
	for (size_t i = 0; i < part->out->count; i++) {
		struct hp_process *p = new_item(s);

		if (!p)
			return -ENOMEM;
		*p = part->out->items[i];
	}
	for (size_t i = 0; i < part->changed_count; i++) {
		int ret = note_changed(s, part->changed[i]);

		if (ret)
			return ret;
	}
	s->out->unreadable += part->out->unreadable;
	return 0;
}

static int read_iterator(struct hp_search *s)
{
	__cleanup(hp_cleanup_vma_bpf__destroy) struct vma_bpf *skel = vma_bpf__open_and_load();
	_cleanup_free_ struct hp_vma_record *records = malloc(READ_BYTES);
	_cleanup_close_ int fd = -1;
	int link; /* the skeleton's */
	size_t have = 0;
	ssize_t n;

	if (!skel || !records)
		return -errno;
	s->others = skel->bss->others;
	link = vma_bpf__executable_mappings__attach(skel);
	fd = link < 0 ? -1 : bpf_iter_create(link);
	if (fd < 0)
		return -errno;
	for (;;) {
		size_t whole;

		n = read(fd, (char *)records + have, READ_BYTES - have);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		have += (size_t)n;
		whole = have / sizeof(records[0]);
		for (size_t i = 0; i < whole; i++) {
			int ret = hp_search__consider(s, &records[i]);

			if (ret)
				return ret;
		}
		have -= whole * sizeof(records[0]);
		memmove(records, &records[whole], have);
	}
}

static int search_bpf(struct hp_search *s)
{
	int ret = read_iterator(s);

	s->others = NULL;
	return ret;
}

static void read_comm(pid_t pid, char comm[16])
{
	_cleanup_close_ int fd = -1;
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, comm, 15);
	comm[n < 0 ? 0 : n] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
}

static int search_one(struct hp_search *s, pid_t pid)
{
	bool known = false, bits32 = false;
	char comm[16];
	struct hp_maps maps;
	int ret = hp_maps__read(&maps, pid);

	if (ret) {
		/* Gone, or a kernel thread; only what is forbidden counts, or hidden (hidepid). */
		s->out->unreadable += ret == -EACCES || ret == -EPERM ||
				      (ret == -ENOENT && (!kill(pid, 0) || errno == EPERM));
		return ret == -ENOMEM ? ret : 0;
	}
	for (size_t i = 0; i < maps.count && !ret; i++) {
		const struct hp_map *m = &maps.items[i];
		struct hp_vma_record r = {
			.start = m->start,
			.end = m->end,
			.offset = m->offset,
			.inode = m->inode,
			.major = m->major,
			.minor = m->minor,
			.tgid = (uint32_t)pid,
			.tid = (uint32_t)pid,
		};

		if (!m->inode || !(m->prot & PROT_EXEC))
			continue;
		if (!known) {
			read_comm(pid, comm);
			bits32 = is_32bit(pid);
			known = true;
		}
		memcpy(r.comm, comm, sizeof(comm));
		r.flags = (m->deleted ? HP_VMA_DELETED : 0) | (bits32 ? HP_VMA_32BIT : 0);
		ret = hp_search__consider(s, &r);
	}
	hp_maps__free(&maps);
	return ret;
}

static int search_proc(struct hp_search *s)
{
	_cleanup_dir_ DIR *dir = opendir("/proc");
	struct dirent *entry;
	int ret = 0;

	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && hp_search__is_wanted(s, pid))
			ret = search_one(s, pid);
	}
	return ret;
}

/* Nothing of what was read of a process holds any more. */
static void drop(struct hp_search *s, pid_t pid)
{
	struct hp_processes *out = s->out;
	size_t kept = 0;

	for (size_t i = 0; i < out->count; i++)
		if (out->items[i].pid != pid)
			out->items[kept++] = out->items[i];
	out->count = kept;
}

/* Those that became another program while their mappings were read: what are they now? */
static int look_again(struct hp_search *s)
{
	int ret = 0;

	for (size_t looks = 0; !ret && s->changed_count && looks < HP_SEARCH_LOOKS; looks++) {
		_cleanup_free_ pid_t *pids = s->changed;
		size_t count = s->changed_count;

		s->changed = NULL;
		s->changed_count = 0;
		for (size_t i = 0; i < count && !ret; i++) {
			drop(s, pids[i]);
			ret = search_one(s, pids[i]);
		}
	}
	s->out->unreadable += s->changed_count;
	return ret;
}

static int compare_pids(const void *a, const void *b)
{
	const struct hp_process *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int compare_spaces(const void *a, const void *b)
{
	const struct hp_process *const *x = a, *const *y = b;

	if ((*x)->mm != (*y)->mm)
		return (*x)->mm < (*y)->mm ? -1 : 1;
	return compare_pids(*x, *y);
}

/* Address spaces that two processes have: /proc alone does not tell. */
static int find_shared(struct hp_processes *out)
{
	_cleanup_free_ struct hp_process **items =
		calloc(out->count + 1, sizeof(struct hp_process *));

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < out->count; i++)
		items[i] = &out->items[i];
	qsort(items, out->count, sizeof(struct hp_process *), compare_spaces);
	for (size_t i = 1; i < out->count; i++)
		if (items[i]->mm && items[i]->mm == items[i - 1]->mm &&
		    items[i]->pid != items[i - 1]->pid) {
			items[i]->shares_with = items[i - 1]->pid;
			items[i - 1]->shares_with = items[i]->pid;
		}
	return 0;
}

/*
 * The iterator shows a process once more for each thread that has opened files of its own, or whose
 * main thread has ended (task_seq_get_next(), kernel/bpf/task_iter.c).
 */
static void drop_repeated(struct hp_processes *out)
{
	size_t kept = 0;

	for (size_t i = 1; i < out->count; i++) {
		if (out->items[i].pid != out->items[kept].pid)
			out->items[++kept] = out->items[i];
		else if (!out->items[kept].shares_with)
			out->items[kept].shares_with = out->items[i].shares_with;
	}
	out->count = out->count ? kept + 1 : 0;
}

static const struct way {
	enum hp_processes_method method;
	int (*search)(struct hp_search *s);
	const char *without;
} ways[] = {
	{ HP_PROCESSES_QUERY, hp_search__query, "no PROCMAP_QUERY" },
	{ HP_PROCESSES_BPF, search_bpf, "no task_vma iterator" },
	{ HP_PROCESSES_PROC, search_proc, "no /proc" },
};

/* By @method, or by the first that works. */
static int search(struct hp_search *s, enum hp_processes_method method)
{
	int ret = -EINVAL;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]) && ret; i++) {
		if (method != HP_PROCESSES_AUTO && method != ways[i].method)
			continue;
		hp_processes__free(s->out);
		s->room = s->changed_count = 0;
		s->out->method = ways[i].method;
		ret = ways[i].search(s);
		if (ret)
			hp_info("%s: %s", ways[i].without, strerror(-ret));
	}
	return ret;
}

/* /proc knows the processes by the numbers that we know them by. Else nothing would be found, or somebody else. */
static int check_proc(struct hp_error *err)
{
	char self[16];
	ssize_t n = readlink("/proc/self", self, sizeof(self) - 1);

	if (n < 0)
		return hp_fail_errno(err, HP_E_PROC_SEARCH, -errno, "/proc cannot be read");
	self[n] = '\0';
	if (atoi(self) == getpid())
		return 0;
	return hp_fail(err, HP_E_PROC_SEARCH, "/proc is that of another PID namespace");
}

int hp_processes__find(struct hp_processes *out, const struct hp_build_id *id, const pid_t *pids,
		       size_t pid_count, enum hp_processes_method method, struct hp_error *err)
{
	struct hp_search s = { .id = id, .pid_count = pid_count, .out = out };
	int ret;

	memset(out, 0, sizeof(*out));
	ret = check_proc(err);
	if (ret)
		return ret;
	if (pid_count) {
		s.pids = malloc(pid_count * sizeof(*pids));
		if (!s.pids)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		memcpy(s.pids, pids, pid_count * sizeof(*pids));
		qsort(s.pids, pid_count, sizeof(*pids), compare_numbers);
	}
	/*
	 * A few processes are read faster one by one. And iterators give the numbers that processes
	 * have outside.
	 */
	if (method == HP_PROCESSES_AUTO &&
	    ((pid_count && pid_count <= 4) || !hp_ns__is_initial("pid", HP_NS_PID)))
		method = HP_PROCESSES_PROC;
	ret = search(&s, method);
	ret = ret ?: look_again(&s);
	ret = ret ?: find_shared(out);
	if (!ret) {
		if (out->count)
			qsort(out->items, out->count, sizeof(*out->items), compare_pids);
		drop_repeated(out);
	} else {
		hp_processes__free(out);
		hp_fail_errno(err, HP_E_PROC_SEARCH, ret, "the processes cannot be searched");
	}
	free(s.files);
	free(s.pids);
	free(s.changed);
	return ret;
}

void hp_processes__free(struct hp_processes *processes)
{
	free(processes->items);
	memset(processes, 0, sizeof(*processes));
}
