// SPDX-License-Identifier: GPL-2.0
/* A hotfix's image mapped into a stopped process, by system calls that the process makes itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "engines/proc/memory.h"
#include "engines/proc/session.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10 /* Linux 6.3 */
#endif

static int failed(struct hp_attempt *a, int64_t ret, const char *what, struct hp_error *err)
{
	if (ret == -ESRCH)
		return hp_fail(err, HP_E_PROC_GONE, "process %d has ended", a->process->pid);
	if (ret == -ETIMEDOUT) {
		hp_fail(err, HP_E_PROC_BUSY,
			"process %d does not make a system call for us: is it frozen "
			"(cgroup.freeze), or the file system that has the hotfix stuck?",
			a->process->pid);
		return -EBUSY;
	}
	/* It is the limit of that process, not ours. */
	if (ret == -EMFILE || ret == -ENFILE)
		return hp_fail(err, HP_E_PROC_MAP, "%s in process %d: it has too many open files",
			       what, a->process->pid);
	return hp_fail_errno(err, HP_E_PROC_MAP, (int)ret, "%s in process %d", what,
			     a->process->pid);
}

/* The call's own failure, or the kernel's answer to it. */
static int64_t call(struct hp_attempt *a, long nr, uint64_t p, uint64_t q, uint64_t r, uint64_t s,
		    uint64_t t, uint64_t u)
{
	int64_t result = 0;
	int ret = hp_inject__syscall(a->inject, &result, nr, p, q, r, s, t, u);

	return ret ? ret : result;
}

/* What the process opened: is it our copy, and may its code run from there? */
static int check_opened(struct hp_attempt *a, int64_t fd)
{
	const struct stat *ours = &a->proc->staged_stat;
	struct statvfs fs;
	struct stat theirs;
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", a->process->pid, (int)fd);
	if (stat(name, &theirs) || theirs.st_dev != ours->st_dev || theirs.st_ino != ours->st_ino)
		return -ENOENT;
	/* It may be mounted so for hotproof, for the process, or for both. */
	return !statvfs(name, &fs) && (fs.f_flag & ST_NOEXEC) ? -EACCES : 0;
}

/*
 * The staged copy, opened by the process; -ENOENT when that path is no such file over there, -EACCES when it
 * is mounted noexec.
 */
