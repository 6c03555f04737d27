// SPDX-License-Identifier: GPL-2.0
/* hotproof apply FIX.bpf.o: replace functions of a loaded BPF program, and prove that it is live. */
#include "verbs/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "engines/bpf/bpf.h"
#include "engines/bpf/pins.h"
#include "proof/cost.h"
#include "proof/redirects.h"
#include "report/apply.h"
#include "report/error.h"
#include "report/junit.h"
#include "verbs/change.h"
#include "verbs/restore.h"

#define DEFAULT_BUDGET_NS (30 * HP_NSEC_PER_SEC)
#define DEFAULT_WINDOW_NS (10 * HP_NSEC_PER_SEC)

struct options {
	struct hp_proof_opts proof;
	const char *program;
	uint64_t budget_ns;
	uint64_t baseline_ns;
	uint64_t for_ns;
	const char *junit;
};

struct apply {
	const struct options *opts;
	struct hp_session session;
	struct hp_bpf_object *object;
	struct hp_bpf_program *program;
	struct hp_bpf_activation activation;
	struct hp_target *targets;
	struct hp_hotfix hotfix;
	struct hp_proof *proof;
	struct hp_apply_report *report;
	uint64_t deadline;
	int lock;
};

bool hp_program__is_asked(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--prog") || !strncmp(argv[i], "--prog=", 7))
			return true;
		if (argv[i][0] != '-' && hp_bpf_object__is_one(argv[i]))
			return true;
	}
	return false;
}

static void apply_close(struct apply *a)
{
	if (a->proof)
		hp_proof__close(a->proof);
	if (a->lock >= 0)
		close(a->lock);
	hp_session_close(&a->session);
	free(a->targets);
	if (a->program)
		hp_bpf_program__close(a->program);
	if (a->object)
		hp_bpf_object__close(a->object);
}

/* Everything that can be refused is refused here: the verifier has seen the programs. */
static int check(struct apply *a, const char *path, struct hp_error *err)
{
	int ret = hp_bpf_object__open(&a->object, path, err);

	if (ret)
		return ret;
	snprintf(a->report->livepatch, sizeof(a->report->livepatch), "%s", a->object->name);
	ret = hp_bpf_program__find(&a->program, a->opts->program, err);
	ret = ret ?: a->session.engine->open(&a->session.state, err);
	if (ret)
		return ret;
	hp_bpf_engine__take(a->session.state, a->object, a->program, &a->activation);
	a->targets = hp_bpf_engine__targets(a->object, a->program);
	if (!a->targets)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	a->hotfix = (struct hp_hotfix){
		.name = a->object->name,
		.path = path,
		.fd = -1,
		.targets = a->targets,
		.target_count = a->object->forward_count,
	};
	ret = hp_link_pins__check_mount(err);
	if (ret)
		return ret;
	a->lock = hp_link_pins__lock(a->deadline, err);
	if (a->lock < 0)
		return a->lock;
	return a->session.engine->prepare(a->session.state, &a->hotfix, err);
}

static int open_proof(struct apply *a, struct hp_error *err)
{
	uint64_t start = hp_now_ns();
	int ret =
		hp_proof__open(&a->proof, a->targets, a->hotfix.target_count, &a->opts->proof, err);

	hp_apply_report__phase(a->report, HP_PHASE_ARM, start, hp_now_ns());
	return ret;
}

/* The kernel takes a tracing program or a replacement: the probes are gone before the change. */
static int measure_baseline(struct apply *a, struct hp_error *err)
{
	struct hp_window window = {
		.state = HP_PM_BASELINE,
		.role = HP_POINT_OLD_ENTRY,
		.for_ns = a->opts->baseline_ns,
		.exercise = a->opts->proof.exercise,
		.what = "measuring the old code",
	};
	uint64_t start = hp_now_ns(), took;
	int ret;

	if (!a->opts->baseline_ns)
		return 0;
	hp_proof__arm(a->proof, HP_POINT_OLD_ENTRY, (struct hp_arm_opts){ .time = true });
	ret = hp_proof__window(a->proof, &window, err);
	if (!ret)
		ret = hp_cost__collect(a->proof, HP_MEASURE_OLD, HP_POINT_OLD_ENTRY, HP_PM_BASELINE,
				       &a->report->measure, err);
	hp_proof__disarm(a->proof, HP_POINT_OLD_ENTRY);
	took = hp_now_ns() - start;
	a->deadline += took;
	hp_apply_report__phase(a->report, HP_PHASE_BASELINE, start, start + took);
	if (!ret && hp_proof__last_window(a->proof)->interrupted)
		ret = hp_fail(err, HP_E_INTERRUPTED, "interrupted");
	return ret;
}

