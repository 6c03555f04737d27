// SPDX-License-Identifier: GPL-2.0
/* JUnit XML, read back by an XML parser that is not ours. */
#include "report.h"

#include <errno.h>
#include <unistd.h>

#include "report/junit.h"

static struct hp_verify_report make(struct hp_verify_target *targets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		targets[i] = (struct hp_verify_target){
			.target = { .object = "vmlinux" },
			.calls = HP_COUNT_UNKNOWN,
			.redirected = 10 + i,
			.verdict = HP_VERDICT_LIVE,
			.reason = "all redirected",
		};
		snprintf(targets[i].target.hotfix, HP_NAME_MAX, "fix%zu", i % 2);
		snprintf(targets[i].target.symbol, HP_SYMBOL_MAX, "function%zu", i);
	}
	return (struct hp_verify_report){ .targets = targets,
					  .target_count = count,
					  .window_ns = 10250000000 };
}

/*
 * What Python's parser finds in the document: counts of elements, and the attributes of failures.
 * An empty answer means that it is no XML.
 */
static char *parse(const struct hp_verify_report *report, const struct hp_error *failure)
{
	static const char script[] =
		"import sys, xml.etree.ElementTree as e\n"
		"r = e.parse(sys.argv[1]).getroot()\n"
		"print(r.tag, r.get('tests'), r.get('failures'), r.get('errors'), r.get('time'))\n"
		"for s in r.findall('testsuite'):\n"
		"    print(s.get('name'), s.get('tests'), s.get('failures'), s.get('errors'))\n"
		"    for c in s.findall('testcase'):\n"
		"        f = c.find('failure')\n"
		"        f = c.find('error') if f is None else f\n"
		"        print('', c.get('classname'), c.get('name'),\n"
		"              repr(f.get('message')) if f is not None else 'ok',\n"
		"              f.get('type') if f is not None else '')\n";
	char path[] = "/tmp/hotproof-test-XXXXXX";
	_cleanup_free_ char *command = NULL;
	struct hp_error err = { 0 };
	char *text = NULL;
	size_t size = 0;
	FILE *pipe;
	int fd;

	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(hp_junit__write(report, failure, path, &err), 0);
	assert_true(asprintf(&command, "PYTHONIOENCODING=utf-8 python3 -c \"%s\" %s", script,
			     path) > 0);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_true(getdelim(&text, &size, '\0', pipe) > 0);
	assert_int_equal(pclose(pipe), 0);
	unlink(path);
	return text;
}

static void suites_and_cases(void **state)
{
	struct hp_verify_target targets[3];
	struct hp_verify_report report = make(targets, 3);
	_cleanup_free_ char *text = NULL;

	targets[2].verdict = HP_VERDICT_STALE;
	targets[2].target.sympos = 2;
	strcpy(targets[2].reason, "3 calls ran the old body");
	text = parse(&report, NULL);
	assert_string_equal(text, "testsuites 3 1 0 10.250\n"
				  "fix0 2 1 0\n"
				  " fix0 vmlinux/function0 ok \n"
				  " fix0 vmlinux/function2,2 'stale: 3 calls ran the old body' "
				  "stale\n"
				  "fix1 1 0 0\n"
				  " fix1 vmlinux/function1 ok \n");
}

static void any_text_survives(void **state)
{
	struct hp_verify_target targets[1];
	struct hp_verify_report report = make(targets, 1);
	_cleanup_free_ char *text = NULL;

	targets[0].verdict = HP_VERDICT_UNKNOWN;
	strcpy(targets[0].target.symbol, "a<b>&\"c\"'d'");
	strcpy(targets[0].reason, "\x01]]>\ttab\nline \xff\xc3\xa4 \xed\xa0\x80 \xf0\x9f\x94\xa5");
	text = parse(&report, NULL);
	assert_contains(text, " fix0 vmlinux/a<b>&\"c\"'d' 'unknown: \ufffd]]>\\ttab\\nline "
			      "\ufffdä \ufffd\ufffd\ufffd 🔥' unknown\n");
}

