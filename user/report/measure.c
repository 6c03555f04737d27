// SPDX-License-Identifier: GPL-2.0
/* What calls cost: the comparison and the JSON. */
#include "report/measure.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "observe/hist.h"
#include "report/json.h"

struct hp_hist *hp_measure_side__start(struct hp_measure_side *side)
{
	free(side->hist);
	side->hist = calloc(1, sizeof(*side->hist));
	side->measured = side->hist;
	return side->hist;
}

void hp_measure_report__stamp(struct hp_measure_report *report)
{
	struct hp_build_id id;
	time_t now = time(NULL);
	struct tm utc;

	strftime(report->measured_at, sizeof(report->measured_at), "%Y-%m-%dT%H:%M:%SZ",
		 gmtime_r(&now, &utc));
	report->kernel_build_id[0] = '\0';
	if (!hp_build_id__read(&id, "/sys/kernel/notes"))
		hp_build_id__format(&id, report->kernel_build_id);
}

struct hp_measure_function *hp_measure_report__find(const struct hp_measure_report *report,
						    const char *object, const char *symbol,
						    uint64_t sympos)
{
	for (size_t i = 0; i < report->function_count; i++) {
		struct hp_measure_function *f = &report->functions[i];

		/* "The only one" and "the first" are the same function. */
		if (!strcmp(f->object, object) && !strcmp(f->symbol, symbol) &&
		    (f->sympos ?: 1) == (sympos ?: 1))
			return f;
	}
	return NULL;
}

void hp_measure_report__complete(struct hp_measure_report *report,
				 struct hp_measure_report *earlier, const char *path)
{
	for (size_t i = 0; i < report->function_count; i++) {
		struct hp_measure_function *f = &report->functions[i];
		struct hp_measure_function *before =
			hp_measure_report__find(earlier, f->object, f->symbol, f->sympos);

		for (int s = 0; before && s < HP_MEASURE_SIDES; s++) {
			if (f->side[s].measured || !before->side[s].measured)
				continue;
			f->side[s] = before->side[s];
			before->side[s] = (struct hp_measure_side){ 0 };
			f->side[s].earlier = path;
			memcpy(f->side[s].earlier_at, earlier->measured_at,
			       sizeof(f->side[s].earlier_at));
		}
	}
}

/* How far the probes' cost of the two sides may differ, which no number of calls makes less. */
static void widen(struct hp_difference *d, double by)
{
	d->low -= by;
	d->high += by;
	d->significant = d->low > 0 || d->high < 0;
}

static int compare(struct hp_measure_function *function, uint64_t seed)
{
	const struct hp_measure_side *side = function->side;
	struct hp_bootstrap_opts opts = { .seed = seed };
	struct hp_bootstrap_side sides[HP_MEASURE_SIDES];
	int ret;

	function->comparison = (struct hp_comparison){ 0 };
	for (int i = 0; i < HP_MEASURE_SIDES; i++) {
		if (!side[i].measured)
			return 0;
		sides[i].hist = side[i].hist;
		sides[i].cost = side[i].probe_cost;
	}
	ret = hp_bootstrap__compare(&sides[HP_MEASURE_OLD], &sides[HP_MEASURE_NEW], &opts,
				    &function->comparison);
	if (!ret && function->comparison.enough && side[HP_MEASURE_OLD].processes) {
		double spread =
			side[HP_MEASURE_OLD].probe_spread + side[HP_MEASURE_NEW].probe_spread;

		widen(&function->comparison.mean, spread);
		widen(&function->comparison.median, spread);
	}
	return ret;
}

int hp_measure_report__finish(struct hp_measure_report *report, uint64_t seed)
{
	report->status = report->function_count ? HP_EXIT_OK : HP_EXIT_VERIFY;
	for (size_t i = 0; i < report->function_count; i++) {
		struct hp_measure_function *function = &report->functions[i];
		uint64_t calls = 0;
		int ret = compare(function, seed);

		if (ret)
			return ret;
		for (int s = 0; s < HP_MEASURE_SIDES; s++)
			if (function->side[s].measured && !function->side[s].earlier)
				calls += function->side[s].hist->count;
		if (!calls)
			report->status = HP_EXIT_VERIFY;
	}
	return 0;
}

void hp_measure_report__free(struct hp_measure_report *report)
{
	for (size_t i = 0; i < report->function_count; i++)
		for (int s = 0; s < HP_MEASURE_SIDES; s++)
			free(report->functions[i].side[s].hist);
	free(report->functions);
	*report = (struct hp_measure_report){ 0 };
}

static json_t *latency_json(const struct hp_latency *l)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "mean_ns", l->mean, "p50_ns", l->p50,
			 "p90_ns", l->p90, "p99_ns", l->p99, "p999_ns", l->p999, "max_ns", l->max);
}

