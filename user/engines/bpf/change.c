// SPDX-License-Identifier: GPL-2.0
/* Links attached and pinned, and let go, by a child that outlives its parent. */
#include "engines/bpf/change.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/outlive.h"
#include "engines/bpf/pins.h"

#define FREED_NS   (5 * HP_NSEC_PER_SEC)
#define ATTEMPT_NS (20 * 1000)

/*
 * A link that only this process has, and which goes when it does. Not by libbpf, which would read the
 * target's BTF first, with nobody at the function. A link that was let go may be there a moment longer.
 */
static int attach(const struct hp_bpf_change *c, const struct hp_bpf_forward *forward,
		  uint64_t deadline, struct hp_error *err)
{
	const struct timespec attempt = { .tv_nsec = ATTEMPT_NS };
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .target_btf_id =
			    hp_bpf_program__function(c->program, forward->target)->type_id);
	int fd;

	for (;;) {
		fd = bpf_link_create(bpf_program__fd(forward->program), c->program->fd, 0, &opts);
		if (fd != -EBUSY || hp_now_ns() >= deadline)
			break;
		nanosleep(&attempt, NULL);
	}
	if (fd < 0)
		hp_fail_errno(err, fd == -EBUSY ? HP_E_BPF_HELD : HP_E_BPF_FUNCTION, fd,
			      "%s cannot be replaced", forward->target);
	return fd;
}

/* One function after the other, so that each is without a replacement for as short as can be. */
static int attach_all(struct hp_bpf_change *c, int *fds, struct hp_error *err)
{
	for (size_t i = 0; i < c->object->forward_count; i++) {
		const struct hp_bpf_forward *f = &c->object->forwards[i];
		uint64_t start = hp_now_ns(), gap;
		bool taken = hp_held_links__close_one(c->before, f->target);

		fds[i] = attach(c, f, taken ? start + FREED_NS : start, err);
		if (fds[i] < 0)
			return fds[i];
		gap = hp_now_ns() - start;
		if (taken && gap > c->gap_ns)
			c->gap_ns = gap;
	}
	return 0;
}

/* Is there room for the pins? With the programs, since there are no links yet. */
static int rehearse(const struct hp_bpf_change *c, const char *const *names, struct hp_error *err)
{
	size_t count = c->object->forward_count;
	_cleanup_free_ int *fds = calloc(count, sizeof(*fds));

	if (!fds)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		fds[i] = bpf_program__fd(c->object->forwards[i].program);
	return hp_link_pins__rehearse(c->object->name, names, fds, count, err);
}

/* All or none: the links are pinned at once. */
static int attach_and_pin(void *arg, struct hp_error *err)
{
	struct hp_bpf_change *c = arg;
	size_t count = c->object->forward_count;
	_cleanup_free_ const char **names = calloc(count, sizeof(*names));
	_cleanup_free_ int *fds = calloc(count, sizeof(*fds));
	struct hp_error stuck = { 0 };
	int ret = 0;

	if (!names || !fds)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		names[i] = c->object->forwards[i].target;
		fds[i] = -1;
	}
	if (c->before->count) {
		ret = rehearse(c, names, err);
		ret = ret ?: hp_held_links__unpin(c->before, err);
	}
	if (ret)
		return ret;
	ret = attach_all(c, fds, err);
	ret = ret ?: hp_link_pins__pin(c->object->name, names, fds, count, err);
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]); /* without the pin, detaches */
	if (ret && c->before->count && hp_held_links__put_back(c->before, &stuck) && err) {
		*err = stuck;
		return -EIO;
	}
	return ret;
}

struct removal {
	const char *hotfix;
	const struct hp_held_links *before;
};

static int let_go(void *arg, struct hp_error *err)
{
	const struct removal *r = arg;
	__cleanup(hp_held_links__close) struct hp_held_links held = { 0 };
	int ret = hp_held_links__open(&held, r->hotfix, err);

	ret = ret ?: hp_held_links__let_go(&held, err);
	if (!ret && r->before && r->before->count)
		ret = hp_held_links__put_back(r->before, err);
	return ret;
}

int hp_bpf_change__apply(struct hp_bpf_change *change, struct hp_error *err)
{
	struct hp_error killed = { 0 }, stuck = { 0 };
	int ret = hp_outlive(attach_and_pin, change, sizeof(*change), &killed);

	if (killed.reason == HP_E_KILLED &&
	    hp_bpf_change__revert(change->object->name, change->before, &stuck))
		killed = stuck;
	if (ret && err)
		*err = killed;
	return ret;
}

int hp_bpf_change__revert(const char *hotfix, const struct hp_held_links *before,
			  struct hp_error *err)
{
	struct removal removal = { .hotfix = hotfix, .before = before };
	struct hp_error why = { 0 };
	int ret = hp_outlive(let_go, &removal, sizeof(removal), &why);

	/* Each step sweeps what another one left: once more, it comes to its end. */
	if (why.reason == HP_E_KILLED) {
		why.reason = HP_E_NONE;
		ret = hp_outlive(let_go, &removal, sizeof(removal), &why);
	}
	if (ret && err)
		*err = why;
	return ret;
}
