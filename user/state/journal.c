// SPDX-License-Identifier: GPL-2.0
/* The journal's folder: its files, its lock. */
#include "state/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "state/journal_json.h"

#define DEFAULT_FOLDER "/run/hotproof"
#define SUFFIX	       ".json"
#define ENTRY_MAX      65536
#define LOCK_POLL_NS   (10 * HP_NSEC_PER_MSEC)

struct hp_journal {
	char folder[PATH_MAX];
	int lock; /* -1: not held */
};

int hp_journal__open(struct hp_journal **out, struct hp_error *err)
{
	const char *folder = getenv("HOTPROOF_STATE_DIR");
	struct hp_journal *journal;

	*out = NULL;
	if (!folder || !folder[0])
		folder = DEFAULT_FOLDER;
	if (folder[0] != '/')
		return hp_fail(err, HP_E_USAGE, "HOTPROOF_STATE_DIR must be absolute, not '%s'",
			       folder);
	/* Room for a name and what makes it temporary. */
	if (strlen(folder) > PATH_MAX - 2 * HP_NAME_MAX)
		return hp_fail(err, HP_E_USAGE, "HOTPROOF_STATE_DIR is too long");
	journal = calloc(1, sizeof(*journal));
	if (!journal)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	strcpy(journal->folder, folder);
	journal->lock = -1;
	*out = journal;
	return 0;
}

void hp_journal__close(struct hp_journal *journal)
{
	if (!journal)
		return;
	if (journal->lock >= 0)
		close(journal->lock);
	free(journal);
}

static int fail_state(struct hp_error *err, int ret, const char *verb, const char *path)
{
	return hp_fail_errno(err, HP_E_STATE, ret, "cannot %s %s", verb, path);
}

/* A name is a file name here: no path, nothing hidden, no longer than a module's. */
static bool valid_name(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) < HP_NAME_MAX;
}

static void file_of(const struct hp_journal *journal, const char *name, const char *suffix,
		    char *out)
{
	snprintf(out, PATH_MAX, "%.*s/%s%s", PATH_MAX - 2 * HP_NAME_MAX, journal->folder, name,
		 suffix);
}

static int make_folder(const struct hp_journal *journal, struct hp_error *err)
{
	if (mkdir(journal->folder, 0755) && errno != EEXIST)
		return fail_state(err, -errno, "make", journal->folder);
	return 0;
}

/* Who holds the lock wrote its pid there; only for the message. */
static int lock_holder(int fd)
{
	char text[32] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	return atoi(text);
}

int hp_journal__lock(struct hp_journal *journal, uint64_t deadline, struct hp_error *err)
{
	const struct timespec pause = { .tv_nsec = LOCK_POLL_NS };
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], text[32];
	int ret;

	if (journal->lock >= 0)
		return 0;
	ret = make_folder(journal, err);
	if (ret)
		return ret;
	file_of(journal, "lock", "", path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return fail_state(err, -errno, "open", path);
	/* Not a blocking flock(): SIGINT must end the wait, and so must the deadline. */
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail_state(err, -errno, "lock", path);
		if (hp_interrupted())
			return hp_fail(err, HP_E_INTERRUPTED, "interrupted");
		hp_progress("waiting for another hotproof (pid %d)", lock_holder(fd));
		if (hp_now_ns() >= deadline)
			return hp_fail(err, HP_E_STATE_LOCKED,
				       "another hotproof (pid %d) is changing this host",
				       lock_holder(fd));
		nanosleep(&pause, NULL);
	}
	snprintf(text, sizeof(text), "%d\n", getpid());
	if (ftruncate(fd, 0) || pwrite(fd, text, strlen(text), 0) < 0)
		hp_debug("cannot write %s: %s", path, strerror(errno));
	journal->lock = fd;
	fd = -1;
	return 0;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The rename is on disk only when the folder is. */
static void sync_folder(const char *folder)
{
	_cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && fsync(fd))
		hp_debug("cannot sync %s: %s", folder, strerror(errno));
}

int hp_journal__write(struct hp_journal *journal, const struct hp_journal_entry *entry,
		      struct hp_error *err)
{
	_cleanup_free_ char *text = hp_journal_entry__format(entry);
	char path[PATH_MAX], temporary[PATH_MAX];
	_cleanup_close_ int fd = -1;
	int ret;

