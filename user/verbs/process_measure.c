// SPDX-License-Identifier: GPL-2.0
/* hotproof measure of a hotfix for processes. */
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "proof/process_cost.h"
#include "proof/process_proof.h"
#include "state/journal.h"
#include "verbs/begin.h"
#include "verbs/measure_parts.h"
#include "verbs/process.h"

/* How long to wait for a hotproof that is changing this host. */
#define LOCK_NS (30 * HP_NSEC_PER_SEC)

struct options {
	struct hp_process_cost_opts cost;
	struct hp_process_scope scope;
	const char *against;
};

static void unlock(void *arg)
{
	struct hp_journal **journal = arg;

	hp_journal__close(*journal);
	*journal = NULL;
}

/* What this run cannot measure must be in the earlier report, of this very file. */
static int read_earlier(const char *path, const struct hp_processes_report *rows,
			struct hp_measure_report *earlier, struct hp_error *err)
{
	const struct hp_hotfix_meta *meta = hp_hotfix__meta(rows->hotfix);
	const char *base = strrchr(meta->target_path, '/');
	char id[HP_BUILD_ID_TEXT_MAX];
	int ret = hp_earlier__read(path, earlier, err);

	hp_build_id__format(&meta->target_id, id);
	for (size_t i = 0; !ret && i < meta->forward_count; i++) {
		const char *symbol = meta->forward[i].target;
		const struct hp_measure_function *f = hp_measure_report__find(
			earlier, base ? base + 1 : meta->target_path, symbol, 0);

		if (f && strcmp(f->object_id, id))
			return hp_fail(err, HP_E_EARLIER,
				       "%s was measured with another build of %s (build-id %s)",
				       path, f->object, f->object_id);
		for (int side = 0; side < HP_MEASURE_SIDES && !ret; side++)
			if (!hp_process_cost__has_side(rows, i, side) &&
			    (!f || !f->side[side].measured))
				ret = hp_earlier__fail(path, side, symbol, err);
	}
	return ret;
}

static int measure(struct options *opts, const char *path, struct hp_measure_report *report,
		   struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_proc__close) struct hp_proc *proc = NULL;
	__cleanup(hp_cleanup_hp_journal__close) struct hp_journal *journal = NULL;
	__cleanup(hp_measure_report__free) struct hp_measure_report earlier = { 0 };
	__cleanup(hp_processes_report__free) struct hp_processes_report rows = { 0 };
	int ret = hp_journal__open(&journal, err);

	/* No entry is overwritten between the look at it and the probes, which an apply would see. */
	ret = ret ?: hp_journal__lock(journal, hp_now_ns() + LOCK_NS, err);
	ret = ret ?: hp_process__open(&proc, &rows, &opts->scope, path, err);
	if (!ret && !rows.count)
		ret = hp_fail(err, HP_E_NO_PROCESS, "no process maps %s",
			      hp_hotfix__meta(rows.hotfix)->target_path);
	for (size_t i = 0; !ret && i < rows.count; i++)
		ret = hp_process_row__look(proc, &rows.rows[i], err);
	if (!ret && opts->against)
		ret = read_earlier(opts->against, &rows, &earlier, err);
	opts->cost.armed = unlock;
	opts->cost.armed_arg = &journal;
	ret = ret ?: hp_process_cost__measure(proc, &rows, &opts->cost, report, err);
	if (!ret && opts->against)
		ret = hp_earlier__compare(report, &earlier, opts->against, err);
	return ret;
}

int hp_process__measure(const struct hp_command *cmd, int argc, char **argv)
{
	struct options opts = { 0 };
	const struct hp_option options[] = {
		HP_SCOPE_OPTIONS(opts.scope),
		{ "for", HP_OPT_DURATION, &opts.cost.for_ns, "TIME",
		  "measure so long (10s; with --exercise until it ends)" },
		{ "against", HP_OPT_STRING, &opts.against, "FILE",
		  "compare with the JSON report of an earlier run, made before or after the change" },
		{ "exercise", HP_OPT_STRING, &opts.cost.exercise, "CMD",
		  "run this workload meanwhile" },
		{ 0 }
	};
	struct hp_measure_report report = { 0 };
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = HP_ONE_HOTFIX;
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	if (!opts.cost.for_ns && !opts.cost.exercise)
		opts.cost.for_ns = HP_MEASURE_WINDOW_NS;
	hp_interrupt_catch();
	ret = measure(&opts, argv[first], &report, &err);
	return hp_measure_finish(cmd, &globals, &report, ret, &err);
}