static void no_target_is_a_document_too(void **state)
{
	struct hp_verify_report report = make(NULL, 0);
	_cleanup_free_ char *text = parse(&report, NULL);

	assert_string_equal(text,
			    "testsuites 1 1 0 10.250\n"
			    "hotproof 1 1 0\n"
			    " hotproof livepatches 'absent: no livepatch is loaded' absent\n");
}

/* Each target is live, and yet the run was no success: the document has to say so. */
static void what_is_no_targets_fault(void **state)
{
	struct hp_verify_target targets[1];
	struct hp_verify_report report = make(targets, 1);
	struct hp_error interrupted = { .reason = HP_E_INTERRUPTED, .message = "a < b" };
	struct hp_error none = { 0 };
	char *text;

	report.exercise.command = "exit 3";
	report.exercise.status = 3;
	text = parse(&report, &none);
	assert_string_equal(text, "testsuites 2 1 0 10.250\n"
				  "fix0 1 0 0\n"
				  " fix0 vmlinux/function0 ok \n"
				  "hotproof 1 1 0\n"
				  " hotproof exercise 'the workload failed with status 3' "
				  "exercise\n");
	free(text);
	report.exercise.status = -1; /* stopped at the end of the window */
	text = parse(&report, &interrupted);
	assert_string_equal(text, "testsuites 2 0 1 10.250\n"
				  "fix0 1 0 0\n"
				  " fix0 vmlinux/function0 ok \n"
				  "hotproof 1 0 1\n"
				  " hotproof run 'a < b' HP_E_INTERRUPTED\n");
	free(text);
}

/* An apply that was refused: no target, and the reason in place of "no livepatch". */
static void a_refusal_is_a_document_too(void **state)
{
	struct hp_verify_report report = { 0 };
	struct hp_error refused = { .reason = HP_E_MODULE_VERMAGIC, .message = "another kernel" };
	_cleanup_free_ char *text = parse(&report, &refused);

	assert_string_equal(text, "testsuites 1 0 1 0.000\n"
				  "hotproof 1 0 1\n"
				  " hotproof run 'another kernel' HP_E_MODULE_VERMAGIC\n");
}

static void escape(const char *text, const char *expected)
{
	_cleanup_free_ char *escaped = NULL;
	struct memory memory;

	open_memory(&memory);
	hp_junit__escape(memory.stream, text);
	escaped = take_text(&memory);
	assert_string_equal(escaped, expected);
}

static void escapes(void **state)
{
	escape("plain", "plain");
	escape("<&>\"'", "&lt;&amp;&gt;&quot;'");
	escape("\r\n\t\x7f", "&#13;&#10;&#9;\x7f");
	escape("\xc0\x80", "\ufffd\ufffd");			/* an overlong NUL */
	escape("\xe0\x80\x80x", "\ufffd\ufffd\ufffdx");		/* overlong */
	escape("\xc3", "\ufffd");				/* cut off */
	escape("\xef\xbf\xbf|\xef\xbf\xbe", "\ufffd|\ufffd");	/* not characters in XML */
	escape("\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"); /* beyond Unicode */
}

static void what_cannot_be_written(void **state)
{
	struct hp_verify_target targets[1];
	struct hp_verify_report report = make(targets, 1);
	struct hp_error err = { 0 };

	assert_int_equal(hp_junit__write(&report, NULL, "/nonexistent/report.xml", &err), -ENOENT);
	assert_int_equal(err.reason, HP_E_OUTPUT);
	err = (struct hp_error){ 0 };
	assert_int_equal(hp_junit__write(&report, NULL, "/dev/full", &err), -EIO);
	assert_int_equal(err.reason, HP_E_OUTPUT);
	assert_int_equal(hp_junit__write(&report, NULL, "/dev/null", NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suites_and_cases),
		cmocka_unit_test(any_text_survives),
		cmocka_unit_test(no_target_is_a_document_too),
		cmocka_unit_test(what_is_no_targets_fault),
		cmocka_unit_test(a_refusal_is_a_document_too),
		cmocka_unit_test(escapes),
		cmocka_unit_test(what_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
