// SPDX-License-Identifier: GPL-2.0
/* The links of a pinned hotfix taken in hand. */
#include "engines/bpf/held.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "engines/bpf/pins.h"

#define FREED_NS   (5 * HP_NSEC_PER_SEC)
#define ATTEMPT_NS (100 * 1000)

void hp_held_links__close(struct hp_held_links *held)
{
	for (size_t i = 0; i < held->count; i++) {
		if (held->links[i].program_fd >= 0)
			close(held->links[i].program_fd);
		if (held->links[i].target_fd >= 0)
			close(held->links[i].target_fd);
		if (held->links[i].link_fd >= 0)
			close(held->links[i].link_fd);
	}
	free(held->links);
	memset(held, 0, sizeof(*held));
}

/* False: it is gone meanwhile, or not a replacement's. */
static bool read_link(const struct hp_link_pin *pin, struct hp_held_link *out)
{
	_cleanup_close_ int fd = hp_link_pins__get(pin);
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || info.type != BPF_LINK_TYPE_TRACING)
		return false;
	*out = (struct hp_held_link){
		.link_id = info.id,
		.target_id = info.tracing.target_obj_id,
		.target_type_id = info.tracing.target_btf_id,
		.program_fd = bpf_prog_get_fd_by_id(info.prog_id),
		.target_fd = bpf_prog_get_fd_by_id(info.tracing.target_obj_id),
		.link_fd = -1,
	};
	memcpy(out->function, pin->function, sizeof(out->function));
	return true;
}

int hp_held_links__open(struct hp_held_links *out, const char *hotfix, struct hp_error *err)
{
	_cleanup_free_ struct hp_link_pin *pins = NULL;
	size_t count;
	int ret = hp_link_pins__list(&pins, &count, err);

	memset(out, 0, sizeof(*out));
	if (ret)
		return ret;
	snprintf(out->hotfix, sizeof(out->hotfix), "%s", hotfix);
	out->links = calloc(count + 1, sizeof(*out->links));
	if (!out->links)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		if (!strcmp(pins[i].hotfix, hotfix) && read_link(&pins[i], &out->links[out->count]))
			out->count++;
	return 0;
}

/* A link goes when the last one lets it go, which for a removed pin is after an RCU grace period. */
static bool is_gone(uint32_t link_id)
{
	int fd = bpf_link_get_fd_by_id(link_id);

	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static int wait_gone(const struct hp_held_links *held, uint64_t deadline, struct hp_error *err)
{
	const struct timespec attempt = { .tv_nsec = ATTEMPT_NS };

	for (size_t i = 0; i < held->count; i++) {
		while (!is_gone(held->links[i].link_id)) {
			if (hp_now_ns() >= deadline)
				return hp_fail(err, HP_E_BPF_HELD,
					       "somebody else has link %u of %s open: it stays",
					       held->links[i].link_id, held->hotfix);
			nanosleep(&attempt, NULL);
		}
	}
	return 0;
}

/* @ret, or worse, when they could not be put back. */
static int failed(const struct hp_held_links *held, int ret, struct hp_error *err)
{
	struct hp_error stuck = { 0 };

	if (!hp_held_links__put_back(held, &stuck) || !err)
		return ret;
	*err = stuck;
	return -EIO;
}

int hp_held_links__unpin(struct hp_held_links *held, struct hp_error *err)
{
	const struct timespec attempt = { .tv_nsec = ATTEMPT_NS };
	int ret;

	for (size_t i = 0; i < held->count; i++)
		held->links[i].link_fd = bpf_link_get_fd_by_id(held->links[i].link_id);
	ret = hp_link_pins__remove(held->hotfix, err);
	if (ret)
		return failed(held, ret, err);
	/* Until then the pins hold the links; behind it, what is open here does. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	nanosleep(&attempt, NULL);
	return 0;
}

bool hp_held_links__close_one(struct hp_held_links *held, const char *function)
{
	for (size_t i = 0; i < held->count; i++) {
		struct hp_held_link *link = &held->links[i];

		if (strcmp(link->function, function))
			continue;
		if (link->link_fd >= 0)
			close(link->link_fd);
		link->link_fd = -1;
		return true;
	}
	return false;
}

int hp_held_links__let_go(struct hp_held_links *held, struct hp_error *err)
{
	int ret = hp_held_links__unpin(held, err);

	if (ret)
		return ret;
	for (size_t i = 0; i < held->count; i++)
		hp_held_links__close_one(held, held->links[i].function);
	ret = wait_gone(held, hp_now_ns() + FREED_NS, err);
	return ret ? failed(held, ret, err) : 0;
}

/* One that somebody held all the time is still there. */
static int link_again(const struct hp_held_link *h, struct hp_error *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .target_btf_id = h->target_type_id);
	int fd = bpf_link_get_fd_by_id(h->link_id);

	if (fd < 0)
		fd = bpf_link_create(h->program_fd, h->target_fd, 0, &opts);
	return fd < 0 ? hp_fail_errno(err, HP_E_STUCK, fd, "%s cannot be put back", h->function)
		      : fd;
}

int hp_held_links__put_back(const struct hp_held_links *held, struct hp_error *err)
{
	_cleanup_free_ const char **names = calloc(held->count + 1, sizeof(*names));
	_cleanup_free_ int *fds = calloc(held->count + 1, sizeof(*fds));
	struct hp_error why = { 0 };
	size_t done = 0;
	int ret = 0;

	if (hp_link_pins__are_there(held->hotfix))
		return 0;
	if (!names || !fds)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (; done < held->count && !ret; done++) {
		fds[done] = link_again(&held->links[done], err);
		ret = fds[done] < 0 ? fds[done] : 0;
		names[done] = held->links[done].function;
	}
	if (!ret && hp_link_pins__pin(held->hotfix, names, fds, held->count, &why))
		ret = hp_fail(err, HP_E_STUCK,
			      "%s cannot be put back, and is not applied any more: %s",
			      held->hotfix, why.message);
	for (size_t i = 0; i < done; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return ret;
}
