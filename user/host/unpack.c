// SPDX-License-Identifier: GPL-2.0
/* Decompression of one stream from a part of a file into another file, with libarchive. */
#include "host/unpack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/libarchive.h"

#define CHUNK_SIZE	  (64 * 1024)
#define PAGE		  4096
#define PROGRESS_AFTER_NS (2 * HP_NSEC_PER_SEC)

struct source {
	const struct hp_unpack *job;
	const struct hp_libarchive *lib;
	uint64_t at; /* how much of the stream has been read */
	uint8_t chunk[CHUNK_SIZE];
};

static la_ssize_t read_source(struct archive *a, void *data, const void **buffer)
{
	struct source *src = data;
	uint64_t left = src->job->length - src->at;
	ssize_t n;

	n = pread(src->job->in, src->chunk, left < CHUNK_SIZE ? left : CHUNK_SIZE,
		  (off_t)(src->job->offset + src->at));
	if (n < 0) {
		src->lib->set_error(a, errno, "%s", strerror(errno));
		return -1;
	}
	src->at += (uint64_t)n;
	*buffer = src->chunk;
	return n;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

static size_t page_left(uint64_t at, size_t len)
{
	size_t n = PAGE - at % PAGE;

	return n < len ? n : len;
}

/* A kernel is a fifth zeros, and the cache may be memory (tmpfs): leave holes for them. */
static int write_sparse(int fd, const uint8_t *p, size_t len, uint64_t at)
{
	while (len) {
		size_t run = page_left(at, len);

		if (!all_zero(p, run)) {
			ssize_t n;

			while (run < len && !all_zero(p + run, page_left(at + run, len - run)))
				run += page_left(at + run, len - run);
			n = pwrite(fd, p, run, (off_t)at);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return n ? -errno : -ENOSPC;
			run = (size_t)n;
		}
		p += run;
		len -= run;
		at += run;
	}
	return 0;
}

static int copy_blocks(struct archive *a, const struct source *src, uint64_t *size,
		       struct hp_error *err)
{
	const struct hp_unpack *job = src->job;
	uint64_t begin = hp_now_ns();
	const void *block;
	la_int64_t offset;
	size_t len;
	int ret;

	while ((ret = src->lib->read_data_block(a, &block, &len, &offset)) == ARCHIVE_OK) {
		uint64_t at = (uint64_t)offset;

		if (job->stop && *job->stop)
			return hp_fail(err, HP_E_INTERRUPTED, "interrupted while unpacking %s",
				       job->what);
		if (at > job->limit || len > job->limit - at)
			return hp_fail(err, HP_E_IMAGE_CORRUPT,
				       "%s is corrupt: it unpacks to more than the %llu bytes it "
				       "promises",
				       job->what, (unsigned long long)job->limit);
		ret = write_sparse(job->out, block, len, at);
		if (ret)
			return ret;
		*size = at + len;
		if (hp_now_ns() - begin > PROGRESS_AFTER_NS)
			hp_progress("unpacking %s: %d %%", job->what,
				    (int)(src->at * 100 / job->length));
	}
	if (ret == ARCHIVE_EOF)
		return 0;
	return hp_fail(err, HP_E_IMAGE_CORRUPT, "%s is corrupt: %s", job->what,
		       src->lib->error_string(a) ?: "cannot be unpacked");
}

static int unpack(struct archive *a, struct source *src, uint64_t *size, struct hp_error *err)
{
	const struct hp_libarchive *lib = src->lib;
	struct archive_entry *entry;
	int ret;

	lib->read_support_filter_all(a);
	lib->read_support_format_raw(a);
	if (lib->read_open(a, src, NULL, read_source, NULL) != ARCHIVE_OK ||
	    lib->read_next_header(a, &entry) != ARCHIVE_OK)
		return hp_fail(err, HP_E_IMAGE_CORRUPT, "%s is corrupt: %s", src->job->what,
			       lib->error_string(a) ?: "cannot be unpacked");
	ret = copy_blocks(a, src, size, err);
	hp_progress_end();
	return ret;
}

int64_t hp_unpack__run(const struct hp_unpack *job, struct hp_error *err)
{
	const struct hp_libarchive *lib = hp_libarchive__load(err);
	_cleanup_free_ struct source *src = calloc(1, sizeof(*src));
	struct archive *a;
	uint64_t size = 0;
	int ret;

	if (!lib)
		return -ELIBACC;
	a = lib->read_new();
	if (!a || !src) {
		ret = hp_fail(err, HP_E_NOMEM, "no memory to unpack %s", job->what);
	} else {
		src->job = job;
		src->lib = lib;
		ret = unpack(a, src, &size, err);
	}
	if (a)
		lib->read_free(a);
	if (ret)
		return ret;
	if (ftruncate(job->out, (off_t)size))
		return -errno;
	return (int64_t)size;
}
