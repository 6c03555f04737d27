// SPDX-License-Identifier: GPL-2.0
/*
 * The proof for hotfixes of processes. Probes stand in files, not in processes: one at each
 * replacement in the hotfix's file, one in each old body in the target's, and the calls are told
 * apart by process. Files of one build may be several: containers, memfds, upgraded packages.
 */
#include "proof/process_proof.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "observe/watch.h"
#include "proof/process_sites.h"

/* Processes beyond those that are known when the window begins: new ones, and those out of scope. */
#define ROOM_FOR_MORE 4096

/*
 * One file that probes stand in, and what became of each probe. Where calls come by one of several
 * places, the file is here several times: @place is which of them its probes stand at.
 */
struct probed_file {
	struct hp_proc_file file;
	enum hp_point_role role;
	size_t place;
	struct probe {
		bool needed;		  /* there is such a place */
		size_t places;		  /* how many there are */
		bool complete, at_most;	  /* as hp_proc_points has it */
		struct hp_error obstacle; /* HP_E_NONE: it is armed */
	} * probes;			  /* one for each forward attach */
};

/* Of one hotfix. */
struct process_proof {
	struct hp_proc *proc;
	struct hp_processes_report *report;
	const struct hp_hotfix_meta *meta;
	const struct hp_process_proof_opts *opts;
	struct hp_watch *watch; /* of all of them */
	size_t first_slot;	/* where its own begin there */
	struct probed_file *files;
	size_t file_count, file_room;
	uint64_t calls; /* of the replacements, when their processes were last looked at */
};

struct all_proofs {
	struct process_proof *list;
	size_t count;
	struct hp_watch *watch;
};

int hp_process_row__look(struct hp_proc *proc, struct hp_process_row *row, struct hp_error *err)
{
	size_t count = hp_hotfix__meta(hp_proc__hotfix(proc))->forward_count;
	struct hp_proc_look look;

	memset(&row->record.error, 0, sizeof(row->record.error));
	if (hp_proc__look(proc, &row->record.process, &look, &row->record.error)) {
		if (row->record.error.reason == HP_E_PROC_GONE)
			row->record.outcome = HP_OUTCOME_GONE;
		hp_proc_look__free(&look);
		return 0;
	}
	row->state = look.state;
	row->record.error = look.error;
	row->hotfix_file = look.file;
	row->hotfix_bias = look.hotfix_bias;
	if (!row->targets)
		row->targets = calloc(count, sizeof(*row->targets));
	for (size_t i = 0; row->targets && i < count; i++)
		row->targets[i].read_back = look.targets[i];
	hp_proc_look__free(&look);
	return row->targets ? 0 : hp_fail(err, HP_E_NOMEM, "out of memory");
}

static bool is_same_file(const struct hp_proc_file *a, const struct hp_proc_file *b)
{
	return a->inode == b->inode && a->major == b->major && a->minor == b->minor;
}

static struct probed_file *find_file(struct process_proof *proof, const struct hp_proc_file *file,
				     enum hp_point_role role, size_t place)
{
	for (size_t i = 0; i < proof->file_count; i++) {
		struct probed_file *f = &proof->files[i];

		if (f->role == role && f->place == place && is_same_file(&f->file, file))
			return f;
	}
	return NULL;
}

static size_t slot_of(const struct process_proof *proof, const struct probed_file *file, size_t i)
{
	return proof->first_slot + (size_t)(file - proof->files) * proof->meta->forward_count + i;
}

