// SPDX-License-Identifier: GPL-2.0
/* JUnit XML. */
#include "report/junit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "report/format.h"

/* The character at @s, its length in *@length; -1 for what is not UTF-8 or not allowed in XML. */
static int32_t decode(const unsigned char *s, size_t *length)
{
	static const int32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t need = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	int32_t c;

	*length = 1;
	if (!need || s[0] > 0xf4)
		return -1;
	c = need == 1 ? s[0] : s[0] & (0x7f >> need);
	for (size_t i = 1; i < need; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < smallest[need] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return -1;
	*length = need;
	if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
		return -1;
	return c == 0xfffe || c == 0xffff ? -1 : c;
}

void hp_junit__escape(FILE *out, const char *text)
{
	size_t length;

	for (; *text; text += length) {
		int32_t c = decode((const unsigned char *)text, &length);

		switch (c) {
		case -1:
			fputs("\xef\xbf\xbd", out); /* U+FFFD: XML has no way to write it */
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\t':
		case '\n':
		case '\r': /* a parser makes spaces of these in attributes */
			fprintf(out, "&#%d;", (int)c);
			break;
		default:
			fwrite(text, 1, length, out);
		}
	}
}

static void attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	hp_junit__escape(out, value);
	fputc('"', out);
}

static void seconds(FILE *out, uint64_t ns)
{
	fprintf(out, " time=\"%" PRIu64 ".%03" PRIu64 "\"", ns / 1000000000, ns / 1000000 % 1000);
}

/* For people who open the test case: what the table of the text report says. */
static void print_details(const struct hp_verify_target *t, FILE *out)
{
	fputs("      <system-out>", out);
	fprintf(out, "calls %s, redirected %s, stale %s, missed %s", hp_format__count(t->calls).s,
		hp_format__count(t->redirected).s, hp_format__count(t->stale).s,
		hp_format__count(t->misses).s);
	if (t->total)
		fprintf(out, ", reach %u/%u", t->switched, t->total);
	if (t->call_sites.known) {
		struct hp_site_totals sites = hp_call_sites__totals(&t->call_sites);

		fprintf(out, ", call sites redirected %u of %u", sites.redirected, sites.countable);
	}
	fputs("</system-out>\n", out);
}

static void print_case(const struct hp_verify_report *report, const struct hp_verify_target *t,
		       FILE *out)
{
	char name[HP_SYMBOL_MAX + HP_NAME_MAX + 32];

	if (!t->target.symbol[0])
		snprintf(name, sizeof(name), "(not loaded)");
	else if (t->target.sympos)
		snprintf(name, sizeof(name), "%s/%s,%" PRIu64, t->target.object, t->target.symbol,
			 t->target.sympos);
	else
		snprintf(name, sizeof(name), "%s/%s", t->target.object, t->target.symbol);
	fputs("    <testcase", out);
	attribute(out, "classname", t->target.hotfix);
	attribute(out, "name", name);
	seconds(out, report->window_ns);
	fputs(">\n", out);
	if (t->verdict != HP_VERDICT_LIVE) {
		fputs("      <failure", out);
		attribute(out, "type", hp_verdict__name(t->verdict));
		fputs(" message=\"", out);
		fprintf(out, "%s: ", hp_verdict__name(t->verdict));
		hp_junit__escape(out, t->reason);
		fputs("\"/>\n", out);
	}
	print_details(t, out);
	fputs("    </testcase>\n", out);
}

static bool same_suite(const struct hp_verify_target *a, const struct hp_verify_target *b)
{
	return !strcmp(a->target.hotfix, b->target.hotfix);
}

/* The suite that target @first opens: all targets of its livepatch. */
static void print_suite(const struct hp_verify_report *report, size_t first, FILE *out)
{
	const struct hp_verify_target *t = report->targets;
	size_t tests = 0, failures = 0;

	for (size_t i = first; i < report->target_count; i++) {
		if (!same_suite(&t[i], &t[first]))
			continue;
		tests++;
		failures += t[i].verdict != HP_VERDICT_LIVE;
	}
	fputs("  <testsuite", out);
	attribute(out, "name", t[first].target.hotfix);
	fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\"", tests, failures);
	seconds(out, report->window_ns);
	fputs(">\n", out);
	for (size_t i = first; i < report->target_count; i++)
		if (same_suite(&t[i], &t[first]))
			print_case(report, &t[i], out);
	fputs("  </testsuite>\n", out);
}

/* What is no target's fault fails a test case of our own. */
struct own_case {
	const char *name;
	const char *element; /* "failure", or "error" where nothing was proved */
	const char *type;
	char message[sizeof(((struct hp_error *)0)->message)];
};

