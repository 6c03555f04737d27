// SPDX-License-Identifier: GPL-2.0
/* hotproof verify: prove that livepatches that are loaded already, by whomever, are live. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "engines/follow.h"
#include "engines/guard/pins.h"
#include "engines/loaded.h"
#include "proof/redirects.h"
#include "proof/sites.h"
#include "report/error.h"
#include "report/json.h"
#include "report/junit.h"
#include "verbs/begin.h"
#include "verbs/require.h"
#include "verbs/session.h"
#include "verbs/verbs.h"

#define DEFAULT_WINDOW_NS (10 * HP_NSEC_PER_SEC)

struct options {
	struct hp_proof_opts proof;
	uint64_t for_ns; /* 0: until the workload ends */
	bool until_exercised;
	const char *junit;
};

/* What is verified: the targets asked for, and those of later livepatches that supersede them. */
struct subject {
	struct hp_target *targets;
	bool *hidden;
	size_t count;
};

static void subject_free(struct subject *s)
{
	free(s->targets);
	free(s->hidden);
}

static bool is_named(const char *name, char **names, int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return true;
	return count == 0;
}

/* A livepatch that was named and is not loaded: a target of which nothing is known, absent. */
static void add_absent(struct subject *s, const char *name)
{
	struct hp_target *t = &s->targets[s->count++];

	memset(t, 0, sizeof(*t));
	snprintf(t->hotfix, sizeof(t->hotfix), "%s", name);
}

static int select_targets(const struct hp_engine *engine, struct hp_engine_state *state,
			  char **names, int count, struct subject *s, struct hp_error *err)
{
	struct hp_target *grown;
	int ret;

	ret = engine->discover(state, NULL, &s->targets, &s->count, err);
	if (ret)
		return ret;
	grown = realloc(s->targets, (s->count + (size_t)count + 1) * sizeof(*grown));
	if (grown)
		s->targets = grown;
	s->hidden = calloc(s->count + (size_t)count + 1, sizeof(*s->hidden));
	if (!grown || !s->hidden)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < s->count; i++)
		s->hidden[i] = !is_named(s->targets[i].hotfix, names, count);
	for (int i = 0; i < count; i++) {
		bool found = false;

		for (size_t j = 0; j < s->count; j++)
			found |= !strcmp(s->targets[j].hotfix, names[i]);
		if (!found)
			add_absent(s, names[i]);
	}
	return 0;
}

/* Only what is asked for and what supersedes it is watched: the rest costs its callers time. */
static void drop_unrelated(struct subject *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++) {
		bool related = !s->hidden[i];

		for (size_t j = 0; j < i && !related; j++)
			related = s->targets[j].old_addr == s->targets[i].old_addr && !s->hidden[j];
		if (!related)
			continue;
		s->targets[kept] = s->targets[i];
		s->hidden[kept++] = s->hidden[i];
	}
	s->count = kept;
}

/*
 * Until a transition is complete, calls of the old code are as they should be: they are counted
 * apart from those of the window. It is followed for as long as the window may last.
 */
static int wait_for_transition(struct hp_session *session, struct hp_proof *proof,
			       const struct subject *s, const struct hp_window *window,
			       struct hp_error *err)
{
	uint64_t deadline = hp_now_ns() + (window->for_ns ?: DEFAULT_WINDOW_NS);

	for (size_t i = 0; i < s->count; i++) {
		struct hp_progress last = { 0 };
		int ret;

		if (s->targets[i].superseded_by[0] || s->hidden[i])
			hp_proof__set_optional(proof, i);
		if (!s->targets[i].transition)
			continue;
		hp_proof__set_state(proof, HP_PM_ACTIVATING);
		ret = hp_follow(session->engine, session->state, s->targets[i].hotfix,
				"waiting for the transition", deadline, true, &last, err);
		hp_progress_free(&last);
		if (ret < 0)
			return ret;
		if (ret != HP_FOLLOW_COMPLETE)
			hp_proof__set_incomplete(proof);
	}
	return 0;
}

/* Is there any code whose calls could be seen? Not of livepatches that are not loaded. */
static bool is_observable(const struct subject *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->targets[i].old_addr || s->targets[i].new_addr)
			return true;
	return false;
}

/* A dead ftrace is no reason to refuse: that the livepatches are broken is what verify is to find. */
static int require_ftrace(struct hp_error *err)
{
	struct hp_error why = { 0 };
	int ret = hp_require_ftrace(&why);

	if (!ret || why.reason == HP_E_FTRACE_DOWN)
		return 0;
	*err = why;
	return ret;
}

/* All that are loaded are verified, but for guards. */
static void tell_of_guards(void)
{
	_cleanup_free_ hp_guard_name *names = NULL;
	size_t count = 0;

	if (!hp_pins__list(&names, &count, NULL) && count)
		hp_warn("guards are verified by name, such as %s", names[0]);
}