static int arm_place(struct process_proof *proof, const struct hp_process *process,
		     const struct hp_proc_file *file, enum hp_point_role role, size_t place,
		     bool *more, struct hp_error *err)
{
	struct probed_file *probed = find_file(proof, file, role, place);

	*more = false;
	if (probed || proof->file_count == proof->file_room)
		return 0;
	probed = &proof->files[proof->file_count];
	probed->probes = calloc(proof->meta->forward_count, sizeof(*probed->probes));
	if (!probed->probes)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	probed->file = *file;
	probed->role = role;
	probed->place = place;
	proof->file_count++;
	for (size_t i = 0; i < proof->meta->forward_count; i++) {
		struct probe *probe = &probed->probes[i];
		struct hp_point point = { .role = role, .path = probed->file.path };
		struct hp_proc_points points;
		int ret;

		snprintf(point.symbol, sizeof(point.symbol), "%s",
			 role == HP_POINT_NEW_ENTRY ? proof->meta->forward[i].replacement
						    : proof->meta->forward[i].target);
		probe->needed = true;
		if (hp_proc__points(proof->proc, process, i, role, &points, &probe->obstacle)) {
			hp_fail(&probe->obstacle, HP_E_ATTACH,
				"the place of the probe is not in the file");
			continue;
		}
		*more |= place + 1 < points.count;
		probe->places = points.count;
		probe->complete = points.complete;
		probe->at_most = points.at_most;
		probe->needed = place < points.count;
		if (!probe->needed)
			continue;
		point.file_offset = points.at[place].file_offset;
		point.offset = points.at[place].offset;
		point.callers = points.at[place].callers;
		point.depth = points.at[place].depth;
		ret = hp_observer__arm(hp_watch__observer(proof->watch), slot_of(proof, probed, i),
				       &point, false, NULL, &probe->obstacle);
		/* The calls that come by there are not seen; that is all. */
		if (ret == -HP_ENOTSUPP && role == HP_POINT_OLD_BODY) {
			probe->obstacle = (struct hp_error){ 0 };
			probe->needed = probe->complete = false;
		}
	}
	return 0;
}

/* Arm the points of @file, known from @process, unless that was done for another process. */
static int arm_file(struct process_proof *proof, const struct hp_process *process,
		    const struct hp_proc_file *file, enum hp_point_role role, struct hp_error *err)
{
	bool more = true;
	int ret = 0;

	for (size_t place = 0; more && !ret; place++)
		ret = arm_place(proof, process, file, role, place, &more, err);
	return ret;
}

static int arm(struct process_proof *proof, struct hp_process_row *row, struct hp_error *err)
{
	struct hp_proc_file target;
	int ret;

	if (!row->targets)
		return 0;
	hp_proc__target_file(&row->record.process, &target);
	ret = arm_file(proof, &row->record.process, &target, HP_POINT_OLD_BODY, err);
	if (!ret && row->hotfix_file.inode)
		ret = arm_file(proof, &row->record.process, &row->hotfix_file, HP_POINT_NEW_ENTRY,
			       err);
	return ret;
}

/* Add the processes that came in the window; they are found by the same search. */
static int add_new(struct process_proof *proof, struct hp_error *err)
{
	struct hp_processes found;
	int ret = proof->opts->search_again(proof->proc, &found, proof->opts->search_arg, err);

	if (ret)
		return ret;
	ret = hp_processes_report__add(proof->report, &found, err);
	hp_processes__free(&found);
	return ret;
}

/* The file that has the point of that role. */
static void file_of(const struct hp_process_row *row, enum hp_point_role role,
		    struct hp_proc_file *file)
{
	if (role == HP_POINT_NEW_ENTRY)
		*file = row->hotfix_file;
	else
		hp_proc__target_file(&row->record.process, file);
}

/* What was counted at one role's points. */
struct seen {
	uint64_t calls;
	bool complete, at_most;
};

/* The calls of the process there; false with @why when they could not be counted. */
static bool count(struct process_proof *proof, const struct hp_process_row *row, size_t i,
		  enum hp_point_role role, struct seen *seen, char *why, size_t size)
{
	struct hp_proc_file file;
	size_t places = 1;

	file_of(row, role, &file);
	*seen = (struct seen){ .complete = true };
	for (size_t place = 0; place < places; place++) {
		struct probed_file *probed = find_file(proof, &file, role, place);
		const struct probe *probe = probed ? &probed->probes[i] : NULL;
		uint64_t calls = 0, lost = 0;

		if (!probe) {
			snprintf(why, size,
				 "the process was not known when the probes were placed");
			return false;
		}
		if (probe->obstacle.reason != HP_E_NONE) {
			snprintf(why, size, "%.150s", probe->obstacle.message);
			return false;
		}
		places = probe->places;
		seen->complete &= probe->complete;
		seen->at_most = probe->at_most;
		if (!probe->needed)
			continue;
		if (hp_observer__read_process(hp_watch__observer(proof->watch),
					      slot_of(proof, probed, i), role, HP_PM_ACTIVE,
					      row->record.process.pid, &calls, &lost)) {
			snprintf(why, size, "the counters cannot be read");
			return false;
		}
		if (lost) {
			snprintf(why, size, "there were more processes than counters");
			return false;
		}
		seen->calls += calls;
	}
	return true;
}

