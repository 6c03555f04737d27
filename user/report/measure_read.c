// SPDX-License-Identifier: GPL-2.0
/* A measurement read back from the JSON report of an earlier run, to compare this run with it. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "observe/hist.h"
#include "observe/point.h"
#include "report/measure.h"

HP_DEFINE_CLEANUP(json_t *, json_decref)

/* The one string for each method that times, or NULL. */
static const char *known_method(const char *name)
{
	enum hp_method method = hp_method_find(name);

	if (method == HP_METHOD_FENTRY_FEXIT || method == HP_METHOD_KPROBE_KRETPROBE ||
	    hp_method_times_processes(method))
		return hp_method_name(method);
	return NULL;
}

/* Buckets that the observer has, and as many calls in them as the report says. */
static int read_hist(struct hp_hist *hist, json_t *buckets, json_int_t calls, json_t *raw)
{
	double mean = 0, max = 0;
	json_t *bucket;
	size_t i;

	json_array_foreach(buckets, i, bucket)
	{
		json_int_t from, n;
		uint32_t index;

		if (json_unpack(bucket, "{s:I, s:I}", "from_ns", &from, "calls", &n) || from < 0 ||
		    n <= 0)
			return -EBADMSG;
		index = hp_hist_index((uint64_t)from);
		if (HP_HIST_LOWER(index) != (uint64_t)from || hist->bucket[index])
			return -EBADMSG;
		hist->bucket[index] = (uint64_t)n;
		hist->count += (uint64_t)n;
	}
	if (hist->count != (uint64_t)calls)
		return -EBADMSG;
	if (!calls)
		return 0;
	if (json_unpack(raw, "{s:F, s:F}", "mean_ns", &mean, "max_ns", &max) || !(mean >= 0) ||
	    !(max >= 0) || mean > max)
		return -EBADMSG;
	hist->sum = (uint64_t)llround(mean * (double)calls);
	hist->max = (uint64_t)llround(max);
	return 0;
}

static int read_side(struct hp_measure_side *side, json_t *json)
{
	json_int_t window, calls, untimed, misses = 0;
	json_t *earlier, *buckets, *raw, *misses_json, *processes = NULL, *spread = NULL;
	const char *symbol, *method;
	struct hp_hist *hist;
	int measured;

	if (json_unpack(json, "{s:b, s:o}", "measured", &measured, "earlier", &earlier))
		return -EBADMSG;
	if (!measured || !json_is_null(earlier))
		return 0;
	if (json_unpack(json, "{s:s, s:s, s?o, s?o, s:F, s:I, s:I, s:I, s:o, s:o, s:o}", "function",
			&symbol, "method", &method, "processes", &processes, "probe_spread_ns",
			&spread, "probe_cost_ns", &side->probe_cost, "window_ns", &window, "calls",
			&calls, "untimed", &untimed, "misses", &misses_json, "raw", &raw,
			"histogram", &buckets))
		return -EBADMSG;
	side->misses = HP_COUNT_UNKNOWN;
	if (json_is_integer(misses_json)) {
		misses = json_integer_value(misses_json);
		side->misses = (uint64_t)misses;
	} else if (!json_is_null(misses_json)) {
		return -EBADMSG;
	}
	side->method = known_method(method);
	if (!side->method || !(side->probe_cost >= 0) || window < 0 || calls < 0 || untimed < 0 ||
	    misses < 0 || strlen(symbol) >= sizeof(side->symbol))
		return -EBADMSG;
	memcpy(side->symbol, symbol, strlen(symbol) + 1);
	if (json_integer_value(processes) > 0) {
		side->processes = (size_t)json_integer_value(processes);
		side->probe_spread = json_number_value(spread);
		if (!(side->probe_spread >= 0))
			return -EBADMSG;
	}
	side->window_ns = (uint64_t)window;
	side->untimed = (uint64_t)untimed;
	hist = hp_measure_side__start(side);
	return hist ? read_hist(hist, buckets, calls, raw) : -ENOMEM;
}

static int read_function(struct hp_measure_function *f, json_t *json)
{
	json_t *sides[HP_MEASURE_SIDES], *id_json = NULL;
	const char *symbol, *object, *id;
	json_int_t sympos;
	int ret = 0;

	if (json_unpack(json, "{s:s, s:s, s?o, s:I, s:o, s:o}", "symbol", &symbol, "object",
			&object, "object_build_id", &id_json, "sympos", &sympos, "old",
			&sides[HP_MEASURE_OLD], "new", &sides[HP_MEASURE_NEW]))
		return -EBADMSG;
	id = json_string_value(id_json) ?: "";
	if (sympos < 0 || strlen(id) >= sizeof(f->object_id) ||
	    strlen(symbol) >= sizeof(f->symbol) || strlen(object) >= sizeof(f->object))
		return -EBADMSG;
	memcpy(f->symbol, symbol, strlen(symbol) + 1);
	memcpy(f->object, object, strlen(object) + 1);
	memcpy(f->object_id, id, strlen(id) + 1);
	f->sympos = (uint64_t)sympos;
	for (int i = 0; !ret && i < HP_MEASURE_SIDES; i++)
		ret = read_side(&f->side[i], sides[i]);
	return ret;
}

static int read_report(struct hp_measure_report *out, json_t *root)
{
	json_t *body = root, *build_id_json, *functions, *function;
	const char *schema, *measured_at, *build_id;
	size_t i;
	int ret = 0;

	if (json_unpack(root, "{s:s}", "schema", &schema))
		return -EBADMSG;
	if (!strcmp(schema, "hotproof.apply"))
		body = json_object_get(root, "measurement");
	else if (strcmp(schema, "hotproof.measure"))
		return -EBADMSG;
	if (json_unpack(body, "{s:s, s:o, s:o}", "measured_at", &measured_at, "kernel_build_id",
			&build_id_json, "functions", &functions) ||
	    strlen(measured_at) >= sizeof(out->measured_at))
		return -EBADMSG;
	build_id = json_string_value(build_id_json) ?: "";
	if (strlen(build_id) >= sizeof(out->kernel_build_id))
		return -EBADMSG;
	memcpy(out->measured_at, measured_at, strlen(measured_at) + 1);
	memcpy(out->kernel_build_id, build_id, strlen(build_id) + 1);
	out->functions = calloc(json_array_size(functions) + 1, sizeof(*out->functions));
	if (!out->functions)
		return -ENOMEM;
	out->function_count = json_array_size(functions);
	json_array_foreach(functions, i, function)
	{
		ret = read_function(&out->functions[i], function);
		if (ret)
			break;
	}
	return ret;
}

int hp_measure_report__read(struct hp_measure_report *out, const char *path, struct hp_error *err)
{
	__cleanup(hp_cleanup_json_decref) json_t *root = NULL;
	json_error_t why;
	int ret;

	*out = (struct hp_measure_report){ 0 };
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	if (!root)
		return hp_fail(err, HP_E_EARLIER, "%s: %s", path, why.text);
	ret = read_report(out, root);
	if (ret)
		hp_measure_report__free(out);
	if (ret == -ENOMEM)
		return hp_fail(err, HP_E_NOMEM, "out of memory");
	if (ret)
		return hp_fail(err, HP_E_EARLIER, "%s is no report of a measurement", path);
	return 0;
}