/* Which programs took the functions over is known to the links. */
static int arm_replacements(struct apply *a, struct hp_error *err)
{
	_cleanup_free_ struct hp_target *now = NULL;
	size_t count;
	int ret = a->session.engine->discover(a->session.state, a->hotfix.name, &now, &count, err);

	for (size_t i = 0; !ret && i < a->hotfix.target_count; i++) {
		const struct hp_target *t = hp_redirects__find(now, count, &a->targets[i]);

		if (t)
			a->targets[i] = *t;
	}
	if (!ret)
		hp_proof__arm(a->proof, HP_POINT_NEW_ENTRY,
			      (struct hp_arm_opts){ .time = a->opts->baseline_ns != 0 });
	return ret;
}

static int roll_back(struct apply *a, const struct hp_error *why, struct hp_error *err)
{
	struct hp_error undo = { 0 };
	uint64_t start = hp_now_ns();

	hp_warn("%s: rolling back", why->message);
	if (hp_engine__undo(a->session.engine, a->session.state, a->hotfix.name,
			    start + DEFAULT_BUDGET_NS, &undo)) {
		a->report->outcome = HP_OUTCOME_STUCK;
		return hp_fail(err, HP_E_STUCK, "%s; and the rollback failed: %s", why->message,
			       undo.message);
	}
	hp_apply_report__phase(a->report, HP_PHASE_ROLLBACK, start, hp_now_ns());
	a->report->outcome = HP_OUTCOME_ROLLED_BACK;
	*err = *why;
	return -ECANCELED;
}

static int change(struct apply *a, struct hp_error *err)
{
	struct hp_error why = { 0 };
	uint64_t start = hp_now_ns();
	int ret;

	if (start >= a->deadline)
		return hp_fail(err, HP_E_BUDGET,
			       "the budget was used up before anything was changed");
	if (hp_interrupted())
		return hp_fail(err, HP_E_INTERRUPTED, "interrupted");
	hp_proof__set_state(a->proof, HP_PM_ACTIVATING);
	ret = a->session.engine->activate(a->session.state, &a->hotfix, err);
	if (ret)
		return ret;
	hp_apply_report__phase(a->report, HP_PHASE_LOAD, start, hp_now_ns());
	if (a->activation.before[0]) {
		snprintf(a->report->replaced, sizeof(a->report->replaced), "%s",
			 a->activation.before);
		a->report->gap_ns = a->activation.gap_ns;
	}
	a->report->outcome = HP_OUTCOME_APPLIED;
	ret = arm_replacements(a, &why);
	a->report->used_ns =
		hp_now_ns() - a->report->begin_ns - a->report->phase[HP_PHASE_BASELINE].took_ns;
	if (!ret && hp_now_ns() >= a->deadline)
		ret = hp_fail(&why, HP_E_BUDGET, "the change took longer than the budget");
	return ret ? roll_back(a, &why, err) : 0;
}