/* Who called there. What cannot be found out is left out: the calls are counted. */
static void add_callers_at(struct process_proof *proof, const struct hp_process_row *row, size_t i,
			   const struct probed_file *probed, const struct hp_maps *maps,
			   struct hp_process_callers *out)
{
	pid_t pid = row->record.process.pid;
	_cleanup_free_ struct hp_caller *seen = NULL;
	struct hp_process_caller *grown;
	size_t count = 0;

	if (!probed->probes[i].needed || probed->probes[i].obstacle.reason != HP_E_NONE ||
	    hp_observer__read_process_callers(hp_watch__observer(proof->watch),
					      slot_of(proof, probed, i), probed->role, HP_PM_ACTIVE,
					      pid, &seen, &count))
		return;
	grown = realloc(out->list, (out->count + count + 1) * sizeof(*grown));
	if (!grown)
		return;
	out->list = grown;
	for (size_t c = 0; c < count; c++) {
		struct hp_process_caller *caller = &out->list[out->count++];

		hp_proc__where(proof->proc, pid, maps, seen[c].address, &caller->where);
		caller->next = seen[c].address;
		caller->calls = seen[c].calls;
	}
}

static void find_callers(struct process_proof *proof, const struct hp_process_row *row, size_t i,
			 enum hp_point_role role, const struct hp_maps *maps,
			 struct hp_process_callers *out)
{
	const struct probed_file *probed;
	struct hp_proc_file file;

	file_of(row, role, &file);
	for (size_t place = 0; (probed = find_file(proof, &file, role, place)); place++)
		add_callers_at(proof, row, i, probed, maps, out);
}

static int find_all_callers(struct process_proof *proof, struct hp_process_sites *sites,
			    struct hp_process_row *row)
{
	struct hp_maps maps = { 0 };
	int ret;

	if (!row->targets || hp_maps__read(&maps, row->record.process.pid))
		return 0;
	for (size_t i = 0; i < proof->meta->forward_count; i++) {
		struct hp_process_target *t = &row->targets[i];

		if (row->hotfix_file.inode)
			find_callers(proof, row, i, HP_POINT_NEW_ENTRY, &maps, &t->callers);
		find_callers(proof, row, i, HP_POINT_OLD_BODY, &maps, &t->stale_callers);
	}
	ret = hp_process_sites__fill(sites, row, &maps);
	hp_maps__free(&maps);
	return ret;
}

static void decide(struct process_proof *proof, struct hp_process_row *row, size_t i)
{
	struct hp_process_target *t = &row->targets[i];
	struct seen new = { 0 }, old = { 0 };
	char why[160] = "";
	/* Nobody can call a replacement that is not mapped. */
	bool mapped = row->hotfix_file.inode != 0;
	bool new_seen = !mapped || count(proof, row, i, HP_POINT_NEW_ENTRY, &new, why, sizeof(why));
	bool old_seen = count(proof, row, i, HP_POINT_OLD_BODY, &old, why, sizeof(why));
	bool in_place = t->was_in_place && t->read_back.redirect == HP_REDIRECT_IN_PLACE;
	/*
	 * Calls may end within the overwritten bytes, or leave the function there. While these are the
	 * jump, nobody runs them. Of code that is not the file's none is seen.
	 */
	bool moved = t->read_back.body_moved;
	bool blind = old_seen && !old.calls && (!old.complete || moved);
	struct hp_site_totals sites = hp_call_sites__totals(&t->call_sites);
	struct hp_evidence evidence = {
		.registered = mapped && t->read_back.redirect != HP_REDIRECT_ABSENT,
		.redirect = t->read_back.redirect,
		.redirect_reason = t->read_back.reason,
		.observed = new_seen && old_seen && (!blind || in_place),
		.obstacle =
			*why	? why
			: moved ? "the process runs a copy of the target's code, in memory of no file"
				: "not every call of the old body can be seen",
		.redirected = new.calls,
		.stale = old.calls,
		.stale_at_most = old.at_most,
		.min_calls = proof->opts->min_calls,
		.min_coverage = proof->opts->min_coverage,
		.sites_obstacle = t->call_sites.known ? NULL : t->call_sites.reason,
		.sites_known = t->call_sites.known ? sites.countable : 0,
		.sites_redirected = sites.redirected,
	};
	size_t used;

	t->redirected = new_seen ? new.calls : HP_COUNT_UNKNOWN;
	t->stale = old_seen && !blind ? old.calls : HP_COUNT_UNKNOWN;
	t->stale_at_most = old.at_most;
	t->verdict = hp_verdict__decide(&evidence, t->reason, sizeof(t->reason));
	used = strlen(t->reason);
	if (t->verdict == HP_VERDICT_LIVE && blind)
		snprintf(t->reason + used, sizeof(t->reason) - used,
			 "; not every call of the old body could be seen: the entry was in place "
			 "before and after");
	if (t->verdict == HP_VERDICT_ABSENT && t->read_back.redirect == HP_REDIRECT_SUPERSEDED)
		snprintf(t->reason, sizeof(t->reason), "%s", t->read_back.reason);
	/* Not applied, and called: that is what makes the difference to who believes it is. */
	if (t->verdict == HP_VERDICT_ABSENT && evidence.stale) {
		t->verdict = HP_VERDICT_STALE;
		snprintf(t->reason, sizeof(t->reason),
			 "not applied to this process: %s%" PRIu64 " call%s ran the old body",
			 old.at_most ? "at most " : "", evidence.stale,
			 evidence.stale == 1 ? "" : "s");
	}
}

