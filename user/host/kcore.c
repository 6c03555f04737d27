// SPDX-License-Identifier: GPL-2.0
/* The running kernel's memory, through /proc/kcore (fs/proc/kcore.c). */
#include "host/kcore.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROC_KCORE "/proc/kcore"

struct hp_kcore {
	int fd;
	Elf64_Phdr *segments;
	size_t count;
};

static int read_all(int fd, void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

static int read_segments(struct hp_kcore *kcore)
{
	Elf64_Ehdr ehdr;
	int ret = read_all(kcore->fd, &ehdr, sizeof(ehdr), 0);

	if (ret)
		return ret;
	if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0 || ehdr.e_ident[EI_CLASS] != ELFCLASS64 ||
	    ehdr.e_type != ET_CORE || ehdr.e_phentsize != sizeof(*kcore->segments))
		return -EBADMSG;
	kcore->count = ehdr.e_phnum;
	kcore->segments = calloc(kcore->count + 1, sizeof(*kcore->segments));
	if (!kcore->segments)
		return -ENOMEM;
	return read_all(kcore->fd, kcore->segments, kcore->count * sizeof(*kcore->segments),
			ehdr.e_phoff);
}

int hp_kcore__open(struct hp_kcore **out, const char *path, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_kcore__close) struct hp_kcore *kcore = calloc(1, sizeof(*kcore));
	int ret;

	if (!kcore)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	if (!path)
		path = PROC_KCORE;
	kcore->fd = open(path, O_RDONLY | O_CLOEXEC);
	ret = kcore->fd < 0 ? -errno : read_segments(kcore);
	if (ret)
		return hp_fail_errno(err, HP_E_KCORE, ret, "cannot read %s", path);
	*out = kcore;
	kcore = NULL;
	return 0;
}

void hp_kcore__close(struct hp_kcore *kcore)
{
	if (kcore->fd >= 0)
		close(kcore->fd);
	free(kcore->segments);
	free(kcore);
}

int hp_kcore__read(const struct hp_kcore *kcore, uint64_t address, void *buf, size_t len)
{
	for (size_t i = 0; i < kcore->count; i++) {
		const Elf64_Phdr *p = &kcore->segments[i];

		if (p->p_type != PT_LOAD || address < p->p_vaddr ||
		    address - p->p_vaddr >= p->p_memsz || p->p_memsz - (address - p->p_vaddr) < len)
			continue;
		return read_all(kcore->fd, buf, len, p->p_offset + (address - p->p_vaddr));
	}
	return -EFAULT;
}