static int64_t open_staged(struct hp_attempt *a)
{
	const char *path = a->proc->staged;
	uint64_t address;
	int64_t fd;
	int ret;

	ret = hp_inject__scratch(a->inject, path, strlen(path) + 1, &address);
	if (ret)
		return ret;
	fd = call(a, SYS_openat, (uint64_t)AT_FDCWD, address, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	ret = fd < 0 ? 0 : check_opened(a, fd);
	if (!ret)
		return fd;
	call(a, SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
	return ret;
}

/* A file in the process's own memory, filled by us. */
static int64_t open_memfd(struct hp_attempt *a)
{
	const char *base = strrchr(a->proc->staged, '/') + 1;
	int source = hp_elf__fd(hp_hotfix__elf(a->proc->hotfix));
	_cleanup_close_ int to = -1;
	char name[200], path[64], buf[64 * 1024];
	uint64_t address;
	int64_t fd;
	off_t at = 0;
	ssize_t n;
	int ret;

	snprintf(name, sizeof(name), "%.190s", base);
	ret = hp_inject__scratch(a->inject, name, strlen(name) + 1, &address);
	if (ret)
		return ret;
	fd = call(a, SYS_memfd_create, address, MFD_CLOEXEC | MFD_EXEC, 0, 0, 0, 0);
	if (fd == -EINVAL)
		fd = call(a, SYS_memfd_create, address, MFD_CLOEXEC, 0, 0, 0, 0);
	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", a->process->pid, (int)fd);
	to = open(path, O_RDWR | O_CLOEXEC);
	ret = to < 0 ? -errno : 0;
	while (!ret && (n = pread(source, buf, sizeof(buf), at)) > 0) {
		if (write(to, buf, (size_t)n) != n)
			ret = errno ? -errno : -ENOSPC;
		at += n;
	}
	if (!ret)
		return fd;
	call(a, SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
	return ret;
}

static int64_t map(struct hp_attempt *a, uint64_t address, uint64_t len, int prot, int flags,
		   int64_t fd, uint64_t offset)
{
	int64_t ret = call(a, SYS_mmap, address, len, (uint64_t)prot, (uint64_t)flags, (uint64_t)fd,
			   offset);

	if (ret < 0 && ret > -4096)
		return ret;
	/* Kernels before 4.17 do not know MAP_FIXED_NOREPLACE, and may choose another place. */
	if ((uint64_t)ret == address)
		return 0;
	call(a, SYS_munmap, (uint64_t)ret, len, 0, 0, 0, 0);
	return -EEXIST;
}

static uint64_t file_end(const struct hp_image_segment *s)
{
	return s->file_size ? HP_PAGE_UP(s->address + s->file_size) : HP_PAGE_DOWN(s->address);
}

/*
 * True if what the file has of the segment is only written by relocation: those pages are mapped
 * read-only, and written as code is, so that nobody has to take a right away again.
 */
static bool is_born_read_only(const struct hp_image *image, const struct hp_image_segment *s)
{
	return s->file_size && HP_PAGE_DOWN(s->address) >= image->relro_start &&
	       file_end(s) <= image->relro_end;
}

/*
 * What the whole room was mapped as is right already for what is only read: where it is the same part
 * of the file, or where all of it will be written, in pages that the file has.
 */
static bool is_mapped_with_room(const struct hp_attempt *a, const struct hp_image_segment *s)
{
	if (is_born_read_only(a->proc->image, s))
		return s->bytes &&
		       file_end(s) <= HP_PAGE_UP((uint64_t)a->proc->staged_stat.st_size);
	return s->prot == PROT_READ && HP_PAGE_DOWN(s->offset) == HP_PAGE_DOWN(s->address);
}

static int64_t map_segment(struct hp_attempt *a, const struct hp_image_segment *s, int64_t fd)
{
	uint64_t start = HP_PAGE_DOWN(s->address), end = HP_PAGE_UP(s->address + s->memory_size);
	int64_t ret = 0;

	if (file_end(s) > start && !is_mapped_with_room(a, s))
		ret = map(a, a->hotfix_bias + start, file_end(s) - start,
			  is_born_read_only(a->proc->image, s) ? PROT_READ : s->prot,
			  MAP_PRIVATE | MAP_FIXED, fd, HP_PAGE_DOWN(s->offset));
	if (!ret && end > file_end(s))
		ret = map(a, a->hotfix_bias + file_end(s), end - file_end(s), s->prot,
			  MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
	return ret;
}

static int map_all(struct hp_attempt *a, int64_t fd, struct hp_error *err)
{
	const struct hp_image *image = a->proc->image;
	int64_t ret;

	/* The whole room first, from the file: what is left of a cut-short apply can be known. */
	ret = map(a, a->hotfix_bias, image->span, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd,
		  0);
	if (ret == -EEXIST) {
		hp_fail(err, HP_E_PROC_BUSY, "process %d took the room for the hotfix meanwhile",
			a->process->pid);
		return -EBUSY;
	}
	if (ret)
		return failed(a, ret, "cannot map the hotfix", err);
	for (size_t i = 0; i < image->segment_count && !ret; i++)
		ret = map_segment(a, &image->segments[i], fd);
	if (!ret)
		return 0;
	hp_load__unmap(a, NULL);
	return failed(a, ret, "cannot map the hotfix", err);
}

/* Symbols that are functions returning their value: called in the process. */
static int resolve_indirect(struct hp_attempt *a, struct hp_binding *binding, struct hp_error *err)
{
	for (size_t i = 0; i < binding->count; i++) {
		int ret;

		if (!binding->indirect[i])
			continue;
		ret = hp_inject__call(a->inject, &binding->values[i], binding->values[i]);
		if (ret)
			return hp_fail_errno(err, HP_E_PROC_UNBOUND, ret,
					     "the resolver of %s in process %d",
					     a->proc->image->symbols[i].name, a->process->pid);
		binding->indirect[i] = false;
	}
	return 0;
}

static int write_bytes(struct hp_attempt *a, const struct hp_image_segment *s, const uint8_t *bytes)
{
	uint64_t at = a->hotfix_bias + s->address, len = s->memory_size, first = 0;
	int ret = 0;

	if (is_born_read_only(a->proc->image, s)) {
		first = file_end(s) - s->address < len ? file_end(s) - s->address : len;
		ret = hp_memory__write_code(a->mem, at, bytes, first);
	}
	if (!ret && len > first)
		ret = hp_memory__write(a->process->pid, at + first, bytes + first, len - first);
	return ret;
}

/* Take the right to write away from what is not to be written after relocation, where it is left. */
static int64_t protect(struct hp_attempt *a)
{
	const struct hp_image *image = a->proc->image;

	if (image->relro_end <= image->relro_start)
		return 0;
	for (size_t i = 0; i < image->segment_count; i++)
		if (is_born_read_only(image, &image->segments[i]) &&
		    file_end(&image->segments[i]) == image->relro_end)
			return 0;
	return call(a, SYS_mprotect, a->hotfix_bias + image->relro_start,
		    image->relro_end - image->relro_start, PROT_READ, 0, 0, 0);
}

static int write_segments(struct hp_attempt *a, const struct hp_binding *binding,
			  struct hp_error *err)
{
	const struct hp_image *image = a->proc->image;
	int64_t ret = 0;

	for (size_t i = 0; i < image->segment_count && !ret; i++) {
		const struct hp_image_segment *s = &image->segments[i];
		_cleanup_free_ uint8_t *bytes = NULL;

		if (!s->bytes)
			continue;
		bytes = hp_image__relocate(image, i, a->hotfix_bias, binding->values);
		ret = bytes ? write_bytes(a, s, bytes) : -ENOMEM;
	}
	ret = ret ?: protect(a);
	return ret ? failed(a, ret, "cannot relocate the hotfix", err) : 0;
}

int hp_load__map(struct hp_attempt *a, struct hp_binding *binding, struct hp_error *err)
{
	int64_t fd = open_staged(a), ret;

	if (fd < 0 && fd != -ESRCH && fd != -ETIMEDOUT) {
		hp_info("process %d cannot map %s (%s): a memfd instead", a->process->pid,
			a->proc->staged, strerror((int)-fd));
		fd = open_memfd(a);
	}
	if (fd < 0)
		return failed(a, fd, "cannot open the hotfix", err);
	ret = map_all(a, fd, err);
	call(a, SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
	if (ret)
		return (int)ret;
	ret = resolve_indirect(a, binding, err);
	ret = ret ?: write_segments(a, binding, err);
	if (ret)
		hp_load__unmap(a, NULL);
	return (int)ret;
}

int hp_load__unmap(struct hp_attempt *a, struct hp_error *err)
{
	int64_t ret = call(a, SYS_munmap, a->hotfix_bias, a->proc->image->span, 0, 0, 0, 0);

	return ret ? failed(a, ret, "cannot unmap the hotfix", err) : 0;
}

int hp_load__unmap_other(struct hp_attempt *a, struct hp_error *err)
{
	int64_t ret =
		call(a, SYS_munmap, a->other->hotfix_bias, a->other->proc->image->span, 0, 0, 0, 0);

	return ret ? failed(a, ret, "cannot unmap the replaced hotfix", err) : 0;
}
