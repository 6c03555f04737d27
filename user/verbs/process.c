// SPDX-License-Identifier: GPL-2.0
/* What the verbs for hotfixes of processes have in common. */
#include "verbs/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cgroup.h"
#include "report/error.h"
#include "report/json.h"

/* By its name too: what is wrong with a damaged one is for those to say who know what it should be. */
static bool is_meant(const char *path)
{
	size_t len = strlen(path);

	return (len > 3 && !strcmp(path + len - 3, ".so")) || hp_hotfix__is_one(path);
}

bool hp_process__is_asked(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (argv[i][0] != '-' && is_meant(argv[i]))
			return true;
	return false;
}

static int parse_pids(const struct hp_strings *texts, pid_t *pids, struct hp_error *err)
{
	for (size_t i = 0; i < texts->count; i++) {
		char *end;
		long value;

		errno = 0;
		value = strtol(texts->items[i], &end, 10);
		if (errno || *end || value <= 0 || value > 1 << 30)
			return hp_fail(err, HP_E_USAGE, "--pid takes a process number, not '%s'",
				       texts->items[i]);
		pids[i] = (pid_t)value;
	}
	return 0;
}

/* Why a process that was named is not among those that map the target. */
static int explain(pid_t pid, const char *target, struct hp_error *err)
{
	char path[32], line[256], state = '?';
	_cleanup_file_ FILE *f = NULL;
	pid_t process = pid;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		return hp_fail(err, HP_E_NO_PROCESS, "there is no process %d", pid);
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "State: %c", &state);
		sscanf(line, "Tgid: %d", &process);
	}
	if (process != pid)
		return hp_fail(err, HP_E_NO_PROCESS, "%d is a thread of process %d", pid, process);
	if (state == 'Z')
		return hp_fail(err, HP_E_NO_PROCESS, "process %d has ended (zombie)", pid);
	return hp_fail(err, HP_E_NO_PROCESS, "process %d does not map %s with the right build-id",
		       pid, target);
}

/* A process that was named, and does not map the target, must not go unmentioned. */
static int check_found(const struct hp_processes *found, const pid_t *pids, size_t count,
		       const char *target, struct hp_error *err)
{
	for (size_t i = 0; i < count; i++) {
		bool there = false;

		for (size_t j = 0; j < found->count; j++)
			there |= found->items[j].pid == pids[i];
		if (!there && found->unreadable)
			return hp_fail(err, HP_E_PROC_SEARCH,
				       "the mappings of process %d may not be looked at", pids[i]);
		if (!there)
			return explain(pids[i], target, err);
	}
	return 0;
}

/* What was asked for must be one thing, and be there. */
static int check_scope(struct hp_process_scope *scope, struct hp_error *err)
{
	if ((scope->pids.count != 0) + (scope->cgroup != NULL) + (scope->unit != NULL) +
		    scope->all >
	    1)
		return hp_fail(err, HP_E_USAGE,
			       "--pid, --cgroup, --unit and --all exclude each other");
	/* The root group, which is everybody, has a name of its own: "/". */
	if (scope->cgroup && !*scope->cgroup)
		return hp_fail(err, HP_E_USAGE, "'' is no name of a control group");
	if (scope->cgroup)
		return hp_cgroup__find(scope->folder, scope->cgroup, err);
	if (scope->unit)
		return hp_cgroup__find_unit(scope->folder, scope->unit, err);
	return 0;
}

bool hp_process_scope__is_open(const struct hp_process_scope *scope)
{
	return scope->pids.count == 0;
}

int hp_process_scope__find(const struct hp_process_scope *scope, struct hp_proc *proc,
			   struct hp_processes *found, struct hp_error *err)
{
	const struct hp_hotfix_meta *meta = hp_hotfix__meta(hp_proc__hotfix(proc));
	const struct hp_build_id *id = &meta->target_id;
	_cleanup_free_ pid_t *members = NULL;
	pid_t pids[HP_STRINGS_MAX];
	size_t count;
	int ret;