/* @cut says so when the window was cut short. */
static int verify(const struct options *opts, char **names, int count,
		  struct hp_verify_report *report, struct hp_error *cut, struct hp_error *err)
{
	__cleanup(hp_session_close) struct hp_session session = { .engine = &hp_loaded_engine };
	__cleanup(subject_free) struct subject s = { 0 };
	__cleanup(hp_cleanup_hp_sites__close) struct hp_sites *sites = NULL;
	__cleanup(hp_cleanup_hp_proof__close) struct hp_proof *proof = NULL;
	struct hp_window window = {
		.state = HP_PM_ACTIVE,
		.role = HP_POINT_NEW_ENTRY,
		.for_ns = opts->for_ns,
		.exercise = opts->proof.exercise,
		.until_exercised = opts->until_exercised,
		.min_calls = opts->proof.min_calls,
		.what = "verifying",
	};
	int ret;

	if (!count)
		tell_of_guards();
	ret = require_ftrace(err);
	ret = ret ?: session.engine->open(&session.state, err);
	ret = ret ?: select_targets(session.engine, session.state, names, count, &s, err);
	if (ret)
		return ret;
	drop_unrelated(&s);
	ret = hp_proof__open(&proof, s.targets, s.count, &opts->proof, err);
	if (ret)
		return ret;
	if (!hp_sites__start(&sites))
		hp_proof__find_sites(proof, sites);
	hp_proof__arm(proof, HP_POINT_OLD_BODY, (struct hp_arm_opts){ 0 });
	hp_proof__arm(proof, HP_POINT_NEW_ENTRY, (struct hp_arm_opts){ 0 });
	ret = wait_for_transition(&session, proof, &s, &window, err);
	/* With nothing to watch there is nothing to wait for, but a workload is run as asked. */
	if (!ret && (is_observable(&s) || opts->proof.exercise))
		ret = hp_proof__window(proof, &window, err);
	if (!ret)
		ret = hp_redirects__decide(session.engine, session.state, proof, HP_PM_ACTIVE,
					   s.targets, s.count, s.hidden, report, err);
	/* A workload that failed did not exercise what it was to exercise. */
	if (!ret && report->exercise.command && report->exercise.status > 0) {
		hp_warn("the workload failed with status %d", report->exercise.status);
		if (report->status == HP_EXIT_OK)
			report->status = HP_EXIT_VERIFY;
	}
	/* What was seen until then is worth reading, but it is not what was asked for. */
	if (!ret && hp_proof__last_window(proof)->interrupted) {
		hp_fail(cut, HP_E_INTERRUPTED, "interrupted: this is what was seen until then");
		hp_warn("%s", cut->message);
		report->status = hp_reason_exit(cut->reason);
	}
	return ret;
}

HP_VERB(verify)
{
	struct options opts = {
		.proof = { .point = hp_loaded_engine.point, .callers = true },
	};
	const struct hp_option options[] = {
		{ "for", HP_OPT_DURATION, &opts.for_ns, "TIME",
		  "observe so long (10s; with --exercise until it ends)" },
		{ "until-exercised", HP_OPT_FLAG, &opts.until_exercised, NULL,
		  "end as soon as every target has been called" },
		{ "exercise", HP_OPT_STRING, &opts.proof.exercise, "CMD",
		  "run this workload, and tell its calls from all others" },
		{ "min-calls", HP_OPT_UINT, &opts.proof.min_calls, "N",
		  "a target with fewer redirected calls is not live (1)" },
		{ "min-coverage", HP_OPT_PERCENT, &opts.proof.min_coverage, "PCT",
		  "a target with fewer of its call sites redirected is not live (0)" },
		{ "junit", HP_OPT_STRING, &opts.junit, "FILE", "write a JUnit report too" },
		{ 0 },
	};
	struct hp_globals globals = { 0 };
	struct hp_verify_report report = { 0 };
	struct hp_error err = { 0 }, cut = { 0 };
	const struct hp_operands wanted = { 0, -1, NULL };
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	if (!opts.for_ns && !opts.proof.exercise)
		opts.for_ns = DEFAULT_WINDOW_NS;
	hp_interrupt_catch();
	ret = verify(&opts, argv + first, argc - first, &report, &cut, &err);
	if (!ret && (globals.json ? hp_json_print(hp_verify_report__json(&report))
				  : hp_verify_report__print(&report, stdout, globals.color,
							    globals.verbosity)))
		ret = hp_fail(&err, HP_E_OUTPUT, "the report cannot be written");
	/* What an earlier run wrote there must not stand for this one. */
	if (opts.junit && hp_junit__write(&report, ret ? &err : &cut, opts.junit, &err))
		ret = -EIO;
	if (ret)
		status = hp_report_error(&globals, cmd->name, &err);
	else
		status = report.status;
	hp_verify_report__free(&report);
	return status;
}
