// SPDX-License-Identifier: GPL-2.0
/* A proof: from targets to verdicts. */
#include "proof/proof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proof/program_runs.h"
#include "proof/sites.h"

struct hp_proof {
	const struct hp_target *targets;
	size_t count;
	struct hp_proof_opts opts;
	struct hp_watch *watch;
	struct hp_sites *sites;		/* NULL: not asked for */
	struct hp_window_result window; /* the last one */
	bool incomplete;		/* it began in a transition */
	uint64_t *program_runs;		/* in it, of each target's program; owned */
};

int hp_proof__open(struct hp_proof **out, const struct hp_target *targets, size_t count,
		   const struct hp_proof_opts *opts, struct hp_error *err)
{
	struct hp_observer_opts observer = {
		.targets = count,
		.callers = opts->callers,
		.time = opts->time,
		.scope = opts->exercise != NULL,
	};
	struct hp_proof *proof = calloc(1, sizeof(*proof));
	int ret;

	if (!proof)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	proof->targets = targets;
	proof->count = count;
	proof->opts = *opts;
	proof->program_runs = calloc(count + 1, sizeof(*proof->program_runs));
	ret = proof->program_runs ? 0 : hp_fail(err, HP_E_NOMEM, "out of memory");
	ret = ret ?: hp_watch__open(&proof->watch, &observer, err);
	if (ret) {
		free(proof->program_runs);
		free(proof);
		return ret;
	}
	*out = proof;
	return 0;
}

void hp_proof__close(struct hp_proof *proof)
{
	hp_watch__close(proof->watch);
	free(proof->program_runs);
	free(proof);
}

void hp_proof__find_sites(struct hp_proof *proof, struct hp_sites *sites)
{
	bool wanted = false;
	int ret;

	/* Callers in the kernel: those of BPF programs are in no image. */
	for (size_t i = 0; i < proof->count; i++)
		wanted |= !proof->targets[i].exclusive;
	if (!wanted)
		return;
	ret = hp_sites__search(sites, proof->targets, proof->count);
	if (ret)
		hp_warn("call sites cannot be looked for: %s", strerror(-ret));
	else
		proof->sites = sites;
}

struct hp_watch *hp_proof__watch(struct hp_proof *proof)
{
	return proof->watch;
}

size_t hp_proof__count(const struct hp_proof *proof)
{
	return proof->count;
}

const struct hp_target *hp_proof__target(const struct hp_proof *proof, size_t i)
{
	return &proof->targets[i];
}

const char *hp_proof__exercise(const struct hp_proof *proof)
{
	return proof->opts.exercise;
}

/* An earlier target with the same old body: its probe there sees the calls of both. */
static bool shares_old_body(const struct hp_proof *proof, size_t i, size_t *with)
{
	for (*with = 0; *with < i && proof->targets[i].old_addr; (*with)++)
		if (proof->targets[*with].old_addr == proof->targets[i].old_addr)
			return true;
	*with = i;
	return false;
}

void hp_proof__arm(struct hp_proof *proof, enum hp_point_role role, struct hp_arm_opts opts)
{
	for (size_t i = 0; i < proof->count; i++) {
		struct hp_point point = { 0 };
		size_t with;

		hp_progress("attaching: %zu of %zu targets", i, proof->count);
		if (role != HP_POINT_NEW_ENTRY && shares_old_body(proof, i, &with))
			continue;
		if (proof->opts.point(&proof->targets[i], role, &point))
			continue;
		if (opts.no_trampoline)
			point.trampoline = false;
		hp_watch__arm(proof->watch, i, &point, opts.time);
	}
	hp_progress_end();
}

void hp_proof__disarm(struct hp_proof *proof, enum hp_point_role role)
{
	for (size_t i = 0; i < proof->count; i++) {
		hp_progress("detaching: %zu of %zu targets", i, proof->count);
		hp_watch__disarm(proof->watch, i, role);
	}
	hp_progress_end();
}

int hp_proof__window(struct hp_proof *proof, const struct hp_window *window, struct hp_error *err)
{
	int counting = hp_program_runs__begin(proof->targets, proof->count, proof->program_runs);
	int ret = hp_watch__run(proof->watch, window, &proof->window, err);

	hp_program_runs__end(counting, proof->targets, proof->count, proof->program_runs);
	return ret;
}

void hp_proof__set_state(struct hp_proof *proof, enum hp_pm_state state)
{
	hp_observer__set_state_all(hp_watch__observer(proof->watch), state);
}

void hp_proof__set_optional(struct hp_proof *proof, size_t i)
{
	hp_watch__set_optional(proof->watch, i);
}

void hp_proof__set_incomplete(struct hp_proof *proof)
{
	proof->incomplete = true;
}

