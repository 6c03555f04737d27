// SPDX-License-Identifier: GPL-2.0
/* Taking functions over from an earlier hotfix. */
#include "engines/bpf/handover.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "engines/bpf/pins.h"

#define FREED_NS   (5 * HP_NSEC_PER_SEC)
#define ATTEMPT_NS (100 * 1000)

struct held {
	const struct hp_bpf_function *function;
	uint32_t link_id;
	int link_fd;
	int program_fd;
};

struct hp_handover {
	char hotfix[64];
	struct held *held;
	size_t count;
};

void hp_handover__close(struct hp_handover *h)
{
	for (size_t i = 0; i < h->count; i++) {
		if (h->held[i].link_fd >= 0)
			close(h->held[i].link_fd);
		if (h->held[i].program_fd >= 0)
			close(h->held[i].program_fd);
	}
	free(h->held);
	free(h);
}

const char *hp_handover__hotfix(const struct hp_handover *h)
{
	return h->hotfix;
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* A pin's link, if it replaces a function of @program. */
static bool read_pin(const struct hp_link_pin *pin, const struct hp_bpf_program *program,
		     struct held *out)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	*out = (struct held){ .link_fd = hp_link_pins__get(pin), .program_fd = -1 };
	out->function = hp_bpf_program__function(program, pin->function);
	if (out->link_fd < 0)
		return false;
	if (!out->function || bpf_obj_get_info_by_fd(out->link_fd, &info, &len) ||
	    info.type != BPF_LINK_TYPE_TRACING || info.tracing.target_obj_id != program->id ||
	    info.tracing.target_btf_id != out->function->type_id) {
		close(out->link_fd);
		return false;
	}
	out->link_id = info.id;
	out->program_fd = bpf_prog_get_fd_by_id(info.prog_id);
	return true;
}

static int add_pin(struct hp_handover *h, const struct hp_link_pin *pin, const struct held *held,
		   const char *const *functions, size_t count, struct hp_error *err)
{
	struct held *grown;

	if (!is_among(pin->function, functions, count))
		return hp_fail(err, HP_E_BPF_HELD,
			       "%s replaces %s too, which would run the original again: revert it "
			       "first, or replace that as well",
			       pin->hotfix, pin->function);
	grown = realloc(h->held, (h->count + 1) * sizeof(*grown));
	if (!grown)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	h->held = grown;
	h->held[h->count++] = *held;
	return 0;
}

/* All functions that the hotfix of @h holds. */
static int read_hotfix(struct hp_handover *h, const struct hp_link_pin *pins, size_t pin_count,
		       const struct hp_bpf_program *program, const char *const *functions,
		       size_t count, struct hp_error *err)
{
	int ret = 0;

	for (size_t i = 0; i < pin_count && !ret; i++) {
		struct held held;

		if (strcmp(pins[i].hotfix, h->hotfix) || !read_pin(&pins[i], program, &held))
			continue;
		ret = add_pin(h, &pins[i], &held, functions, count, err);
		if (ret) {
			close(held.link_fd);
			if (held.program_fd >= 0)
				close(held.program_fd);
		}
	}
	return ret;
}

/* Which hotfix holds one of @functions: one at most, or it is refused. */
static int find_hotfix(struct hp_handover *h, const struct hp_link_pin *pins, size_t pin_count,
		       const struct hp_bpf_program *program, const char *const *functions,
		       size_t count, struct hp_error *err)
{
	for (size_t i = 0; i < pin_count; i++) {
		struct held held;
		bool ours = is_among(pins[i].function, functions, count) &&
			    read_pin(&pins[i], program, &held);

		if (!ours)
			continue;
		close(held.link_fd);
		if (held.program_fd >= 0)
			close(held.program_fd);
		if (h->hotfix[0] && strcmp(h->hotfix, pins[i].hotfix))
			return hp_fail(err, HP_E_BPF_HELD,
				       "%s and %s hold these functions: revert one of them first",
				       h->hotfix, pins[i].hotfix);
		memcpy(h->hotfix, pins[i].hotfix, sizeof(h->hotfix));
	}
	return 0;
}

int hp_handover__open(struct hp_handover **out, const struct hp_bpf_program *program,
		      const char *const *functions, size_t count, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_handover__close) struct hp_handover *h = calloc(1, sizeof(*h));
	_cleanup_free_ struct hp_link_pin *pins = NULL;
	size_t pin_count;
	int ret;

	*out = NULL;
	if (!h)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = hp_link_pins__list(&pins, &pin_count, err);
	ret = ret ?: find_hotfix(h, pins, pin_count, program, functions, count, err);
	if (ret || !h->hotfix[0])
		return ret;
	ret = read_hotfix(h, pins, pin_count, program, functions, count, err);
	if (ret)
		return ret;
	*out = h;
	h = NULL;
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

int hp_handover__let_go(struct hp_handover *h, uint64_t *since, struct hp_error *err)
{
	const struct timespec attempt = { .tv_nsec = ATTEMPT_NS };
	int ret = hp_link_pins__remove(h->hotfix, err);

	*since = hp_now_ns();

	if (ret)
		return ret;
	/* Until then the pins hold the links; behind it, what is open here does. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	nanosleep(&attempt, NULL);
	*since = hp_now_ns();
	for (size_t i = 0; i < h->count; i++) {
		close(h->held[i].link_fd);
		h->held[i].link_fd = -1;
	}
	for (size_t i = 0; i < h->count; i++) {
		while (!is_gone(h->held[i].link_id)) {
			if (hp_now_ns() >= *since + FREED_NS)
				return hp_fail(err, HP_E_BPF_HELD,
					       "somebody else has link %u of %s open",
					       h->held[i].link_id, h->hotfix);
			nanosleep(&attempt, NULL);
		}
	}
	return 0;
}

int hp_handover__put_back(struct hp_handover *h, const struct hp_bpf_program *program,
			  struct hp_error *err)
{
	_cleanup_free_ const char **names = calloc(h->count, sizeof(*names));
	_cleanup_free_ int *fds = calloc(h->count, sizeof(*fds));
	int ret = 0;

	if (!names || !fds)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < h->count && !ret; i++) {
		LIBBPF_OPTS(bpf_link_create_opts, opts,
			    .target_btf_id = h->held[i].function->type_id);

		fds[i] = bpf_link_create(h->held[i].program_fd, program->fd, 0, &opts);
		if (fds[i] < 0)
			ret = hp_fail_errno(err, HP_E_STUCK, fds[i], "%s cannot be put back",
					    h->held[i].function->name);
		names[i] = h->held[i].function->name;
	}
	ret = ret ?: hp_link_pins__pin(h->hotfix, names, fds, h->count, err);
	for (size_t i = 0; i < h->count; i++)
		if (fds[i] > 0)
			close(fds[i]);
	return ret;
}
