// SPDX-License-Identifier: GPL-2.0
/* Entries of the journal: JSON, and whether their loader lives. */
#include "state/journal_json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/json.h"
#include "host/namespaces.h"

#define VERSION 1

static const char *const phase_names[] = {
	[HP_PHASE_LOADING] = "loading",
	[HP_PHASE_APPLIED] = "applied",
	[HP_PHASE_REVERTING] = "reverting",
	[HP_PHASE_DAMAGED] = "damaged",
};

const char *hp_journal_phase__name(enum hp_journal_phase phase)
{
	return phase_names[phase];
}

char *hp_journal_entry__format(const struct hp_journal_entry *e)
{
	json_t *json =
		json_pack("{s:s, s:i, s:o, s:s, s:s, s:o, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I}",
			  "schema", "hotproof.journal", "version", VERSION, "hotfix",
			  hp_json_text(e->hotfix), "engine", e->engine, "phase",
			  hp_journal_phase__name(e->phase), "file", hp_json_text(e->file),
			  "srcversion", e->srcversion, "build_id", e->build_id, "boot_id",
			  e->boot_id, "pid", e->pid, "pid_start", (json_int_t)e->pid_start,
			  "pid_namespace", (json_int_t)e->pid_ns, "time", (json_int_t)e->time,
			  "phase_time", (json_int_t)e->phase_time);
	char *text;

	if (!json)
		return NULL;
	text = json_dumps(json, JSON_INDENT(2));
	json_decref(json);
	return text;
}

static int copy(char *to, size_t size, const char *from)
{
	return snprintf(to, size, "%s", from) < (int)size ? 0 : -EPROTO;
}

int hp_journal_entry__parse(const char *text, struct hp_journal_entry *e)
{
	const char *schema, *hotfix, *engine, *phase, *file, *srcversion, *build_id, *boot_id;
	json_int_t pid_start, pid_ns = 0, time, phase_time;
	json_t *json = json_loads(text, 0, NULL);
	int version, ret = -EPROTO;

	memset(e, 0, sizeof(*e));
	if (!json)
		return ret;
	if (json_unpack(
		    json, "{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s?I, s:I, s:I}",
		    "schema", &schema, "version", &version, "hotfix", &hotfix, "engine", &engine,
		    "phase", &phase, "file", &file, "srcversion", &srcversion, "build_id",
		    &build_id, "boot_id", &boot_id, "pid", &e->pid, "pid_start", &pid_start,
		    "pid_namespace", &pid_ns, "time", &time, "phase_time", &phase_time))
		goto out;
	if (strcmp(schema, "hotproof.journal") || version != VERSION)
		goto out;
	e->phase = HP_PHASE_DAMAGED;
	for (enum hp_journal_phase p = HP_PHASE_LOADING; p < HP_PHASE_DAMAGED; p++)
		if (!strcmp(phase, phase_names[p]))
			e->phase = p;
	if (e->phase == HP_PHASE_DAMAGED)
		goto out;
	if (copy(e->hotfix, sizeof(e->hotfix), hotfix) ||
	    copy(e->engine, sizeof(e->engine), engine) || copy(e->file, sizeof(e->file), file) ||
	    copy(e->srcversion, sizeof(e->srcversion), srcversion) ||
	    copy(e->build_id, sizeof(e->build_id), build_id) ||
	    copy(e->boot_id, sizeof(e->boot_id), boot_id))
		goto out;
	e->pid_start = (uint64_t)pid_start;
	e->pid_ns = (uint64_t)pid_ns;
	e->time = time;
	e->phase_time = phase_time;
	ret = 0;
out:
	json_decref(json);
	return ret;
}

static ssize_t read_small(const char *path, char *out, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

	out[n > 0 ? n : 0] = 0;
	out[strcspn(out, "\n")] = 0;
	return n;
}

uint64_t hp_process_start(int pid)
{
	char path[32], text[1024], state;
	const char *behind;
	uint64_t start;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_small(path, text, sizeof(text)) <= 0)
		return 0;
	/* pid (comm) state … starttime is the 22nd field; the comm may hold anything. */
	behind = strrchr(text, ')');
	if (!behind ||
	    sscanf(behind + 1,
		   " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%" SCNu64,
		   &state, &start) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : start;
}

static void read_boot_id(char *out, size_t size)
{
	read_small("/proc/sys/kernel/random/boot_id", out, size);
}

static uint64_t own_pid_ns(void)
{
	uint64_t device, inode;

	return hp_ns__pid(&device, &inode) ? inode : HP_NS_PID;
}

bool hp_journal_entry__sees_all(const struct hp_journal_entry *entry)
{
	uint64_t own = own_pid_ns();

	return own == HP_NS_PID || !entry->pid_ns || entry->pid_ns == own;
}

void hp_journal_entry__stamp(struct hp_journal_entry *entry, enum hp_journal_phase phase)
{
	entry->phase = phase;
	entry->phase_time = (int64_t)time(NULL);
	entry->pid = getpid();
	entry->pid_start = hp_process_start(entry->pid);
	/* Of two namespaces, neither sees what the other one did. */
	entry->pid_ns = entry->pid_ns && entry->pid_ns != own_pid_ns() ? HP_NS_PID : own_pid_ns();
	read_boot_id(entry->boot_id, sizeof(entry->boot_id));
}

bool hp_journal_entry__loader_alive(const struct hp_journal_entry *entry)
{
	return entry->pid > 0 && entry->pid_start &&
	       hp_process_start(entry->pid) == entry->pid_start;
}

bool hp_journal_entry__this_boot(const struct hp_journal_entry *entry)
{
	char boot_id[sizeof(entry->boot_id)];

	read_boot_id(boot_id, sizeof(boot_id));
	/* Without /proc nobody knows, and what may be there is not forgotten. */
	return !*boot_id || !strcmp(entry->boot_id, boot_id);
}
