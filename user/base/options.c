// SPDX-License-Identifier: GPL-2.0
/* The parser of declared options, and the help that is made from them. */
#include "base/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define MAX_OPTIONS   32
#define FIRST_LONG_ID 256
#define HELP_COLUMN   28

static const struct {
	const char *suffix;
	double ns;
} units[] = {
	{ "ns", 1 },   { "us", 1e3 },	{ "ms", 1e6 },	  { "s", 1e9 },
	{ "m", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 },
};

int hp_duration_parse(const char *text, uint64_t *ns)
{
	char *end;
	double value;
	size_t i;

	/* strtod() takes "nan", "inf" and hexadecimal as well. */
	if (strspn(text, "0123456789.") == 0)
		return -EINVAL;
	errno = 0;
	value = strtod(text, &end);
	if (errno || end == text || memchr(text, 'x', (size_t)(end - text)))
		return -EINVAL;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].suffix))
			continue;
		value *= units[i].ns;
		if (value > 1e18)
			return -EINVAL;
		*ns = (uint64_t)llround(value);
		return 0;
	}
	return -EINVAL;
}

static int parse_uint(const char *text, uint64_t *value)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno || *end ? -EINVAL : 0;
}

static int parse_percent(const char *text, double *value)
{
	char *end;

	if (strspn(text, "0123456789.") == 0)
		return -EINVAL;
	*value = strtod(text, &end);
	if (*end == '%')
		end++;
	return *end || *value < 0 || *value > 100 ? -EINVAL : 0;
}

static int set_value(const struct hp_option *opt, const char *arg, struct hp_error *err)
{
	const char *expected = NULL;
	struct hp_strings *strings;

	switch (opt->kind) {
	case HP_OPT_FLAG:
		*(bool *)opt->value = true;
		break;
	case HP_OPT_ONE:
		if (*(const char **)opt->value)
			return hp_fail(err, HP_E_USAGE, "--%s may be given once", opt->name);
		*(const char **)opt->value = arg;
		break;
	case HP_OPT_STRING:
	case HP_OPT_OUTPUT:
		*(const char **)opt->value = arg;
		break;
	case HP_OPT_STRINGS:
		strings = opt->value;
		if (strings->count == HP_STRINGS_MAX)
			return hp_fail(err, HP_E_USAGE, "--%s is given too often", opt->name);
		strings->items[strings->count++] = arg;
		break;
	case HP_OPT_UINT:
		if (parse_uint(arg, opt->value))
			expected = "a whole number";
		break;
	case HP_OPT_PERCENT:
		if (parse_percent(arg, opt->value))
			expected = "a percentage from 0 to 100";
		break;
	case HP_OPT_DURATION:
		if (hp_duration_parse(arg, opt->value))
			expected = "a time with its unit, such as 30s, 500ms or 2m";
		break;
	}
	if (!expected)
		return 0;
	return hp_fail(err, HP_E_USAGE, "--%s takes %s, not '%s'", opt->name, expected, arg);
}

static void print_option(const char *name, const char *arg, const char *help)
{
	int width = printf("  %s%s%s", name, arg ? " " : "", arg ? arg : "");

	if (width >= HELP_COLUMN)
		printf("\n%*s", HELP_COLUMN, "");
	else
		printf("%*s", HELP_COLUMN - width, "");
	printf("%s\n", help);
}

static void print_help(const struct hp_command *cmd, const struct hp_option *options)
{
	const struct hp_option *opt;
	char name[64];

	printf("Usage: hotproof %s [OPTIONS]%s%s\n\n%s\n", cmd->name, cmd->operands[0] ? " " : "",
	       cmd->operands, cmd->summary);
	if (cmd->details)
		printf("\n%s\n", cmd->details);
	printf("\nOptions:\n");
	for (opt = options; opt->name; opt++) {
		snprintf(name, sizeof(name), "%s--%s", opt->kind == HP_OPT_OUTPUT ? "-o, " : "",
			 opt->name);
		print_option(name, opt->arg, opt->help);
	}
	print_option("--json", NULL, "print the report as JSON (docs/schema)");
	print_option("--color", "WHEN", "auto (default), always or never");
	print_option("-v, -vv", NULL, "say more, in the report and on stderr");
	print_option("-h, --help", NULL, "print this help");
	printf("\nExit status:\n"
	       "  0 as asked; 1 verification failed; 2 bad usage or bad input file;\n"
	       "  3 not eligible here; 4 budget exceeded, rolled back;\n"
	       "  5 missing privilege or kernel feature; 6 internal error\n"
	       "\nSee hotproof-%s(1).\n",
	       cmd->name);
}