	if (!text)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = make_folder(journal, err);
	if (ret)
		return ret;
	file_of(journal, entry->hotfix, SUFFIX, path);
	file_of(journal, entry->hotfix, ".tmp", temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return fail_state(err, -errno, "write", temporary);
	ret = write_all(fd, text, strlen(text));
	if (!ret && fsync(fd))
		ret = -errno;
	if (!ret && rename(temporary, path))
		ret = -errno;
	if (ret) {
		unlink(temporary);
		return fail_state(err, ret, "write", path);
	}
	sync_folder(journal->folder);
	return 0;
}

int hp_journal__remove(struct hp_journal *journal, const char *hotfix, struct hp_error *err)
{
	char path[PATH_MAX];

	if (!valid_name(hotfix))
		return hp_fail(err, HP_E_USAGE, "'%s' is no name of a livepatch", hotfix);
	file_of(journal, hotfix, SUFFIX, path);
	if (unlink(path) && errno != ENOENT)
		return fail_state(err, -errno, "remove", path);
	sync_folder(journal->folder);
	return 0;
}

static int read_text(const char *path, char *text, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (len < size - 1) {
		n = read(fd, text + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = 0;
	return 0;
}

int hp_journal__read(struct hp_journal *journal, const char *hotfix, struct hp_journal_entry *out,
		     struct hp_error *err)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	int ret;

	if (!valid_name(hotfix))
		return hp_fail(err, HP_E_USAGE, "'%s' is no name of a livepatch", hotfix);
	text = malloc(ENTRY_MAX);
	if (!text)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	file_of(journal, hotfix, SUFFIX, path);
	ret = read_text(path, text, ENTRY_MAX);
	if (ret == -ENOENT)
		return ret;
	if (ret)
		return fail_state(err, ret, "read", path);
	/* The name is the file's, whatever stands in it. */
	if (hp_journal_entry__parse(text, out) || strcmp(out->hotfix, hotfix)) {
		memset(out, 0, sizeof(*out));
		snprintf(out->hotfix, sizeof(out->hotfix), "%s", hotfix);
		out->phase = HP_PHASE_DAMAGED;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct hp_journal_entry *)a)->hotfix,
		      ((const struct hp_journal_entry *)b)->hotfix);
}

int hp_journal__list(struct hp_journal *journal, struct hp_journal_entry **out, size_t *count,
		     struct hp_error *err)
{
	_cleanup_dir_ DIR *dir = opendir(journal->folder);
	_cleanup_free_ struct hp_journal_entry *entries = NULL;
	struct dirent *file;
	size_t n = 0;

	*out = NULL;
	*count = 0;
	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return fail_state(err, -errno, "read", journal->folder);
	while ((file = readdir(dir))) {
		const char *suffix = strrchr(file->d_name, '.');
		struct hp_journal_entry *grown;
		char name[HP_NAME_MAX];
		int ret;

		if (!suffix || strcmp(suffix, SUFFIX) ||
		    (size_t)(suffix - file->d_name) >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(suffix - file->d_name), file->d_name);
		if (!valid_name(name))
			continue;
		grown = realloc(entries, (n + 1) * sizeof(*grown));
		if (!grown)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		entries = grown;
		ret = hp_journal__read(journal, name, &entries[n], err);
		if (ret && ret != -ENOENT)
			return ret;
		n += !ret;
	}
	if (n)
		qsort(entries, n, sizeof(*entries), by_name);
	*out = entries;
	entries = NULL;
	*count = n;
	return 0;
}

int hp_journal_entry__init(struct hp_journal_entry *entry, const char *engine, const char *hotfix,
			   const char *path, struct hp_error *err)
{
	memset(entry, 0, sizeof(*entry));
	if (!valid_name(hotfix))
		return hp_fail(err, HP_E_USAGE, "'%s' is no name of a livepatch", hotfix);
	snprintf(entry->hotfix, sizeof(entry->hotfix), "%s", hotfix);
	snprintf(entry->engine, sizeof(entry->engine), "%s", engine);
	if (path) {
		_cleanup_free_ char *absolute = realpath(path, NULL);

		if (!absolute)
			return hp_fail_errno(err, HP_E_USAGE, -errno, "cannot find %s", path);
		snprintf(entry->file, sizeof(entry->file), "%s", absolute);
	}
	hp_journal_entry__stamp(entry, HP_PHASE_LOADING);
	entry->time = entry->phase_time;
	return 0;
}

int hp_journal__set_phase(struct hp_journal *journal, struct hp_journal_entry *entry,
			  enum hp_journal_phase phase, struct hp_error *err)
{
	hp_journal_entry__stamp(entry, phase);
	return hp_journal__write(journal, entry, err);
}
