// SPDX-License-Identifier: GPL-2.0
/* One pass of the task iterator: records in, struct hp_progress out. */
#include "engines/klp/tasks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "hotproof/klp_records.h"
#include "bpf/klp_tasks.lskel.h"

#define PF_KTHREAD 0x00200000

/* The kernel's task_state_index() over the letters of /proc/PID/stat, fs/proc/array.c. */
static char state_letter(const struct hp_task_record *r)
{
	static const char letters[] = "RSDTtXZP";
	unsigned int bits = (r->state | (unsigned int)r->exit_state) & 0x7f;

	if (r->state == 0x402) /* TASK_IDLE */
		return 'I';
	if (!bits)
		return 'R';
	return letters[32 - __builtin_clz(bits)];
}

struct stream {
	char *data;
	size_t len;
	size_t room;
};

static void stream_free(struct stream *stream)
{
	free(stream->data);
}

static int read_all(int fd, struct stream *s)
{
	for (;;) {
		ssize_t n;

		if (s->room - s->len < 65536) {
			size_t room = s->room ? s->room * 2 : 65536 * 2;
			char *grown = realloc(s->data, room);

			if (!grown)
				return -ENOMEM;
			s->data = grown;
			s->room = room;
		}
		n = read(fd, s->data + s->len, s->room - s->len);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0)
			s->len += (size_t)n;
	}
}

static int add_blocker(struct hp_progress *out, const struct hp_task_record *r, const char *stack)
{
	struct hp_blocker *b = hp_progress_add(out);

	if (!b)
		return -ENOMEM;
	b->pid = r->pid;
	b->tgid = r->tgid;
	b->kthread = r->flags & PF_KTHREAD;
	b->state = state_letter(r);
	memcpy(b->comm, r->comm, sizeof(b->comm));
	if (stack) {
		b->stack = strdup(stack);
		if (!b->stack)
			return -ENOMEM;
	}
	return 0;
}

/* -EPROTO: the stream ends before its last record. */
static int parse(const struct stream *s, struct hp_progress *out)
{
	struct hp_task_record r;
	size_t at = 0;

	while (s->len - at >= sizeof(r)) {
		const char *stack = NULL;
		int ret;

		memcpy(&r, s->data + at, sizeof(r));
		at += sizeof(r);
		if (r.end) {
			out->switched = r.switched;
			out->total = r.total;
			return 0;
		}
		if (r.has_stack) {
			size_t len = strnlen(s->data + at, s->len - at);

			if (len == s->len - at)
				return -EPROTO;
			stack = s->data + at;
			at += len + 1;
		}
		ret = add_blocker(out, &r, stack);
		if (ret)
			return ret;
	}
	return -EPROTO;
}

void hp_klp_tasks__close(struct klp_tasks_bpf *tasks)
{
	klp_tasks_bpf__destroy(tasks);
}

static int load(struct hp_klp_reader *reader)
{
	int cpus = libbpf_num_possible_cpus();
	int ret;

	reader->tasks = klp_tasks_bpf__open();
	if (!reader->tasks)
		return -ENOMEM;
	if (cpus > 0)
		reader->tasks->rodata->possible_cpus = (unsigned int)cpus;
	ret = klp_tasks_bpf__load(reader->tasks);
	if (!ret) {
		int fd = bpf_link_create(reader->tasks->progs.hp_klp_tasks.prog_fd, 0,
					 BPF_TRACE_ITER, NULL);

		if (fd >= 0)
			reader->tasks->links.hp_klp_tasks_fd = fd; /* closed by destroy */
		else
			ret = fd;
	}
	if (ret) {
		klp_tasks_bpf__destroy(reader->tasks);
		reader->tasks = NULL;
	}
	return ret;
}

static int iterate(struct hp_klp_reader *reader, int wanted, bool stacks, struct hp_progress *out)
{
	__cleanup(stream_free) struct stream s = { 0 };
	_cleanup_close_ int fd = -1;
	int ret;

	reader->tasks->bss->wanted_state = wanted;
	reader->tasks->bss->want_stacks = stacks;
	fd = bpf_iter_create(reader->tasks->links.hp_klp_tasks_fd);
	if (fd < 0)
		return fd;
	ret = read_all(fd, &s);
	return ret ?: parse(&s, out);
}

int hp_klp_tasks__read(struct hp_klp_reader *reader, int wanted, bool stacks,
		       struct hp_progress *out, struct hp_error *err)
{
	int ret = 0;

	memset(out, 0, sizeof(*out));
	if (reader && !reader->tasks && !reader->tasks_refused) {
		ret = load(reader);
		reader->tasks_refused = ret;
	}
	if (!ret && reader && reader->tasks)
		ret = iterate(reader, wanted, stacks, out);
	if (ret == -ENOMEM) {
		hp_progress_free(out);
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	if (ret)
		/* Some lockdowns and LSMs take iterators away and leave syscall programs. */
		hp_info("no task iterator here (%s): reading /proc instead", strerror(-ret));
	if (ret || !reader || !reader->tasks) {
		hp_progress_free(out);
		return hp_klp_tasks__read_proc(NULL, wanted, stacks, out, err);
	}
	out->complete = out->switched == out->total;
	return 0;
}