static int parse_color(const char *when, bool *on_stdout, bool *on_stderr, struct hp_error *err)
{
	if (!strcmp(when, "always")) {
		*on_stdout = *on_stderr = true;
	} else if (!strcmp(when, "never")) {
		*on_stdout = *on_stderr = false;
	} else if (!strcmp(when, "auto")) {
		bool wanted = !getenv("NO_COLOR");

		*on_stdout = wanted && isatty(STDOUT_FILENO);
		*on_stderr = wanted && isatty(STDERR_FILENO);
	} else {
		return hp_fail(err, HP_E_USAGE, "--color takes auto, always or never, not '%s'",
			       when);
	}
	return 0;
}

static bool is_long_with_value(const char *arg)
{
	return !strncmp(arg, "--", 2) && strchr(arg, '=');
}

int hp_options_parse(const struct hp_command *cmd, const struct hp_option *options,
		     struct hp_globals *globals, int argc, char **argv, struct hp_error *err)
{
	struct option longs[MAX_OPTIONS + 4] = { 0 };
	const char *color = "auto";
	bool stderr_color = false;
	int output = -1; /* the option that -o stands for */
	int n = 0, c, ret;

	for (; n < MAX_OPTIONS && options[n].name; n++) {
		longs[n].name = options[n].name;
		longs[n].has_arg = options[n].kind == HP_OPT_FLAG ? no_argument : required_argument;
		longs[n].val = FIRST_LONG_ID + n;
		if (options[n].kind == HP_OPT_OUTPUT)
			output = longs[n].val;
	}
	longs[n] = (struct option){ "json", no_argument, NULL, 'j' };
	longs[n + 1] = (struct option){ "color", required_argument, NULL, 'c' };
	longs[n + 2] = (struct option){ "help", no_argument, NULL, 'h' };

	/* In JSON mode the errors of the parser itself are JSON too, wherever --json stands. */
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		globals->json |= !strcmp(argv[i], "--json");

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, output < 0 ? ":vh" : ":vho:", longs, NULL)) != -1) {
		if (c == 'o')
			c = output;
		switch (c) {
		case 'j':
			globals->json = true;
			break;
		case 'c':
			color = optarg;
			break;
		case 'v':
			globals->verbosity++;
			break;
		case 'h':
			globals->help = true;
			break;
		case ':':
			return hp_fail(err, HP_E_USAGE, "option '%s' needs an argument",
				       argv[optind - 1]);
		case '?':
			if (optopt && is_long_with_value(argv[optind - 1]))
				return hp_fail(err, HP_E_USAGE, "option '%.*s' takes no argument",
					       (int)strcspn(argv[optind - 1], "="),
					       argv[optind - 1]);
			if (optopt > 0 && optopt < FIRST_LONG_ID)
				return hp_fail(err, HP_E_USAGE, "unknown option '-%c'", optopt);
			return hp_fail(err, HP_E_USAGE, "unknown option '%s'", argv[optind - 1]);
		default:
			ret = set_value(&options[c - FIRST_LONG_ID], optarg, err);
			if (ret)
				return ret;
		}
	}
	ret = parse_color(color, &globals->color, &stderr_color, err);
	if (ret)
		return ret;
	hp_log_init(globals->verbosity, stderr_color);
	if (globals->help) {
		print_help(cmd, options);
		return argc;
	}
	return optind;
}