/* What was read back when the probes were placed. */
static void remember(struct hp_process_row *row, size_t targets)
{
	for (size_t i = 0; row->targets && i < targets; i++)
		row->targets[i].was_in_place =
			row->targets[i].read_back.redirect == HP_REDIRECT_IN_PLACE;
}

/* All calls of the replacements, by whichever process. */
static uint64_t count_calls(const struct process_proof *proof)
{
	uint64_t calls = 0;

	for (size_t f = 0; f < proof->file_count; f++)
		for (size_t i = 0; i < proof->meta->forward_count; i++)
			if (proof->files[f].role == HP_POINT_NEW_ENTRY)
				calls += hp_observer__calls(hp_watch__observer(proof->watch),
							    slot_of(proof, &proof->files[f], i),
							    HP_POINT_NEW_ENTRY, HP_PM_ACTIVE);
	return calls;
}

static bool is_exercised(struct process_proof *proof, const struct hp_process_row *row, size_t i)
{
	struct seen seen;
	char why[160];

	return row->hotfix_file.inode &&
	       count(proof, row, i, HP_POINT_NEW_ENTRY, &seen, why, sizeof(why)) &&
	       seen.calls >= (proof->opts->min_calls ?: 1);
}

/* Of one that ended nothing more can come. */
static bool has_ended(const struct hp_process_row *row)
{
	return kill(row->record.process.pid, 0) && errno == ESRCH;
}

static void add_exercised(struct process_proof *proof, struct hp_exercised *out)
{
	uint64_t calls = count_calls(proof);
	bool more = calls != proof->calls;

	proof->calls = calls;
	out->calls += calls;
	for (size_t r = 0; r < proof->report->count; r++) {
		struct hp_process_row *row = &proof->report->rows[r];

		if (!row->targets || (proof->opts->until_exercised && has_ended(row)))
			continue;
		for (size_t i = 0; i < proof->meta->forward_count; i++) {
			struct hp_process_target *t = &row->targets[i];

			if (more && !t->is_exercised)
				t->is_exercised = is_exercised(proof, row, i);
			out->wanted++;
			out->exercised += t->is_exercised;
		}
	}
}

static void count_all_exercised(void *arg, struct hp_exercised *out)
{
	struct all_proofs *all = arg;

	for (size_t i = 0; i < all->count; i++)
		add_exercised(&all->list[i], out);
}

/* How many files the processes have at that role's point: as many as copies, in containers say. */
static size_t count_files(const struct hp_processes_report *report, enum hp_point_role role)
{
	struct hp_proc_file own, other;
	size_t count = 0;

	for (size_t i = 0, j; i < report->count; i++) {
		file_of(&report->rows[i], role, &own);
		for (j = 0; j < i; j++) {
			file_of(&report->rows[j], role, &other);
			if (is_same_file(&own, &other))
				break;
		}
		count += j == i && own.inode;
	}
	return count;
}

/* Look at all processes, and make room for the files that they map. */
static int look(struct process_proof *proof, struct hp_error *err)
{
	struct hp_processes_report *report = proof->report;
	int ret = 0;

	for (size_t i = 0; i < report->count && !ret; i++) {
		ret = hp_process_row__look(proof->proc, &report->rows[i], err);
		remember(&report->rows[i], proof->meta->forward_count);
	}
	if (ret)
		return ret;
	proof->file_room = count_files(report, HP_POINT_OLD_BODY) * HP_PROC_POINTS_MAX +
			   count_files(report, HP_POINT_NEW_ENTRY);
	proof->files = calloc(proof->file_room + 1, sizeof(*proof->files));
	return proof->files ? 0 : hp_fail(err, HP_E_NOMEM, "out of memory");
}

