// SPDX-License-Identifier: GPL-2.0
/* JUnit XML. */
#include "report/junit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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
	if (t->sites_known) {
		struct hp_site_totals sites = hp_verify_target__sites(t);

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

/* Nothing is loaded: a gate that reads only this file must not take that for success. */
static int print_nothing(const struct hp_verify_report *report, FILE *out)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	      "<testsuites name=\"hotproof verify\" tests=\"1\" failures=\"1\" errors=\"0\"",
	      out);
	seconds(out, report->window_ns);
	fputs(">\n"
	      "  <testsuite name=\"hotproof\" tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\">\n"
	      "    <testcase classname=\"hotproof\" name=\"livepatches\">\n"
	      "      <failure type=\"absent\" message=\"absent: no livepatch is loaded\"/>\n"
	      "    </testcase>\n"
	      "  </testsuite>\n"
	      "</testsuites>\n",
	      out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

int hp_junit__print(const struct hp_verify_report *report, FILE *out)
{
	size_t failures = 0;

	if (!report->target_count)
		return print_nothing(report, out);

	for (size_t i = 0; i < report->target_count; i++)
		failures += report->targets[i].verdict != HP_VERDICT_LIVE;
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites name=\"hotproof verify\" tests=\"%zu\" failures=\"%zu\" errors=\"0\"",
		report->target_count, failures);
	seconds(out, report->window_ns);
	fputs(">\n", out);
	for (size_t i = 0; i < report->target_count; i++) {
		size_t before = 0;

		while (before < i && !same_suite(&report->targets[before], &report->targets[i]))
			before++;
		if (before == i)
			print_suite(report, i, out);
	}
	fputs("</testsuites>\n", out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

static int print_and_close(const struct hp_verify_report *report, int fd)
{
	FILE *out = fdopen(fd, "w");
	int ret;

	if (!out) {
		ret = -errno;
		close(fd);
		return ret;
	}
	ret = hp_junit__print(report, out);
	if (fclose(out) && !ret)
		ret = -errno;
	return ret;
}

int hp_junit__write(const struct hp_verify_report *report, const char *path, struct hp_error *err)
{
	_cleanup_free_ char *temporary = NULL;
	struct stat st;
	int fd, ret;

	/* A pipe or a terminal takes the text as it comes; a file appears when it is whole. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		ret = fd < 0 ? -errno : print_and_close(report, fd);
		return ret ? hp_fail_errno(err, HP_E_OUTPUT, ret, "cannot write %s", path) : 0;
	}
	if (asprintf(&temporary, "%s.%d.tmp", path, getpid()) < 0) {
		temporary = NULL;
		return hp_fail(err, HP_E_NOMEM, "no memory to write %s", path);
	}
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return hp_fail_errno(err, HP_E_OUTPUT, -errno, "cannot write %s", path);
	ret = print_and_close(report, fd);
	if (!ret && rename(temporary, path))
		ret = -errno;
	if (!ret)
		return 0;
	unlink(temporary);
	return hp_fail_errno(err, HP_E_OUTPUT, ret, "cannot write %s", path);
}
