// SPDX-License-Identifier: GPL-2.0
/* What the verbs for guards share: rows, taking one away, the report at the end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "report/error.h"
#include "report/json.h"
#include "verbs/guard.h"
#include "verbs/session.h"

/* The kernel frees a link a moment after its last pin is gone. */
#define DETACH_POLLS	200
#define DETACH_PAUSE_NS (10 * HP_NSEC_PER_MSEC)

bool hp_guard__is_asked(int argc, char **argv)
{
	_cleanup_free_ hp_guard_name *names = NULL;
	size_t count = 0;

	if (argc < 2 || hp_pins__list(&names, &count, NULL))
		return false;
	for (int i = 1; i < argc; i++)
		for (size_t j = 0; j < count; j++)
			if (!strcmp(argv[i], names[j]))
				return true;
	return false;
}

struct hp_guard_row *hp_guard_report_add(struct hp_guard_report *report)
{
	struct hp_guard_row *grown =
		realloc(report->rows, (report->count + 1) * sizeof(*report->rows));

	if (!grown)
		return NULL;
	report->rows = grown;
	memset(&grown[report->count], 0, sizeof(*grown));
	return &grown[report->count++];
}

int hp_guard_report_all(struct hp_guard_report *report, struct hp_error *err)
{
	_cleanup_free_ hp_guard_name *names = NULL;
	size_t count = 0;
	int ret = hp_pins__list(&names, &count, err);

	for (size_t i = 0; !ret && i < count; i++) {
		struct hp_error gone = { 0 };
		struct hp_guard_row *row = hp_guard_report_add(report);

		if (!row)
			return hp_fail(err, HP_E_NOMEM, "out of memory");
		if (!hp_guard_view__read(&row->view, names[i], &gone))
			continue;
		report->count--;
		/* Taken away since it was listed. */
		if (gone.reason != HP_E_GUARD_NONE) {
			*err = gone;
			return -EIO;
		}
	}
	return ret;
}

/* The id of the guard's link, 0 when it has none. */
static uint32_t link_of(const char *name)
{
	_cleanup_close_ int fd = hp_pins__get(name, HP_PIN_LINK);
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return 0;
	return info.id;
}

static bool is_detached(uint32_t link)
{
	const struct timespec pause = { .tv_nsec = DETACH_PAUSE_NS };

	for (int i = 0; link && i < DETACH_POLLS; i++) {
		int fd = bpf_link_get_fd_by_id(link);

		if (fd < 0)
			return errno == ENOENT;
		close(fd);
		nanosleep(&pause, NULL);
	}
	return !link;
}

int hp_guard_take_away(const char *name, uint64_t deadline, struct hp_guard_report *report,
		       struct hp_error *err)
{
	__cleanup(hp_session_close) struct hp_session session = { .engine = &hp_guard_engine };
	struct hp_guard_row *row = hp_guard_report_add(report);
	enum hp_guard_status status;
	uint64_t start = hp_now_ns();
	uint32_t link;
	int ret = session.engine->open(&session.state, err);

	if (!row)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = ret ?: hp_guard_view__read(&row->view, name, err);
	status = row->view.status;
	ret = ret ?: session.engine->revert(session.state, name, deadline, err);
	/* Off by now: these are its last counts. */
	ret = ret ?: hp_guard_view__read(&row->view, name, err);
	if (ret)
		return ret;
	row->view.status = status;
	link = link_of(name);
	ret = session.engine->finish(session.state, name, deadline, err);
	if (ret)
		return ret;
	report->removed = true;
	report->detached = is_detached(link);
	report->changed = true;
	report->times = *hp_guard_engine__times(session.state);
	report->total_ns = hp_now_ns() - start;
	return 0;
}

int hp_guard_report_change(struct hp_guard_report *report, const struct hp_engine_state *state,
			   const char *name, uint64_t start, struct hp_error *err)
{
	struct hp_guard_row *row = hp_guard_report_add(report);
	struct hp_error why = { 0 };
	int ret;

	report->changed = true;
	report->total_ns = hp_now_ns() - start;
	report->times = *hp_guard_engine__times(state);
	report->way_back_hits = hp_guard_engine__way_back_hits(state);
	if (!row)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = hp_guard_view__read(&row->view, name, &why);
	if (!ret)
		return 0;
	if (!report->way_back_hits) {
		*err = why;
		return ret;
	}
	/* With --force: it refuses us already what it takes to read it. */
	snprintf(row->view.name, sizeof(row->view.name), "%s", name);
	row->view.status = HP_GUARD_IS_ENFORCING;
	row->view.read_back.redirect = HP_REDIRECT_UNKNOWN;
	snprintf(row->view.read_back.reason, sizeof(row->view.read_back.reason), "%.150s",
		 why.message);
	return 0;
}

int hp_guard_add(struct hp_session *session, const struct hp_guard_hotfix *g, uint64_t start,
		 struct hp_guard_report *report, struct hp_error *err)
{
	int ret = session->engine->open(&session->state, err);

	ret = ret ?: session->engine->prepare(session->state, &g->hotfix, err);
	if (!ret && hp_interrupted())
		ret = hp_fail(err, HP_E_INTERRUPTED, "interrupted");
	ret = ret ?: session->engine->activate(session->state, &g->hotfix, err);
	return ret ?: hp_guard_report_change(report, session->state, g->hotfix.name, start, err);
}

void hp_guard_report_proved(struct hp_guard_row *row, int *status)
{
	row->proved = true;
	if (row->verdict.verdict != HP_VERDICT_LIVE)
		*status = HP_EXIT_VERIFY;
	if (row->window.exercise_status > 0) {
		hp_warn("the workload failed with status %d", row->window.exercise_status);
		*status = HP_EXIT_VERIFY;
	}
	if (row->window.interrupted) {
		hp_warn("interrupted: this is what was seen until then");
		*status = HP_EXIT_INTERNAL;
	}
}

void hp_guard_report_name_sites(struct hp_guard_report *report)
{
	__cleanup(hp_cleanup_hp_kallsyms__close) struct hp_kallsyms *symbols = NULL;
	struct hp_error why = { 0 };
	bool any = false;

	for (size_t i = 0; i < report->count; i++)
		any |= report->rows[i].view.site_count > 0;
	if (!any)
		return;
	if (hp_kallsyms__open(&symbols, NULL, &why)) {
		hp_debug("call sites without names: %s", why.message);
		return;
	}
	for (size_t i = 0; i < report->count; i++)
		hp_guard_view__name_sites(&report->rows[i].view, symbols);
}

int hp_guard_finish(struct hp_guard_report *report, const struct hp_globals *globals,
		    const char *verb, int status, int ret, struct hp_error *err)
{
	/* Reading the kernel's symbols takes a moment: only for who sees them. */
	if (!ret && (globals->json || globals->verbosity))
		hp_guard_report_name_sites(report);
	if (!ret && globals->json) {
		json_t *json = hp_guard_report__json(report);

		ret = json ? hp_json_print(json) : -ENOMEM;
	} else if (!ret) {
		ret = hp_guard_report__print(report, stdout, globals->color, globals->verbosity);
	}
	hp_guard_report__free(report);
	if (!ret)
		return status;
	hp_fail_errno(err, HP_E_INTERNAL, ret, "cannot report");
	return hp_report_error(globals, verb, err);
}
