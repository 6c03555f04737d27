// SPDX-License-Identifier: GPL-2.0
/*
 * The published schemas. Each stands alone, so that any
 * validator takes it; the definitions that they share must be the same in all, and nothing in them
 * may be left open.
 */
#include "report.h"

static json_t *load(const char *path)
{
	json_error_t error;
	json_t *schema = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

	if (!schema)
		fail_msg("%s: line %d: %s", path, error.line, error.text);
	return schema;
}

static void with_all(void (*check)(const char *path, json_t *schema, void *arg), void *arg)
{
	static const char *const verbs[] = { "verify",	"measure", "apply", "revert", "status",
					     "recover", "inspect", "error", "guard" };

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		char path[64];
		json_t *schema;

		snprintf(path, sizeof(path), "docs/schema/%s.schema.json", verbs[i]);
		schema = load(path);
		check(path, schema, arg);
		json_decref(schema);
	}
}

static void collect(const char *path, json_t *schema, void *arg)
{
	const char *name;
	json_t *def;

	json_object_foreach(json_object_get(schema, "$defs"), name, def)
	{
		const json_t *known = json_object_get(arg, name);

		if (known && !json_equal(known, def))
			fail_msg("%s: $defs/%s is not as in another schema", path, name);
		json_object_set(arg, name, def);
	}
}

static void shared_definitions_are_equal(void **state)
{
	json_t *defs = json_object();

	with_all(collect, defs);
	assert_true(json_object_size(defs) > 10);
	json_decref(defs);
}

/* An object with properties allows no others, and says which of them must be there. */
static void assert_closed(const char *path, const json_t *node)
{
	const char *name;
	json_t *child;
	size_t i;

	if (json_is_object(node) && json_is_object(json_object_get(node, "properties"))) {
		if (!json_is_false(json_object_get(node, "additionalProperties")))
			fail_msg("%s: an object allows additional properties", path);
		if (!json_is_array(json_object_get(node, "required")))
			fail_msg("%s: an object requires nothing", path);
	}
	json_object_foreach((json_t *)node, name, child) assert_closed(path, child);
	json_array_foreach(node, i, child) assert_closed(path, child);
}

static void check_closed(const char *path, json_t *schema, void *arg)
{
	assert_string_equal(json_string_value(json_object_get(schema, "$schema")),
			    "https://json-schema.org/draft/2020-12/schema");
	assert_closed(path, schema);
}

static void objects_are_closed(void **state)
{
	with_all(check_closed, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_definitions_are_equal),
		cmocka_unit_test(objects_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
