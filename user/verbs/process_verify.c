// SPDX-License-Identifier: GPL-2.0
/* hotproof verify of a hotfix for processes. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "proof/process_proof.h"
#include "report/junit.h"
#include "verbs/begin.h"
#include "verbs/process.h"

#define DEFAULT_WINDOW_NS (10 * HP_NSEC_PER_SEC)

static int search_again(struct hp_proc *proc, struct hp_processes *found, void *arg,
			struct hp_error *err)
{
	return hp_process_scope__find(arg, proc, found, err);
}

struct hotfixes {
	struct hp_process_subject *list;
	size_t count;
};

static void close_hotfixes(struct hotfixes *h)
{
	for (size_t i = 0; i < h->count; i++) {
		hp_processes_report__free(&h->list[i].report);
		if (h->list[i].proc)
			hp_proc__close(h->list[i].proc);
	}
	free(h->list);
}

/* The targets of all hotfixes, as reports of livepatches have them. */
static int flatten(const struct hotfixes *h, struct hp_verify_report *out)
{
	int ret = 0;

	for (size_t i = 0; i < h->count && !ret; i++)
		ret = hp_processes_report__flatten(&h->list[i].report, out);
	return ret;
}

/* A gate that reads nothing else must not take for success what ended otherwise. */
static int write_junit(const char *path, const struct hotfixes *h, int ret,
		       const struct hp_error *failed, struct hp_error *err)
{
	struct hp_verify_report flat = { 0 };
	struct hp_error why = { 0 };

	if (!ret && flatten(h, &flat)) {
		free(flat.targets);
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < h->count && !ret; i++) {
		const struct hp_processes_report *report = &h->list[i].report;

		if (report->interrupted)
			hp_fail(&why, HP_E_INTERRUPTED,
				"interrupted: this is what was seen until then");
		else if (report->unreadable)
			hp_fail(&why, HP_E_PROC_SEARCH, "%zu mappings may not be looked at",
				report->unreadable);
		else if (!hp_processes_report__any(report))
			hp_fail(&why, HP_E_NO_PROCESS, "no process maps %s",
				hp_hotfix__meta(report->hotfix)->target_path);
	}
	ret = hp_junit__write(&flat, ret ? failed : &why, path, err);
	free(flat.targets);
	return ret;
}

static int verify(struct hotfixes *h, char **paths, struct hp_process_scope *scope,
		  const struct hp_process_proof_opts *opts, struct hp_error *err)
{
	uint64_t start = hp_now_ns();
	int ret = 0;

	for (size_t i = 0; i < h->count && !ret; i++) {
		h->list[i].report.action = HP_ACTION_VERIFY;
		ret = hp_process__open(&h->list[i].proc, &h->list[i].report, scope, paths[i], err);
	}
	ret = ret ?: hp_process_proof__run(h->list, h->count, opts, err);
	for (size_t i = 0; i < h->count && !ret; i++) {
		h->list[i].report.total_ns = hp_now_ns() - start;
		hp_processes_report__finish(&h->list[i].report);
	}
	return ret;
}

int hp_process__verify(const struct hp_command *cmd, int argc, char **argv)
{
	struct hp_process_scope scope = { 0 };
	struct hp_process_proof_opts opts = { 0 };
	const char *junit = NULL;
	const struct hp_option options[] = {
		HP_SCOPE_OPTIONS(scope),
		{ "for", HP_OPT_DURATION, &opts.for_ns, "TIME",
		  "observe so long (10s; with --exercise until it ends)" },
		{ "until-exercised", HP_OPT_FLAG, &opts.until_exercised, NULL,
		  "end as soon as every target has been called in each process" },
		{ "exercise", HP_OPT_STRING, &opts.exercise, "CMD",
		  "run CMD in the window, which ends with it" },
		{ "min-calls", HP_OPT_UINT, &opts.min_calls, "N",
		  "calls that each target needs in each process" },
		{ "min-coverage", HP_OPT_PERCENT, &opts.min_coverage, "PCT",
		  "call sites that it needs redirected there (0)" },
		{ "junit", HP_OPT_STRING, &junit, "FILE", "write a JUnit report too" },
		{ 0 }
	};
	__cleanup(close_hotfixes) struct hotfixes hotfixes = { 0 };
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };
	const struct hp_operands wanted = { 1, -1, "a hotfix file" };
	int ret, status, first = hp_verb_begin(cmd, options, wanted, &globals, argc, argv, &status);

	if (first < 0)
		return status;
	if (!opts.for_ns && !opts.exercise)
		opts.for_ns = DEFAULT_WINDOW_NS;
	hp_interrupt_catch();
	if (hp_process_scope__is_open(&scope))
		opts.search_again = search_again;
	opts.search_arg = &scope;
	hotfixes.list = calloc((size_t)(argc - first), sizeof(*hotfixes.list));
	if (hotfixes.list)
		hotfixes.count = (size_t)(argc - first);
	ret = hotfixes.list ? verify(&hotfixes, argv + first, &scope, &opts, &err)
			    : hp_fail(&err, HP_E_NOMEM, "out of memory");
	/* What an earlier run wrote there must not stand for this one. */
	if (junit) {
		struct hp_error failed = err;

		ret = write_junit(junit, &hotfixes, ret, &failed, &err) ? -EIO : ret;
	}
	return hp_process__finish_all(&globals, cmd->name, hotfixes.list, hotfixes.count, ret,
				      &err);
}