#define OWN_CASES_MAX 2

static void __attribute__((format(printf, 6, 7)))
add_case(struct own_case *cases, size_t *count, const char *name, const char *element,
	 const char *type, const char *fmt, ...)
{
	struct own_case *c = &cases[(*count)++];
	va_list ap;

	c->name = name;
	c->element = element;
	c->type = type;
	va_start(ap, fmt);
	vsnprintf(c->message, sizeof(c->message), fmt, ap);
	va_end(ap);
}

/* A gate that reads only this file must not take for success what ended with another status. */
static size_t own_cases(const struct hp_verify_report *report, const struct hp_error *failure,
			struct own_case cases[OWN_CASES_MAX])
{
	size_t count = 0;

	if (failure && failure->reason)
		add_case(cases, &count, "run", "error", hp_reason_code(failure->reason), "%s",
			 failure->message);
	else if (!report->target_count)
		add_case(cases, &count, "livepatches", "failure", "absent",
			 "absent: no livepatch is loaded");
	if (report->exercise.command && report->exercise.status > 0)
		add_case(cases, &count, "exercise", "failure", "exercise",
			 "the workload failed with status %d", report->exercise.status);
	return count;
}

static void print_own_suite(const struct hp_verify_report *report, const struct own_case *cases,
			    size_t count, size_t errors, FILE *out)
{
	fprintf(out,
		"  <testsuite name=\"hotproof\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
		"skipped=\"0\"",
		count, count - errors, errors);
	seconds(out, report->window_ns);
	fputs(">\n", out);
	for (size_t i = 0; i < count; i++) {
		fputs("    <testcase classname=\"hotproof\"", out);
		attribute(out, "name", cases[i].name);
		fprintf(out, ">\n      <%s", cases[i].element);
		attribute(out, "type", cases[i].type);
		attribute(out, "message", cases[i].message);
		fputs("/>\n    </testcase>\n", out);
	}
	fputs("  </testsuite>\n", out);
}

int hp_junit__print(const struct hp_verify_report *report, const struct hp_error *failure,
		    FILE *out)
{
	struct own_case cases[OWN_CASES_MAX];
	size_t own = own_cases(report, failure, cases), errors = 0, failures = 0;

	for (size_t i = 0; i < own; i++)
		errors += !strcmp(cases[i].element, "error");
	for (size_t i = 0; i < report->target_count; i++)
		failures += report->targets[i].verdict != HP_VERDICT_LIVE;
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites name=\"hotproof verify\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\"",
		report->target_count + own, failures + own - errors, errors);
	seconds(out, report->window_ns);
	fputs(">\n", out);
	for (size_t i = 0; i < report->target_count; i++) {
		size_t before = 0;

		while (before < i && !same_suite(&report->targets[before], &report->targets[i]))
			before++;
		if (before == i)
			print_suite(report, i, out);
	}
	if (own)
		print_own_suite(report, cases, own, errors, out);
	fputs("</testsuites>\n", out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

static int print_and_close(const struct hp_verify_report *report, const struct hp_error *failure,
			   int fd)
{
	FILE *out = fdopen(fd, "w");
	int ret;

	if (!out) {
		ret = -errno;
		close(fd);
		return ret;
	}
	ret = hp_junit__print(report, failure, out);
	if (fclose(out) && !ret)
		ret = -errno;
	return ret;
}

int hp_junit__write(const struct hp_verify_report *report, const struct hp_error *failure,
		    const char *path, struct hp_error *err)
{
	_cleanup_free_ char *temporary = NULL;
	struct stat st;
	int fd, ret;

	/* A pipe or a terminal takes the text as it comes; a file appears when it is whole. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		ret = fd < 0 ? -errno : print_and_close(report, failure, fd);
		return ret ? hp_fail_errno(err, HP_E_OUTPUT, ret, "cannot write %s", path) : 0;
	}
	if (asprintf(&temporary, "%s.%d.tmp", path, getpid()) < 0) {
		temporary = NULL;
		return hp_fail(err, HP_E_NOMEM, "no memory to write %s", path);
	}
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return hp_fail_errno(err, HP_E_OUTPUT, -errno, "cannot write %s", path);
	ret = print_and_close(report, failure, fd);
	if (!ret && rename(temporary, path))
		ret = -errno;
	if (!ret)
		return 0;
	unlink(temporary);
	return hp_fail_errno(err, HP_E_OUTPUT, ret, "cannot write %s", path);
}
