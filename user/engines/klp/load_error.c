// SPDX-License-Identifier: GPL-2.0
/*
 * One errno of finit_module() has many causes; the kernel names the cause in its log only. The
 * phrases are those of kernel/module/, kernel/livepatch/ and security/lockdown/ in Linux 6.1; a
 * phrase that is not known leaves the general reason, with the kernel's own words in it.
 */
#include "engines/klp/load_error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct phrase {
	const char *text;
	enum hp_reason reason;
	const char *meaning;
};

/* The most telling first: several may stand in one log. */
static const struct phrase phrases[] = {
	{ "version magic '", HP_E_MODULE_VERMAGIC, "it was built for another kernel" },
	{ "disagrees about version of symbol", HP_E_MODULE_CRC,
	  "it was built against another kernel's symbols" },
	{ "no symbol version for", HP_E_MODULE_CRC, "it was built without symbol versions" },
	{ "is not marked as a livepatch module", HP_E_KLP_NO_LIVEPATCH,
	  "it is not marked as a livepatch" },
	{ "livepatch support is disabled", HP_E_KLP_UNSUPPORTED, "the kernel has no livepatching" },
	{ "not found in symbol table", HP_E_KLP_NO_SYMBOL, "a target does not exist here" },
	{ "unresolvable ambiguity for symbol", HP_E_KLP_AMBIGUOUS,
	  "several functions have a target's name" },
	{ "symbol position '", HP_E_KLP_NO_SYMBOL, "a target does not exist at its position" },
	{ "failed to find location for function", HP_E_KLP_NOT_TRACED,
	  "ftrace cannot reach a target" },
	{ "failed to set ftrace filter for function", HP_E_KLP_NOT_TRACED,
	  "ftrace cannot reach a target" },
	{ "failed to register ftrace handler for function", HP_E_KLP_CONFLICT,
	  "ftrace does not take the redirect" },
	{ "is not compatible with the already installed livepatches", HP_E_KLP_INCOMPATIBLE,
	  "it does not go with the livepatches that are installed" },
	{ "pre-patch callback failed", HP_E_KLP_REFUSED, "its own pre-patch callback failed" },
	{ "Unknown symbol", HP_E_MODULE_SYMBOL, "a symbol that it needs does not exist here" },
	{ "not found in livepatch symbol", HP_E_KLP_NO_SYMBOL, "a symbol does not exist here" },
	{ "Invalid ELF", HP_E_MODULE_FORMAT, "the file is damaged" },
	{ "invalid ELF", HP_E_MODULE_FORMAT, "the file is damaged" },
	{ "Section .", HP_E_MODULE_FORMAT, "the file is damaged" },
	{ "invalid relocation target", HP_E_MODULE_FORMAT, "the file is damaged" },
	{ "Unknown rela relocation", HP_E_MODULE_FORMAT, "the file is damaged" },
	{ "Module len ", HP_E_MODULE_FORMAT, "the file is cut off" },
	{ "exports duplicate symbol", HP_E_MODULE_LOAD, "it exports a symbol that exists already" },
};

/* The line of @log that holds @text, cut out into @line. */
static bool find_line(const char *log, const char *text, char *line, size_t size)
{
	const char *at = strstr(log, text), *from = at;

	if (!at)
		return false;
	while (from > log && from[-1] != '\n')
		from--;
	snprintf(line, size, "%.*s", (int)strcspn(from, "\n"), from);
	return true;
}

bool hp_load_error__knows(const char *text)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (strstr(text, phrases[i].text))
			return true;
	return false;
}

static int explain_by_log(const char *name, int ret, const char *log, struct hp_error *err)
{
	char line[384];

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		const struct phrase *p = &phrases[i];

		if (!find_line(log, p->text, line, sizeof(line)))
			continue;
		hp_fail(err, p->reason, "%s cannot be loaded, %s: %s", name, p->meaning, line);
		return ret;
	}
	return 0;
}

static int explain_permission(const char *name, int ret, const struct hp_load_facts *facts,
			      struct hp_error *err)
{
	if (facts->modules_disabled)
		hp_fail(err, HP_E_MODULE_DISABLED,
			"%s cannot be loaded: module loading is switched off", name);
	else if (!facts->capable)
		hp_fail(err, HP_E_MODULE_CAPABILITY, "%s cannot be loaded without CAP_SYS_MODULE",
			name);
	else if (facts->locked_down)
		hp_fail(err, HP_E_MODULE_LOCKDOWN,
			"%s cannot be loaded: the kernel is locked down and the file not signed",
			name);
	else
		hp_fail_errno(err, HP_E_MODULE_CAPABILITY, ret,
			      "%s cannot be loaded (a security policy?)", name);
	return ret;
}

int hp_load_error__explain(const char *name, int ret, const struct hp_load_facts *facts,
			   struct hp_error *err)
{
	const char *last = strrchr(facts->log, '\n');
	const char *said = facts->log[0]	 ? (last ? last + 1 : facts->log)
			   : facts->log_readable ? "the kernel said nothing"
						 : "the kernel's log cannot be read";

	if (err)
		snprintf(err->detail, sizeof(err->detail), "%s", facts->log);
	switch (ret) {
	case -EEXIST:
		hp_fail(err, HP_E_MODULE_EXISTS, "a module named %s is loaded already", name);
		return ret;
	case -EPERM:
	case -EACCES:
		return explain_permission(name, ret, facts, err);
	case -EKEYREJECTED:
	case -ENOKEY:
		hp_fail(err, facts->locked_down ? HP_E_MODULE_LOCKDOWN : HP_E_MODULE_SIGNATURE,
			"%s cannot be loaded: %s", name,
			ret == -ENOKEY ? "no trusted key signed it"
				       : "this kernel takes signed modules only, and it has no "
					 "signature of a trusted key");
		return ret;
	case -EBADMSG:
	case -ENOPKG:
	case -ELIBBAD:
		hp_fail_errno(err, HP_E_MODULE_SIGNATURE, ret,
			      "the signature of %s cannot be checked", name);
		return ret;
	case -ENOMEM:
		hp_fail(err, HP_E_NOMEM, "%s cannot be loaded: out of memory", name);
		return ret;
	}
	if (explain_by_log(name, ret, facts->log, err))
		return ret;
	switch (ret) {
	case -ENOEXEC:
		hp_fail(err, HP_E_MODULE_FORMAT, "%s is no module that this kernel takes: %s", name,
			said);
		break;
	case -EBUSY:
		if (facts->transition)
			hp_fail(err, HP_E_KLP_BUSY,
				"%s cannot be loaded: another livepatch is in transition", name);
		else
			hp_fail(err, HP_E_KLP_CONFLICT, "%s cannot be loaded: busy (%s)", name,
				said);
		break;
	case -ENOENT:
		hp_fail(err, HP_E_MODULE_SYMBOL, "%s cannot be loaded, a symbol is missing: %s",
			name, said);
		break;
	case -ENODEV: /* klp_enable_patch() before the livepatch core is up, or ftrace is dead */
		hp_fail(err, HP_E_KLP_FTRACE_DEAD, "%s cannot be enabled: %s", name, said);
		break;
	case -EINVAL:
		hp_fail(err, HP_E_KLP_REFUSED, "the kernel does not enable %s: %s", name, said);
		break;
	default:
		hp_fail_errno(err, HP_E_MODULE_LOAD, ret, "%s cannot be loaded (%s)", name, said);
	}
	return ret;
}
