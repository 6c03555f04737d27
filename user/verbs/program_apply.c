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
#include "host/bpffs.h"
#include "report/error.h"
#include "verbs/apply_run.h"
#include "verbs/begin.h"

#define DEFAULT_BUDGET_NS (30 * HP_NSEC_PER_SEC)

/* An apply to a BPF program. */
struct apply {
	struct hp_apply_run run;
	const char *spec; /* of the program, as asked for */
	struct hp_bpf_object *object;
	struct hp_bpf_program *program;
	struct hp_bpf_activation activation;
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
	hp_apply_run__release(&a->run);
	if (a->lock >= 0)
		close(a->lock);
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
	snprintf(a->run.report->livepatch, sizeof(a->run.report->livepatch), "%s", a->object->name);
	ret = hp_bpf_program__find(&a->program, a->spec, err);
	ret = ret ?: a->run.session.engine->open(&a->run.session.state, err);
	if (ret)
		return ret;
	hp_bpf_engine__take(a->run.session.state, a->object, a->program, &a->activation);
	a->run.targets = hp_bpf_engine__targets(a->object, a->program);
	if (!a->run.targets)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	a->run.hotfix = (struct hp_hotfix){
		.name = a->object->name,
		.path = path,
		.fd = -1,
		.targets = a->run.targets,
		.target_count = a->object->forward_count,
	};
	ret = hp_bpffs__check_mount(err);
	if (ret)
		return ret;
	a->lock = hp_bpffs__lock(a->run.deadline, err);
	if (a->lock < 0)
		return a->lock;
	return a->run.session.engine->prepare(a->run.session.state, &a->run.hotfix, err);
}

static int open_proof(struct apply *a, struct hp_error *err)
{
	uint64_t start = hp_now_ns();
	int ret = hp_proof__open(&a->run.proof, a->run.targets, a->run.hotfix.target_count,
				 &a->run.opts->proof, err);

	hp_apply_report__phase(a->run.report, HP_PHASE_ARM, start, hp_now_ns());
	return ret;
}

static int roll_back(struct apply *a, const struct hp_error *why, struct hp_error *err)
{
	struct hp_error undo = { 0 };
	uint64_t start = hp_now_ns();

	hp_warn("%s: rolling back", why->message);
	if (hp_engine__undo(a->run.session.engine, a->run.session.state, a->run.hotfix.name,
			    start + DEFAULT_BUDGET_NS, &undo)) {
		a->run.report->outcome = HP_OUTCOME_STUCK;
		return hp_fail(err, HP_E_STUCK, "%s; and the rollback failed: %s", why->message,
			       undo.message);
	}
	hp_apply_report__phase(a->run.report, HP_PHASE_ROLLBACK, start, hp_now_ns());
	a->run.report->outcome = HP_OUTCOME_ROLLED_BACK;
	*err = *why;
	return -ECANCELED;
}

static int change(struct apply *a, struct hp_error *err)
{
	struct hp_error why = { 0 };
	int ret = hp_apply_run__may_change(&a->run, err);

	ret = ret ?: hp_apply_run__activate(&a->run, err);
	if (ret) {
		/* Nothing is different, but for what gave way and could not be put back. */
		if (err->reason == HP_E_STUCK)
			a->run.report->outcome = HP_OUTCOME_STUCK;
		return ret;
	}
	snprintf(a->run.report->replaced, sizeof(a->run.report->replaced), "%s",
		 a->activation.before);
	a->run.report->gap_ns = a->activation.gap_ns;
	a->run.report->outcome = HP_OUTCOME_APPLIED;
	ret = hp_apply_run__arm_replacements(&a->run, &why);
	hp_apply_run__record_use(&a->run);
	if (!ret && hp_now_ns() >= a->run.deadline)
		ret = hp_fail(&why, HP_E_BUDGET, "the change took longer than the budget");
	return ret ? roll_back(a, &why, err) : 0;
}

static int run(struct apply *a, const char *path, struct hp_error *err)
{
	int ret = check(a, path, err);

	hp_apply_report__phase(a->run.report, HP_PHASE_CHECK, a->run.report->begin_ns, hp_now_ns());
	ret = ret ?: open_proof(a, err);
	/* The kernel takes a tracing program or a replacement: these probes go before the change. */
	ret = ret ?: hp_apply_run__baseline(&a->run, false, err);
	ret = ret ?: change(a, err);
	return ret ?: hp_apply_run__prove(&a->run, true, err);
}

int hp_program__apply(const struct hp_command *cmd, int argc, char **argv)
{
	struct hp_apply_opts opts = {
		.proof = { .point = hp_bpf_engine.point },
		.budget_ns = DEFAULT_BUDGET_NS,
	};
	struct hp_apply_report report = { .verb = "apply", .begin_ns = hp_now_ns() };
	__cleanup(apply_close) struct apply a = {
		.run = {
			.opts = &opts,
			.session = { .engine = &hp_bpf_engine },
			.report = &report,
		},
		.lock = -1,
	};
	const struct hp_option options[] = {
		HP_APPLY_OPTIONS(opts),
		{ "prog", HP_OPT_STRING, &a.spec, "PROGRAM",
		  "the running program: id:N, name:NAME, pin:PATH or tag:TAG; may not be left out" },
		{ "replace", HP_OPT_FLAG, &a.activation.replace, NULL,
		  "take the functions over from the hotfix that holds them" },
		{ 0 },
	};
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 1, 1, "one BPF object" };
	int status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	if (!a.spec) {
		hp_fail(&err, HP_E_USAGE,
			"say by --prog whose functions %s replaces: id:N, name:NAME, pin:PATH or "
			"tag:TAG",
			argv[first]);
		return hp_report_error(&globals, cmd->name, &err);
	}
	hp_interrupt_catch();
	opts.proof.time = opts.baseline_ns != 0;
	hp_apply_run__begin(&a.run, argv[first]);
	run(&a, argv[first], &report.error);
	return hp_apply_run__finish(&a.run, &globals);
}