const struct hp_window_result *hp_proof__last_window(const struct hp_proof *proof)
{
	return &proof->window;
}

static void describe_point(struct hp_verify_point *out, const struct hp_watch_point *in)
{
	if (in->armed)
		out->method = hp_method_name(in->method);
	snprintf(out->symbol, sizeof(out->symbol), "%s", in->point.symbol);
	out->offset = in->point.offset;
	out->at_most = in->point.at_most;
	out->misses = in->armed ? in->counts.misses : HP_COUNT_UNKNOWN;
	if (!in->armed)
		snprintf(out->reason, sizeof(out->reason), "%.*s", (int)sizeof(out->reason) - 1,
			 in->obstacle.message);
}

/* Why the calls of a target cannot be told, or NULL when they can. */
static const char *obstacle(const struct hp_target *target,
			    const struct hp_redirect_state *redirect,
			    const struct hp_watch_point *redirected,
			    const struct hp_watch_point *stale)
{
	if (!redirected->armed)
		return redirected->obstacle.reason ? redirected->obstacle.message
						   : "the replacement has no observation point";
	if (redirected->counts.foreign)
		return "another function of the replacement's name was observed in its place";
	/* Where no call can be stale, the redirect itself is what must have been there. */
	if (target->exclusive)
		return redirect->read_back.redirect == HP_REDIRECT_UNKNOWN ||
				       redirect->read_back.bypassed
			       ? redirect->read_back.reason
			       : NULL;
	if (!stale->armed)
		return stale->obstacle.reason ? stale->obstacle.message
					      : "the old body has no observation point";
	return NULL;
}

/* What stands switched off at a point has counted nothing, which is not the same as 0. */
static void discard_kprobe(struct hp_watch_point *point)
{
	if (!point->armed || !hp_method_is_kprobe(point->method))
		return;
	point->armed = false;
	hp_fail(&point->obstacle, HP_E_ATTACH,
		"the kprobe that was placed is not there: kprobes are switched off "
		"(/sys/kernel/debug/kprobes/enabled)");
}

/* The target that took over from @i, or @count. */
static size_t superseding(const struct hp_proof *proof, size_t i)
{
	const struct hp_target *t = &proof->targets[i];
	size_t j;

	for (j = 0; j < proof->count; j++)
		if (t->superseded_by[0] && !strcmp(proof->targets[j].hotfix, t->superseded_by) &&
		    proof->targets[j].old_addr == t->old_addr)
			break;
	return j;
}

static bool counts_misses(const struct hp_watch_point *point)
{
	return point->armed && point->counts.misses != HP_COUNT_UNKNOWN;
}

static uint64_t known_misses(const struct hp_watch_point *point)
{
	return counts_misses(point) ? point->counts.misses : 0;
}

static void fill_target(const struct hp_proof *proof, size_t i, const struct hp_watch_result *seen,
			const struct hp_watch_point *old_body,
			const struct hp_redirect_state *redirect, struct hp_verify_target *out)
{
	const struct hp_watch_point *redirected = &seen->point[HP_POINT_NEW_ENTRY];

	out->target = proof->targets[i];
	out->read_back = redirect->read_back;
	out->switched = redirect->switched;
	out->total = redirect->total;
	describe_point(&out->point[HP_POINT_OLD_ENTRY], &seen->point[HP_POINT_OLD_ENTRY]);
	describe_point(&out->point[HP_POINT_NEW_ENTRY], redirected);
	describe_point(&out->point[HP_POINT_OLD_BODY], old_body);

	out->redirected = redirected->armed ? redirected->counts.calls : HP_COUNT_UNKNOWN;
	out->stale = old_body->armed ? old_body->counts.calls : HP_COUNT_UNKNOWN;
	out->calls = HP_COUNT_UNKNOWN;
	if (redirected->armed && old_body->armed && !(out->stale && old_body->point.at_most))
		out->calls = out->redirected + out->stale;
	if (out->target.exclusive)
		out->calls = out->redirected;
	out->scoped = HP_COUNT_UNKNOWN;
	if (proof->opts.exercise && redirected->armed)
		out->scoped = redirected->counts.scoped + old_body->counts.scoped;
	out->program_runs = proof->program_runs[i];
	out->misses = HP_COUNT_UNKNOWN;
	if (counts_misses(redirected) && counts_misses(old_body))
		out->misses = redirected->counts.misses + old_body->counts.misses;
}