/* The buckets in use. Both ends belong to the bucket. */
static json_t *hist_json(const struct hp_hist *hist)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < HP_HIST_BUCKETS; i++)
		if (hist->bucket[i])
			hp_json_append(&array, json_pack("{s:I, s:I, s:I}", "from_ns",
							 (json_int_t)HP_HIST_LOWER(i), "to_ns",
							 (json_int_t)hp_hist__bucket_upper(hist, i),
							 "calls", (json_int_t)hist->bucket[i]));
	return array;
}

static json_t *side_json(const struct hp_measure_side *side)
{
	json_t *raw = json_null(), *net = json_null(), *buckets = json_array();
	json_t *earlier = json_null();
	json_int_t count = 0;

	if (side->measured)
		count = (json_int_t)side->hist->count;
	if (count) {
		struct hp_latency latency = hp_hist__latency(side->hist, 0);

		raw = latency_json(&latency);
		latency = hp_hist__latency(side->hist, side->probe_cost);
		net = latency_json(&latency);
		json_decref(buckets);
		buckets = hist_json(side->hist);
	}
	if (side->earlier)
		earlier = json_pack("{s:o, s:s}", "file", hp_json_text(side->earlier),
				    "measured_at", side->earlier_at);
	return json_pack(
		"{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o}",
		"measured", side->measured, "reason", hp_json_text_or_null(side->reason), "earlier",
		earlier, "function", hp_json_text_or_null(side->symbol), "method",
		hp_json_text(side->measured ? side->method : NULL), "processes",
		side->processes ? json_integer((json_int_t)side->processes) : json_null(),
		"probe_cost_ns", side->measured ? json_real(side->probe_cost) : json_null(),
		"probe_spread_ns", side->processes ? json_real(side->probe_spread) : json_null(),
		"window_ns", (json_int_t)side->window_ns, "calls", count, "untimed",
		(json_int_t)side->untimed, "misses",
		side->measured && side->misses != HP_COUNT_UNKNOWN
			? json_integer((json_int_t)side->misses)
			: json_null(),
		"raw", raw, "net", net, "histogram", buckets);
}

static json_t *difference_json(const struct hp_difference *d)
{
	return json_pack("{s:f, s:f, s:f, s:b}", "estimate_ns", d->estimate, "low_ns", d->low,
			 "high_ns", d->high, "significant", d->significant);
}

static json_t *comparison_json(const struct hp_measure_function *f)
{
	const struct hp_comparison *c = &f->comparison;
	const struct hp_measure_side *old_side = &f->side[HP_MEASURE_OLD];
	const struct hp_measure_side *new_side = &f->side[HP_MEASURE_NEW];
	bool same;

	if (!old_side->measured || !new_side->measured)
		return json_null();
	same = old_side->method && new_side->method && !strcmp(old_side->method, new_side->method);
	return json_pack("{s:b, s:I, s:f, s:b, s:o, s:o, s:o}", "enough", c->enough, "fewest",
			 (json_int_t)c->fewest, "confidence", c->confidence, "same_method", same,
			 "mean", c->enough ? difference_json(&c->mean) : json_null(), "median",
			 c->enough ? difference_json(&c->median) : json_null(),
			 "median_resolution_ns",
			 c->enough ? json_real(c->median_resolution) : json_null());
}

static json_t *function_json(const struct hp_measure_function *f)
{
	return json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "symbol",
			 hp_json_text(f->symbol), "object", hp_json_text_or_null(f->object),
			 "object_build_id", hp_json_text_or_null(f->object_id), "sympos",
			 (json_int_t)f->sympos, "hotfix", hp_json_text_or_null(f->livepatch), "old",
			 side_json(&f->side[HP_MEASURE_OLD]), "new",
			 side_json(&f->side[HP_MEASURE_NEW]), "comparison", comparison_json(f));
}

json_t *hp_measure_report__body(const struct hp_measure_report *report)
{
	json_t *functions = json_array();
	json_t *exercise = json_null();

	for (size_t i = 0; i < report->function_count; i++)
		hp_json_append(&functions, function_json(&report->functions[i]));
	if (report->exercise.command)
		exercise =
			json_pack("{s:o, s:o}", "command", hp_json_text(report->exercise.command),
				  "status", hp_json_exercise_status(report->exercise.status));
	return json_pack("{s:i, s:s, s:o, s:o, s:o}", "status", (int)report->status, "measured_at",
			 report->measured_at, "kernel_build_id",
			 hp_json_text_or_null(report->kernel_build_id), "exercise", exercise,
			 "functions", functions);
}

json_t *hp_measure_report__json(const struct hp_measure_report *report)
{
	return hp_json_envelope("measure", 1, hp_measure_report__body(report));
}