static int prove(struct apply *a, struct hp_error *err)
{
	const struct options *o = a->opts;
	struct hp_window window = {
		.state = HP_PM_ACTIVE,
		.role = HP_POINT_NEW_ENTRY,
		.for_ns = o->for_ns ?: (o->proof.exercise ? 0 : DEFAULT_WINDOW_NS),
		.exercise = o->proof.exercise,
		.until_exercised = !o->proof.exercise && !o->for_ns,
		.min_calls = o->proof.min_calls,
		.what = "verifying",
	};
	uint64_t start = hp_now_ns();
	int ret = hp_proof__window(a->proof, &window, err);

	if (!ret)
		ret = hp_redirects__decide(a->session.engine, a->session.state, a->proof,
					   HP_PM_ACTIVE, a->targets, a->hotfix.target_count, NULL,
					   &a->report->verify, err);
	if (ret)
		return ret;
	hp_apply_report__phase(a->report, HP_PHASE_VERIFIED, start, hp_now_ns());
	a->report->verified = true;
	if (hp_proof__last_window(a->proof)->interrupted)
		return hp_fail(err, HP_E_CUT_SHORT,
			       "applied, and interrupted while it was verified");
	if (!o->baseline_ns)
		return 0;
	ret = hp_cost__collect(a->proof, HP_MEASURE_NEW, HP_POINT_NEW_ENTRY, HP_PM_ACTIVE,
			       &a->report->measure, err);
	ret = ret ?: hp_cost__finish(a->proof, &a->report->measure, err);
	a->report->measured = !ret;
	return ret;
}

static int run(struct apply *a, const char *path, struct hp_error *err)
{
	int ret = check(a, path, err);

	hp_apply_report__phase(a->report, HP_PHASE_CHECK, a->report->begin_ns, hp_now_ns());
	ret = ret ?: open_proof(a, err);
	ret = ret ?: measure_baseline(a, err);
	ret = ret ?: change(a, err);
	return ret ?: prove(a, err);
}

int hp_program__apply(const struct hp_command *cmd, int argc, char **argv)
{
	struct options opts = {
		.proof = { .point = hp_bpf_engine.point },
		.budget_ns = DEFAULT_BUDGET_NS,
	};
	struct hp_apply_report report = { .verb = "apply", .begin_ns = hp_now_ns() };
	__cleanup(apply_close) struct apply a = {
		.opts = &opts,
		.session = { .engine = &hp_bpf_engine },
		.report = &report,
		.lock = -1,
	};
	const struct hp_option options[] = {
		{ "prog", HP_OPT_STRING, &opts.program, "PROGRAM",
		  "the running program: id:N, name:NAME, pin:PATH or tag:TAG; may not be left out" },
		{ "replace", HP_OPT_FLAG, &a.activation.replace, NULL,
		  "take the functions over from the hotfix that holds them" },
		{ "budget", HP_OPT_DURATION, &opts.budget_ns, "TIME",
		  "deadline of the change; past it, it is rolled back (30s)" },
		{ "baseline", HP_OPT_DURATION, &opts.baseline_ns, "TIME",
		  "first measure the old code for so long, then compare (off)" },
		{ "exercise", HP_OPT_STRING, &opts.proof.exercise, "CMD",
		  "run this workload while measuring and while verifying" },
		{ "for", HP_OPT_DURATION, &opts.for_ns, "TIME",
		  "wait for calls at most so long (10s; with --exercise until it ends)" },
		{ "min-calls", HP_OPT_UINT, &opts.proof.min_calls, "N",
		  "a target with fewer redirected calls is not live (1)" },
		{ "junit", HP_OPT_STRING, &opts.junit, "FILE", "write a JUnit report too" },
		{ 0 },
	};
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	int first = hp_options_parse(cmd, options, &globals, argc, argv, &err);

	if (first >= 0 && !globals.help && argc - first != 1)
		first = hp_fail(&err, HP_E_USAGE, "one BPF object is wanted, not %d", argc - first);
	if (first >= 0 && !globals.help && !opts.program)
		first = hp_fail(&err, HP_E_USAGE,
				"say by --prog whose functions %s replaces: id:N, name:NAME, "
				"pin:PATH or tag:TAG",
				argv[first]);
	if (first < 0)
		return hp_report_error(&globals, cmd->name, &err);
	if (globals.help)
		return HP_EXIT_OK;
	hp_interrupt_catch();
	opts.proof.time = opts.baseline_ns != 0;
	report.outcome = HP_OUTCOME_REFUSED;
	report.file = argv[first];
	report.budget_ns = opts.budget_ns;
	a.deadline = report.begin_ns + opts.budget_ns;
	run(&a, argv[first], &report.error);
	if (report.verified && opts.junit)
		hp_junit__write(&report.verify, opts.junit, &report.error);
	return hp_change_finish(&report, &globals);
}