	memset(found, 0, sizeof(*found));
	if (scope->folder[0]) {
		ret = hp_cgroup__pids(scope->folder, &members, &count, err);
		/* No process at all is not every process. */
		if (ret || !count)
			return ret;
		return hp_processes__find(found, id, members, count, HP_PROCESSES_AUTO, err);
	}
	ret = parse_pids(&scope->pids, pids, err);
	ret = ret ?: hp_processes__find(found, id, pids, scope->pids.count, HP_PROCESSES_AUTO, err);
	ret = ret ?: check_found(found, pids, scope->pids.count, meta->target_path, err);
	if (ret)
		hp_processes__free(found);
	return ret;
}

int hp_process__open(struct hp_proc **out, struct hp_processes_report *report,
		     struct hp_process_scope *scope, const char *path, struct hp_error *err)
{
	struct hp_processes found = { 0 };
	int ret;

	ret = check_scope(scope, err);
	ret = ret ?: hp_proc__open(out, path, err);
	if (ret)
		return ret;
	report->hotfix = hp_proc__hotfix(*out);
	ret = hp_process_scope__find(scope, *out, &found, err);
	/* That nobody was seen says nothing then. */
	if (!ret && !found.count && found.unreadable)
		ret = hp_fail(err, HP_E_PROC_SEARCH, "%zu mapping%s may not be looked at",
			      found.unreadable, found.unreadable == 1 ? "" : "s");
	ret = ret ?: hp_processes_report__add(report, &found, err);
	hp_processes__free(&found);
	return ret;
}

static int fail_print(const struct hp_globals *globals, const char *verb, int ret)
{
	struct hp_error err = { 0 };

	if (ret == -EIO)
		hp_fail(&err, HP_E_OUTPUT, "the report cannot be written");
	else
		hp_fail_errno(&err, HP_E_INTERNAL, ret, "the report cannot be printed");
	return hp_report_error(globals, verb, &err);
}

static int print(const struct hp_globals *globals, const char *verb,
		 struct hp_processes_report *report)
{
	int ret;

	report->verbose = globals->verbosity > 0;
	if (globals->json)
		ret = hp_json_print(hp_processes_report__json(report));
	else
		ret = hp_processes_report__print(report, stdout, globals->color);
	return ret ? fail_print(globals, verb, ret) : (int)report->status;
}

int hp_process__finish(const struct hp_globals *globals, const char *verb,
		       struct hp_processes_report *report, int ret, const struct hp_error *err)
{
	int status;

	if (!ret)
		hp_processes_report__finish(report);
	status = ret ? hp_report_error(globals, verb, err) : print(globals, verb, report);
	hp_processes_report__free(report);
	return status;
}

static int print_all(const struct hp_globals *globals, const char *verb,
		     struct hp_process_subject *subjects, size_t count)
{
	_cleanup_free_ const struct hp_processes_report **reports = calloc(count, sizeof(*reports));
	struct hp_process_total total;
	int ret = reports ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !ret; i++) {
		subjects[i].report.verbose = globals->verbosity > 0;
		reports[i] = &subjects[i].report;
	}
	if (ret)
		return fail_print(globals, verb, ret);
	total = hp_processes_report__total(reports, count);
	if (globals->json)
		ret = hp_json_print(hp_processes_report__json_all(reports, count));
	else
		ret = hp_processes_report__print_all(reports, count, stdout, globals->color);
	return ret ? fail_print(globals, verb, ret) : (int)total.status;
}

int hp_process__finish_all(const struct hp_globals *globals, const char *verb,
			   struct hp_process_subject *subjects, size_t count, int ret,
			   const struct hp_error *err)
{
	if (ret)
		return hp_report_error(globals, verb, err);
	return count == 1 ? print(globals, verb, &subjects->report)
			  : print_all(globals, verb, subjects, count);
}
