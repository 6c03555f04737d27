// SPDX-License-Identifier: GPL-2.0
/* hotproof measure: what a call of a function costs, old code or new. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "engines/loaded.h"
#include "host/kallsyms.h"
#include "proof/cost.h"
#include "proof/redirects.h"
#include "verbs/begin.h"
#include "verbs/measure_parts.h"
#include "verbs/require.h"
#include "verbs/session.h"
#include "verbs/verbs.h"

/* Why a side has no numbers. */
#define OLD_IS_REPLACED                                                                   \
	"livepatched: its calls run the new code, and nothing is attached to its entry; " \
	"'apply --baseline' measures both, '--against' compares with an earlier run"
#define OLD_IS_FREPLACED                                                                          \
	"replaced: its calls run the new code, and nothing can be attached to its entry; 'apply " \
	"--baseline' measures both"
#define NEW_IS_NONE "no livepatch replaces it"

struct options {
	struct hp_proof_opts proof;
	const char *livepatch;
	const char *against; /* the report of an earlier run */
	uint64_t for_ns;
};

/*
 * "FUNCTION", or "OBJECT:FUNCTION" for one of a module; "FUNCTION,N" is the N-th of that name, as
 * in a livepatch's sympos.
 */
static int split_name(const char *operand, struct hp_target *out, struct hp_error *err)
{
	const char *colon = strchr(operand, ':');
	char *comma, *end;

	memset(out, 0, sizeof(*out));
	snprintf(out->object, sizeof(out->object), "%.*s",
		 colon ? (int)(colon - operand) : (int)strlen("vmlinux"),
		 colon ? operand : "vmlinux");
	snprintf(out->symbol, sizeof(out->symbol), "%s", colon ? colon + 1 : operand);
	comma = strchr(out->symbol, ',');
	if (!comma)
		return 0;
	*comma = '\0';
	errno = 0;
	out->sympos = comma[1] >= '1' && comma[1] <= '9' ? strtoull(comma + 1, &end, 10) : 0;
	if (!out->sympos || errno || *end)
		return hp_fail(err, HP_E_USAGE, "'%s' is no position, which is 1 or more, in '%s'",
			       comma + 1, operand);
	return 0;
}

/* The hotfix's target that takes the calls of @wanted, or NULL. */
static const struct hp_target *find_replaced(const struct hp_target *all, size_t count,
					     const struct hp_target *wanted, bool any_object,
					     const char *livepatch)
{
	for (size_t i = 0; i < count; i++) {
		const struct hp_target *t = &all[i];

		if (strcmp(t->symbol, wanted->symbol) || !t->patched)
			continue;
		if (wanted->sympos && wanted->sympos != (t->sympos ?: 1))
			continue;
		if (!any_object && strcmp(t->object, wanted->object))
			continue;
		if (livepatch ? !strcmp(t->hotfix, livepatch) : !t->superseded_by[0])
			return t;
	}
	return NULL;
}

static int find_targets(struct hp_session *session, const struct options *opts, char **names,
			size_t count, struct hp_target *targets, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_kallsyms__close) struct hp_kallsyms *symbols = NULL;
	_cleanup_free_ struct hp_target *all = NULL;
	size_t all_count;
	int ret = session->engine->discover(session->state, NULL, &all, &all_count, err);

	for (size_t i = 0; !ret && i < count; i++) {
		const struct hp_target *replaced;
		struct hp_error why = { 0 };

		ret = split_name(names[i], &targets[i], err);
		if (ret)
			return ret;
		replaced = find_replaced(all, all_count, &targets[i], !strchr(names[i], ':'),
					 opts->livepatch);
		if (replaced) {
			targets[i] = *replaced;
			continue;
		}
		if (opts->livepatch)
			return hp_fail(err, HP_E_NO_FUNCTION,
				       "no loaded livepatch '%s' replaces %s", opts->livepatch,
				       names[i]);
		/* Only the whole table tells whether a name is unique. */
		ret = symbols ? 0 : hp_kallsyms__open(&symbols, NULL, err);
		if (ret)
			return ret;
		ret = session->engine->resolve(session->state, symbols, &targets[i], 1, &why);
		if (!ret && !targets[i].old_addr)
			ret = -ENOENT;
		if (why.reason == HP_E_KLP_AMBIGUOUS)
			return hp_fail(err, HP_E_USAGE, "%s: name one by its position, as in %s,1",
				       why.message, names[i]);
		if (ret && why.reason && why.reason != HP_E_KLP_NO_SYMBOL) {
			*err = why;
			return ret;
		}
		if (ret)
			return hp_fail(err, HP_E_NO_FUNCTION, "%s has no function %s",
				       targets[i].object, targets[i].symbol);
	}
	return ret;
}

