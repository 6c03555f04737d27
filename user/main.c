// SPDX-License-Identifier: GPL-2.0
/* hotproof: the command table. Each verb reads the rest of the command line itself. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "report/error.h"
#include "verbs/guard.h"
#include "verbs/process.h"
#include "verbs/program.h"
#include "verbs/verbs.h"

#define FOR_PROCESSES(verb)                                                                       \
	"A hotfix for processes (of 'hotproof build') is taken too: see hotproof-build(1), and\n" \
	"'hotproof " verb " FIX.so --help' for the options."

static const struct hp_command commands[] = {
	{ "check", "[NAME…]", "Say what this host can do, each feature found by trying it.", NULL,
	  .run = hp_verb_check },
	{ "build", "FIX.c --target FILE -o FIX.so [-- CC-OPTION…]",
	  "Build a hotfix for functions of a program or library.",
	  "FIX.c names the targets with <hotproof/hotfix.h>. What it uses and does not define is bound\n"
	  "to the target file's own symbols, private ones too, or to those of other libraries. $CC is\n"
	  "the compiler (cc), $HOTPROOF_INCLUDE_DIR where hotproof/hotfix.h is.",
	  .run = hp_verb_build },
	{ "inspect", "FILE.ko", "Show what a livepatch module replaces, without loading it.", NULL,
	  .run = hp_verb_inspect, .run_process = hp_process__inspect,
	  .run_program = hp_program__inspect, .run_guard_code = hp_guard__inspect },
	{ "apply", "FILE.ko", "Apply a livepatch under a budget and prove that it is live.",
	  FOR_PROCESSES("apply"), .run = hp_verb_apply, .run_process = hp_process__apply,
	  .run_program = hp_program__apply, .run_guard_code = hp_guard__apply },
	{ "verify", "[LIVEPATCH…]", "Prove that loaded livepatches, whoever loaded them, are live.",
	  FOR_PROCESSES("verify"), .run = hp_verb_verify, .run_process = hp_process__verify,
	  .run_guard = hp_guard__verify },
	{ "measure", "FUNCTION…", "Measure what a call of a function costs.",
	  FOR_PROCESSES("measure"), .run = hp_verb_measure, .run_process = hp_process__measure },
	{ "status", "", "List the livepatches and guards on this host and who blocks a transition.",
	  FOR_PROCESSES("status"), .run = hp_verb_status, .run_process = hp_process__status },
	{ "revert", "LIVEPATCH", "Disable and unload a livepatch and prove that it is gone.",
	  FOR_PROCESSES("revert"), .run = hp_verb_revert, .run_process = hp_process__revert,
	  .run_guard = hp_guard__revert },
	{ "guard", "add|set|list|remove [NAME]",
	  "Turn calls of a kernel function away, without a livepatch.",
	  "add NAME takes the calls of --function that are in scope over and returns --return in its\n"
	  "place; set NAME changes whose calls those are, in one write; list shows the guards, with\n"
	  "--functions [PATTERN] what can be guarded; remove NAME takes one away. 'hotproof verify'\n"
	  "proves a guard live.",
	  .run = hp_verb_guard },
	{ "recover", "", "Clean up after a hotproof that was killed.", NULL,
	  .run = hp_verb_recover },
	{ 0 },
};

static void print_usage(FILE *out)
{
	const struct hp_command *cmd;

	fprintf(out,
		"Usage: hotproof VERB [OPTIONS] [OPERANDS]\n\n"
		"Apply a hotpatch to the running system and prove that it is live.\n\nVerbs:\n");
	for (cmd = commands; cmd->name; cmd++)
		fprintf(out, "  %-9s %s\n", cmd->name, cmd->summary);
	fprintf(out,
		"\n'hotproof VERB --help' tells what a verb takes; hotproof(1) tells the rest.\n");
}

/* The engine is chosen by what the file is. */
static int run(const struct hp_command *cmd, int argc, char **argv)
{
	if (cmd->run_process && hp_process__is_asked(argc, argv)) {
		struct hp_command process = *cmd;

		process.operands = strcmp(cmd->name, "verify") ? "FIX.so" : "FIX.so…";
		process.summary = "FIX.so is a hotfix for processes, made by 'hotproof build': "
				  "see hotproof-build(1).";
		process.details = NULL;
		return cmd->run_process(&process, argc, argv);
	}
	if (cmd->run_guard_code && hp_guard__is_applied(argc, argv))
		return cmd->run_guard_code(cmd, argc, argv);
	if (cmd->run_guard && hp_guard__is_asked(argc, argv))
		return cmd->run_guard(cmd, argc, argv);
	if (cmd->run_program && hp_program__is_asked(argc, argv))
		return cmd->run_program(cmd, argc, argv);
	return cmd->run(cmd, argc, argv);
}

/* A report that nobody got is no success. */
static int finish(const char *verb, int status)
{
	struct hp_globals globals = { 0 };
	struct hp_error err = { 0 };

	if ((!fflush(stdout) && !ferror(stdout)) ||
	    (status != HP_EXIT_OK && status != HP_EXIT_VERIFY))
		return status;
	hp_fail(&err, HP_E_OUTPUT, "standard output cannot be written");
	hp_report_error_text(&globals, verb, &err);
	return hp_reason_exit(HP_E_OUTPUT);
}

int main(int argc, char **argv)
{
	const struct hp_command *cmd;

	/* For the width of characters in tables, and whether bars may be drawn. Numbers stay "C". */
	setlocale(LC_CTYPE, "");
	if (argc < 2) {
		print_usage(stderr);
		return HP_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return finish("help", HP_EXIT_OK);
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version")) {
		puts("hotproof " HP_VERSION);
		return finish("version", HP_EXIT_OK);
	}
	for (cmd = commands; cmd->name; cmd++)
		if (!strcmp(argv[1], cmd->name))
			return finish(cmd->name, run(cmd, argc - 1, argv + 1));
	fprintf(stderr, "hotproof: unknown verb '%s'\n", argv[1]);
	print_usage(stderr);
	return HP_EXIT_USAGE;
}