static int arm_all(struct process_proof *proof, struct hp_error *err)
{
	int ret = 0;

	for (size_t i = 0; i < proof->report->count && !ret; i++)
		ret = arm(proof, &proof->report->rows[i], err);
	return ret;
}

static int end(struct process_proof *proof, const struct hp_window_result *result,
	       struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_process_sites__close) struct hp_process_sites *sites = NULL;
	const struct hp_process_proof_opts *opts = proof->opts;
	struct hp_processes_report *report = proof->report;
	int ret = 0;

	if (opts->search_again)
		ret = add_new(proof, err);
	/* Read back again: what was in place before the window must be so behind it. */
	for (size_t i = 0; i < report->count && !ret; i++)
		ret = hp_process_row__look(proof->proc, &report->rows[i], err);
	if (ret)
		return ret;
	report->window_ns = result->ns;
	report->exercise.command = opts->exercise;
	report->exercise.status = result->exercise_status;
	report->interrupted = result->interrupted;
	ret = hp_process_sites__open(&sites, proof->proc);
	for (size_t i = 0; i < report->count && !ret; i++)
		ret = find_all_callers(proof, sites, &report->rows[i]);
	if (ret)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < report->count; i++)
		for (size_t t = 0; report->rows[i].targets && t < proof->meta->forward_count; t++)
			decide(proof, &report->rows[i], t);
	return 0;
}

static int observe(struct all_proofs *all, const struct hp_process_proof_opts *opts,
		   struct hp_error *err)
{
	struct hp_window window = {
		.state = HP_PM_ACTIVE,
		.for_ns = opts->for_ns,
		.exercise = opts->exercise,
		.until_exercised = opts->until_exercised,
		.count = count_all_exercised,
		.count_arg = all,
		.what = "verifying",
	};
	struct hp_window_result result;
	int ret = 0;

	for (size_t i = 0; i < all->count && !ret; i++)
		ret = arm_all(&all->list[i], err);
	ret = ret ?: hp_watch__run(all->watch, &window, &result, err);
	for (size_t i = 0; i < all->count && !ret; i++)
		ret = end(&all->list[i], &result, err);
	return ret;
}

/* The proofs share one watch; each has its own slots in it. */
static int open_watch(struct all_proofs *all, const struct hp_process_proof_opts *opts,
		      struct hp_error *err)
{
	struct hp_observer_opts observer = { .scope = opts->exercise != NULL };
	int ret;

	for (size_t i = 0; i < all->count; i++) {
		struct process_proof *proof = &all->list[i];
		size_t targets = proof->meta->forward_count;

		proof->first_slot = observer.targets;
		observer.targets += (proof->file_room + 1) * targets;
		/* Each is counted at its replacement, and where its old body goes on. */
		observer.process_counters +=
			(proof->report->count + ROOM_FOR_MORE) * targets * (1 + HP_PROC_POINTS_MAX);
	}
	ret = hp_watch__open(&all->watch, &observer, err);
	for (size_t i = 0; i < all->count && !ret; i++)
		all->list[i].watch = all->watch;
	return ret;
}

int hp_process_proof__run(struct hp_process_subject *subjects, size_t count,
			  const struct hp_process_proof_opts *opts, struct hp_error *err)
{
	struct all_proofs all = { calloc(count + 1, sizeof(struct process_proof)), count, NULL };
	int ret = 0;

	if (!all.list)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		all.list[i].proc = subjects[i].proc;
		all.list[i].report = &subjects[i].report;
		all.list[i].meta = hp_hotfix__meta(hp_proc__hotfix(subjects[i].proc));
		all.list[i].opts = opts;
	}
	for (size_t i = 0; i < count && !ret; i++)
		ret = look(&all.list[i], err);
	ret = ret ?: open_watch(&all, opts, err);
	if (!ret) {
		ret = observe(&all, opts, err);
		hp_watch__close(all.watch);
	}
	for (size_t i = 0; i < count; i++) {
		for (size_t f = 0; f < all.list[i].file_count; f++)
			free(all.list[i].files[f].probes);
		free(all.list[i].files);
	}
	free(all.list);
	return ret;
}