/* The earlier report must have the other side of each function: that is known before the window. */
static int read_earlier(const char *path, const struct hp_target *targets, size_t count,
			struct hp_measure_report *earlier, struct hp_error *err)
{
	int ret = hp_earlier__read(path, earlier, err);

	for (size_t i = 0; !ret && i < count; i++) {
		const struct hp_target *t = &targets[i];
		enum hp_measure_which other = t->patched ? HP_MEASURE_OLD : HP_MEASURE_NEW;
		const struct hp_measure_function *f =
			hp_measure_report__find(earlier, t->object, t->symbol, t->sympos);

		if (!f || !f->side[other].measured)
			ret = hp_earlier__fail(path, other, t->symbol, err);
	}
	return ret;
}

/* The code that takes the calls is timed: the replacement, or the function itself. */
static void arm(struct hp_session *session, struct hp_proof *proof, const struct hp_target *targets,
		size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct hp_point point;
		enum hp_point_role role =
			targets[i].patched ? HP_POINT_NEW_ENTRY : HP_POINT_OLD_ENTRY;

		if (!session->engine->point(&targets[i], role, &point))
			hp_watch__arm(hp_proof__watch(proof), i, &point, true);
	}
}

/* Was a function that had no livepatch given one meanwhile? Then some of its calls ran new code. */
static bool was_livepatched(const struct hp_target *target, const struct hp_target *all,
			    size_t count)
{
	for (size_t i = 0; !target->patched && i < count; i++)
		if (all[i].patched && all[i].old_addr == target->old_addr)
			return true;
	return false;
}

static const char *why_moved(struct hp_session *session, const struct hp_target *target,
			     const struct hp_target *all, size_t count)
{
	struct hp_target now = *target;
	const struct hp_target *found = NULL;

	if (was_livepatched(target, all, count))
		return "a livepatch took its calls while it was observed";
	if (!target->old_load && !target->new_load)
		return NULL; /* of vmlinux */
	if (target->patched)
		found = hp_redirects__find(all, count, target);
	else if (!session->engine->resolve(session->state, NULL, &now, 1, NULL))
		found = &now;
	return found ? hp_redirects__moved(target, found)
		     : "its module was unloaded while it was observed";
}

/*
 * What was timed of a module that was loaded again meanwhile is part of the calls, or none; and what
 * was timed at an entry that a livepatch took is of both codes.
 */
static int drop_moved(struct hp_session *session, const struct hp_target *targets,
		      struct hp_measure_report *report, struct hp_error *err)
{
	_cleanup_free_ struct hp_target *all = NULL;
	size_t count;
	int ret = session->engine->discover(session->state, NULL, &all, &count, err);

	for (size_t i = 0; !ret && i < report->function_count; i++) {
		struct hp_measure_side *side =
			&report->functions[i]
				 .side[targets[i].patched ? HP_MEASURE_NEW : HP_MEASURE_OLD];
		const char *moved = why_moved(session, &targets[i], all, count);

		if (!moved || !side->measured)
			continue;
		side->measured = false;
		snprintf(side->reason, sizeof(side->reason), "%s", moved);
	}
	return ret;
}