static void decide_target(const struct hp_proof *proof, size_t i,
			  const struct hp_watch_result *seen, const struct hp_watch_point *old_body,
			  const struct hp_redirect_state *redirect, enum hp_verdict successor,
			  struct hp_verify_target *out)
{
	const struct hp_watch_point *redirected = &seen->point[HP_POINT_NEW_ENTRY];
	struct hp_site_totals sites = hp_call_sites__totals(&out->call_sites);
	const char *why_not =
		redirect->moved ?: obstacle(&proof->targets[i], redirect, redirected, old_body);
	struct hp_evidence evidence = {
		.registered = redirect->registered,
		.redirect = redirect->read_back.redirect,
		.redirect_reason = redirect->read_back.reason,
		.transition = redirect->transition,
		.began_in_transition = proof->incomplete,
		.switched = redirect->switched,
		.total = redirect->total,
		.observed = !why_not,
		.obstacle = why_not,
		.redirected = redirected->counts.calls,
		.stale = old_body->counts.calls,
		.misses = known_misses(redirected) + known_misses(old_body),
		.stale_at_most = old_body->point.at_most,
		.stale_misses = known_misses(old_body),
		.misses_unknown = out->misses == HP_COUNT_UNKNOWN,
		.min_calls = proof->opts.min_calls,
		.min_coverage = proof->opts.min_coverage,
		.sites_obstacle = out->call_sites.known ? NULL : out->call_sites.reason,
		.sites_known = out->call_sites.known ? sites.countable : 0,
		.sites_redirected = sites.redirected,
		.superseded_by = proof->targets[i].superseded_by,
		.superseding = successor,
	};

	out->verdict = hp_verdict__decide(&evidence, out->reason, sizeof(out->reason));
}

/* Nobody knows how often a target was called that was not seen; one that is not there, never. */
static void add_scoped(struct hp_exercise_result *exercise, const struct hp_verify_target *t)
{
	if (t->scoped == HP_COUNT_UNKNOWN && t->target.new_addr)
		exercise->calls = HP_COUNT_UNKNOWN;
	else if (t->scoped != HP_COUNT_UNKNOWN && exercise->calls != HP_COUNT_UNKNOWN)
		exercise->calls += t->scoped;
}

int hp_proof__decide(struct hp_proof *proof, enum hp_pm_state state,
		     const struct hp_redirect_state *redirects, const bool *hidden,
		     struct hp_verify_report *report, struct hp_error *err)
{
	_cleanup_free_ struct hp_watch_result *seen = calloc(proof->count + 1, sizeof(*seen));
	_cleanup_free_ struct hp_verify_target *all = calloc(proof->count + 1, sizeof(*all));
	struct hp_verify_report unshown = { 0 };
	int ret = 0;

	memset(report, 0, sizeof(*report));
	report->targets = calloc(proof->count + 1, sizeof(*report->targets));
	unshown.targets = calloc(proof->count + 1, sizeof(*unshown.targets));
	if (!seen || !all || !report->targets || !unshown.targets) {
		hp_verify_report__free(report);
		hp_verify_report__free(&unshown);
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < proof->count && !ret; i++)
		ret = hp_watch__collect(proof->watch, i, state, &seen[i]);
	if (ret)
		hp_fail_errno(err, HP_E_OBSERVER, ret, "the counters cannot be read");

	/* Later livepatches first: a superseded target carries the verdict of its successor. */
	for (size_t n = proof->count; n-- > 0 && !ret;) {
		struct hp_watch_point *old_body;
		size_t with, next = superseding(proof, n);

		shares_old_body(proof, n, &with);
		old_body = &seen[with].point[HP_POINT_OLD_BODY];
		if (old_body->armed && redirects[n].read_back.body_bare) {
			discard_kprobe(old_body);
			discard_kprobe(&seen[n].point[HP_POINT_NEW_ENTRY]);
		}
		fill_target(proof, n, &seen[n], old_body, &redirects[n], &all[n]);
		if (proof->sites)
			ret = hp_sites__fill(proof->sites, n, &seen[n].point[HP_POINT_NEW_ENTRY],
					     old_body, &all[n]);
		decide_target(proof, n, &seen[n], old_body, &redirects[n],
			      next < proof->count ? all[next].verdict : HP_VERDICT_UNKNOWN,
			      &all[n]);
	}

	report->exercise.command = proof->opts.exercise;
	report->exercise.status = proof->window.exercise_status;
	for (size_t i = 0; i < proof->count; i++) {
		struct hp_verify_report *into = hidden && hidden[i] ? &unshown : report;

		hp_watch_result_free(&seen[i]);
		into->targets[into->target_count++] = all[i];
		if (into == report)
			add_scoped(&report->exercise, &all[i]);
	}
	hp_verify_report__free(&unshown);
	report->window_ns = proof->window.ns;
	report->min_calls = proof->opts.min_calls;
	report->min_coverage = proof->opts.min_coverage;
	if (ret)
		hp_verify_report__free(report);
	else
		hp_verify_report__finish(report);
	return ret;
}