static void explain_sides(const struct hp_target *targets, struct hp_measure_report *report)
{
	for (size_t i = 0; i < report->function_count; i++) {
		bool patched = targets[i].patched;
		struct hp_measure_side *side =
			&report->functions[i].side[patched ? HP_MEASURE_OLD : HP_MEASURE_NEW];

		snprintf(side->reason, sizeof(side->reason), "%s",
			 !patched		  ? NEW_IS_NONE
			 : targets[i].old_program ? OLD_IS_FREPLACED
						  : OLD_IS_REPLACED);
	}
}

static int measure(const struct options *opts, char **names, size_t count,
		   struct hp_measure_report *report, struct hp_error *err)
{
	__cleanup(hp_session_close) struct hp_session session = { .engine = &hp_loaded_engine };
	_cleanup_free_ struct hp_target *targets = calloc(count + 1, sizeof(*targets));
	__cleanup(hp_cleanup_hp_proof__close) struct hp_proof *proof = NULL;
	__cleanup(hp_measure_report__free) struct hp_measure_report earlier = { 0 };
	struct hp_window window = {
		.state = HP_PM_ACTIVE,
		.for_ns = opts->for_ns,
		.exercise = opts->proof.exercise,
		.what = "measuring",
	};
	int ret;

	if (!targets)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = hp_require_ftrace(err);
	ret = ret ?: session.engine->open(&session.state, err);
	ret = ret ?: find_targets(&session, opts, names, count, targets, err);
	if (!ret && opts->against)
		ret = read_earlier(opts->against, targets, count, &earlier, err);
	ret = ret ?: hp_proof__open(&proof, targets, count, &opts->proof, err);
	if (ret)
		return ret;
	arm(&session, proof, targets, count);
	ret = hp_proof__window(proof, &window, err);
	ret = ret
		      ?: hp_cost__collect(proof, HP_MEASURE_OLD, HP_POINT_OLD_ENTRY, HP_PM_ACTIVE,
					  report, err);
	ret = ret
		      ?: hp_cost__collect(proof, HP_MEASURE_NEW, HP_POINT_NEW_ENTRY, HP_PM_ACTIVE,
					  report, err);
	if (ret)
		return ret;
	explain_sides(targets, report);
	ret = drop_moved(&session, targets, report, err);
	if (ret)
		return ret;
	ret = hp_cost__finish(proof, report, err);
	if (!ret && opts->against)
		ret = hp_earlier__compare(report, &earlier, opts->against, err);
	if (!ret && hp_proof__last_window(proof)->interrupted) {
		hp_warn("interrupted: this is what was seen until then");
		report->status = HP_EXIT_INTERNAL;
	}
	return ret;
}

HP_VERB(measure)
{
	struct options opts = { .proof = { .point = hp_loaded_engine.point, .time = true } };
	const struct hp_option options[] = {
		{ "livepatch", HP_OPT_STRING, &opts.livepatch, "NAME",
		  "the replacement of this livepatch (that which takes the calls)" },
		{ "for", HP_OPT_DURATION, &opts.for_ns, "TIME",
		  "measure so long (10s; with --exercise until it ends)" },
		{ "against", HP_OPT_STRING, &opts.against, "FILE",
		  "compare with the JSON report of an earlier run, made before or after the change" },
		{ "exercise", HP_OPT_STRING, &opts.proof.exercise, "CMD",
		  "run this workload meanwhile" },
		{ 0 },
	};
	struct hp_measure_report report = { 0 };
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 1, -1, "at least one function" };
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	if (!opts.for_ns && !opts.proof.exercise)
		opts.for_ns = HP_MEASURE_WINDOW_NS;
	hp_interrupt_catch();
	ret = measure(&opts, argv + first, (size_t)(argc - first), &report, &err);
	return hp_measure_finish(cmd, &globals, &report, ret, &err);
}
