// SPDX-License-Identifier: GPL-2.0
/*
 * Does a hotfix fit this host? The reasons are those that the klp engine gives when the kernel
 * refuses the module; found here, they are found before anything has been touched.
 */
#include "hotfix/eligibility.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "host/kallsyms.h"
#include "hotfix/host_files.h"

struct check {
	struct hp_eligibility *e;
	const struct hp_klp_module *mod;
	const char *root;
	const struct hp_kallsyms *ks;
	bool failed; /* out of memory */
};

__attribute__((format(printf, 3, 4))) static void remark(struct check *c, enum hp_reason reason,
							 const char *format, ...)
{
	struct hp_eligibility *e = c->e;
	struct hp_remark *grown;
	size_t at = e->remark_count;
	va_list ap;

	grown = realloc(e->remarks, (e->remark_count + 1) * sizeof(*grown));
	if (!grown) {
		c->failed = true;
		return;
	}
	e->remarks = grown;
	if (reason != HP_E_NONE) {
		/* Behind the refusals that there are, before the rest. */
		at = e->refusal_count++;
		memmove(&grown[at + 1], &grown[at], (e->remark_count - at) * sizeof(*grown));
	}
	e->remark_count++;
	grown[at].reason = reason;
	va_start(ap, format);
	vsnprintf(grown[at].text, sizeof(grown[at].text), format, ap);
	va_end(ap);
}

static void check_vermagic(struct check *c)
{
	const char *ours = c->mod->vermagic, *release = c->e->release;
	_cleanup_free_ char *kernel = NULL;
	size_t len;

	if (!ours) {
		remark(c, HP_E_MODULE_VERMAGIC, "the module does not say which kernel it is for");
		return;
	}
	/*
	 * With modversions the kernel would take a module of another release whose checksums fit
	 * (same_magic() in kernel/module/version.c). A livepatch is made of one kernel's source
	 * and binary: for any other it is wrong even if it can be loaded.
	 */
	len = strcspn(ours, " ");
	if (strlen(release) != len || strncmp(ours, release, len) != 0) {
		remark(c, HP_E_MODULE_VERMAGIC, "it is made for the kernel %.*s, this is %s",
		       (int)len, ours, release);
		return;
	}
	kernel = hp_host_files__vermagic(c->root, release);
	if (kernel && strcmp(ours, kernel) != 0)
		remark(c, HP_E_MODULE_VERMAGIC,
		       "it is made for the same release, configured otherwise: '%s', the kernel's "
		       "own modules are '%s'",
		       ours + len, kernel + strcspn(kernel, " "));
}

static void check_signature(struct check *c)
{
	const struct hp_module_signature *sig = &c->mod->signature;
	struct hp_eligibility *e = c->e;
	enum hp_reason reason = HP_E_MODULE_SIGNATURE;
	char line[32];

	hp_host_files__lockdown(c->root, line, sizeof(line));
	if (line[0] && strcmp(line, "none") != 0) {
		snprintf(e->signature_cause, sizeof(e->signature_cause), "lockdown=%s", line);
		reason = HP_E_MODULE_LOCKDOWN;
	} else if (hp_host_files__line(line, sizeof(line), c->root,
				       "/sys/module/module/parameters/sig_enforce") &&
		   line[0] == 'Y') {
		snprintf(e->signature_cause, sizeof(e->signature_cause), "module.sig_enforce");
	}
	e->signature_enforced = e->signature_cause[0];
	if (e->signature_enforced && !sig->present)
		remark(c, reason,
		       "it is not signed, and this kernel takes signed modules only (%s)",
		       e->signature_cause);
	else if (e->signature_enforced)
		remark(c, HP_E_NONE,
		       "it is signed by '%s'; whether this kernel trusts that key is seen on "
		       "loading only (%s)",
		       sig->signer, e->signature_cause);
}

static void check_module(struct check *c)
{
	/* license_is_gpl_compatible() in include/linux/license.h */
	static const char *const gpl[] = {
		"GPL",		"GPL v2",	"GPL and additional rights",
		"Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"
	};
	const char *license = c->mod->license, *name = c->mod->name;
	bool is_gpl = false;
	char line[16];

	if (!hp_host_files__exists(c->root, "/sys/kernel/livepatch"))
		remark(c, HP_E_KLP_UNSUPPORTED,
		       "this kernel has no livepatching (or /sys is not mounted)");
	if (hp_host_files__line(line, sizeof(line), c->root, "/proc/sys/kernel/modules_disabled") &&
	    line[0] == '1')
		remark(c, HP_E_MODULE_DISABLED, "loading modules was switched off on this host");
	if (hp_host_files__module_loaded(c->root, name))
		remark(c, HP_E_MODULE_EXISTS, "a module named %s is loaded already", name);
	for (size_t i = 0; license && i < sizeof(gpl) / sizeof(gpl[0]); i++)
		is_gpl |= !strcmp(license, gpl[i]);
	if (!is_gpl)
		remark(c, HP_E_MODULE_SYMBOL,
		       "its license is '%s': klp_enable_patch() is for modules under the GPL",
		       license ? license : "");
}

/* What it needs from other modules: those named in "depends", and every symbol that it imports. */
static void check_imports(struct check *c)
{
	const char *name = c->mod->depends ? c->mod->depends : "";
	size_t len;

	for (; *name; name += len + (name[len] == ',')) {
		char depend[HP_NAME_MAX];

		len = strcspn(name, ",");
		snprintf(depend, sizeof(depend), "%.*s", (int)len, name);
		if (len && !hp_host_files__exists(c->root, "/sys/module/%s", depend))
			remark(c, HP_E_MODULE_SYMBOL, "it needs the module %s, which is not loaded",
			       depend);
	}
	/* Without CONFIG_KALLSYMS_ALL the table has functions only: then no answer is right. */
	if (!hp_kallsyms__count(c->ks, "vmlinux", "jiffies"))
		return;
	for (size_t i = 0; i < c->mod->import_count; i++)
		if (!hp_kallsyms__count(c->ks, NULL, c->mod->imports[i]))
			remark(c, HP_E_MODULE_SYMBOL, "it needs the symbol %s, which is not there",
			       c->mod->imports[i]);
}

static bool object_loaded(const struct check *c, const char *object)
{
	return !strcmp(object, "vmlinux") || hp_host_files__module_loaded(c->root, object);
}

/* Among @matches symbols of a name, does @sympos say which, and is it there? */
static enum hp_target_state match_state(size_t matches, uint64_t sympos)
{
	if (!matches || sympos > matches)
		return HP_TARGET_MISSING;
	return !sympos && matches > 1 ? HP_TARGET_AMBIGUOUS : HP_TARGET_FOUND;
}

static void check_target(struct check *c, size_t i)
{
	const struct hp_klp_target *t = &c->mod->targets[i];
	struct hp_target_fit *fit = &c->e->targets[i];
	struct hp_symbol sym;

	if (!object_loaded(c, t->object)) {
		fit->state = HP_TARGET_NOT_LOADED;
		return;
	}
	fit->matches = hp_kallsyms__count(c->ks, t->object, t->symbol);
	fit->state = match_state(fit->matches, t->sympos);
	if (fit->state == HP_TARGET_AMBIGUOUS)
		remark(c, HP_E_KLP_AMBIGUOUS,
		       "%s has %zu functions named %s, and no sympos says "
		       "which is meant",
		       t->object, fit->matches, t->symbol);
	else if (fit->state == HP_TARGET_MISSING && t->sympos > 1)
		remark(c, HP_E_KLP_NO_SYMBOL,
		       "%s has %zu functions named %s, and the %" PRIu64 ". is meant", t->object,
		       fit->matches, t->symbol, t->sympos);
	else if (fit->state == HP_TARGET_MISSING)
		remark(c, HP_E_KLP_NO_SYMBOL, "%s has no function %s", t->object, t->symbol);
	else if (!hp_kallsyms__find(c->ks, t->object, t->symbol, t->sympos, &sym)) {
		fit->address = sym.address;
		fit->size = sym.size;
	}
}

static void check_reverse(struct check *c, const struct hp_klp_reverse *r)
{
	size_t matches;

	if (!object_loaded(c, r->object))
		return;
	matches = hp_kallsyms__count(c->ks, r->object, r->symbol);
	switch (match_state(matches, r->sympos)) {
	case HP_TARGET_AMBIGUOUS:
		remark(c, HP_E_KLP_AMBIGUOUS, "it refers back to %s of %s, of which there are %zu",
		       r->symbol, r->object, matches);
		break;
	case HP_TARGET_MISSING:
		remark(c, HP_E_KLP_NO_SYMBOL, "it refers back to %s of %s, which is not there",
		       r->symbol, r->object);
		break;
	default:
		break;
	}
}

/* Does a line of available_filter_functions, "symbol" or "symbol [module]", name @t? */
static bool names_target(const char *line, const struct hp_klp_target *t)
{
	size_t len = strlen(t->symbol), object = strlen(t->object);

	if (strncmp(line, t->symbol, len) != 0)
		return false;
	if (!strcmp(t->object, "vmlinux"))
		return line[len] == '\0';
	return !strncmp(line + len, " [", 2) && !strncmp(line + len + 2, t->object, object) &&
	       !strcmp(line + len + 2 + object, "]");
}

static void check_traceable(struct check *c)
{
	_cleanup_file_ FILE *list = NULL;
	char line[HP_SYMBOL_MAX + HP_NAME_MAX + 8];
	struct hp_eligibility *e = c->e;

	list = hp_host_files__open(c->root, "/sys/kernel/tracing/available_filter_functions");
	if (!list)
		list = hp_host_files__open(c->root,
					   "/sys/kernel/debug/tracing/available_filter_functions");
	if (!list)
		return;
	e->traceable_known = true;
	for (size_t i = 0; i < e->target_count; i++)
		e->targets[i].untraceable = e->targets[i].state == HP_TARGET_FOUND;
	while (fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = '\0';
		for (size_t i = 0; i < e->target_count; i++)
			if (e->targets[i].untraceable && names_target(line, &c->mod->targets[i]))
				e->targets[i].untraceable = false;
	}
	for (size_t i = 0; i < e->target_count; i++)
		if (e->targets[i].untraceable)
			remark(c, HP_E_KLP_NOT_TRACED, "ftrace does not know %s of %s",
			       c->mod->targets[i].symbol, c->mod->targets[i].object);
}

/* One livepatch that is there already: is it in the way, or under this one? */
static void check_other(struct check *c, const char *other)
{
	struct hp_eligibility *e = c->e;
	const char *first = "";
	size_t shared = 0;
	char line[16];

	if (hp_host_files__line(line, sizeof(line), c->root, "/sys/kernel/livepatch/%s/transition",
				other) &&
	    line[0] == '1')
		remark(c, HP_E_KLP_BUSY,
		       "the livepatch %s is in transition: the kernel does one "
		       "at a time",
		       other);
	if (!hp_host_files__line(line, sizeof(line), c->root, "/sys/kernel/livepatch/%s/enabled",
				 other) ||
	    line[0] != '1')
		return;
	if (c->mod->replace == HP_KLP_REPLACE_YES)
		remark(c, HP_E_NONE, "it will replace the livepatch %s, as all others", other);
	for (size_t i = 0; i < e->target_count; i++) {
		const struct hp_klp_target *t = &c->mod->targets[i];

		if (!hp_host_files__exists(c->root, "/sys/kernel/livepatch/%s/%s/%s,%" PRIu64,
					   other, t->object, t->symbol, t->sympos ? t->sympos : 1))
			continue;
		snprintf(e->targets[i].stacked_on, HP_NAME_MAX, "%.*s", HP_NAME_MAX - 1, other);
		if (!shared++)
			first = t->symbol;
	}
	if (!shared || c->mod->replace == HP_KLP_REPLACE_YES)
		return;
	if (shared == 1)
		remark(c, HP_E_NONE,
		       "the livepatch %s replaces %s already; calls will go to this one, on top",
		       other, first);
	else
		remark(c, HP_E_NONE,
		       "the livepatch %s replaces %s and %zu more target%s already; calls will go "
		       "to this one, on top",
		       other, first, shared - 1, shared == 2 ? "" : "s");
}

static void check_others(struct check *c)
{
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *entry;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/sys/kernel/livepatch", c->root);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, c->mod->name) != 0)
			check_other(c, entry->d_name);
}

/* How many targets are in @object, and is @first the first of them? */
static size_t targets_of(const struct check *c, const char *object, size_t first)
{
	size_t n = 0;

	for (size_t i = 0; i < c->mod->target_count; i++)
		if (!strcmp(c->mod->targets[i].object, object)) {
			if (i < first)
				return 0;
			n++;
		}
	return n;
}

static void note_targets(struct check *c)
{
	for (size_t i = 0; i < c->e->target_count; i++) {
		const struct hp_klp_target *t = &c->mod->targets[i];
		size_t n = c->e->targets[i].state == HP_TARGET_NOT_LOADED
				   ? targets_of(c, t->object, i)
				   : 0;

		if (n == 1)
			remark(c, HP_E_NONE,
			       "the module %s is not loaded: %s will be replaced when it comes",
			       t->object, t->symbol);
		else if (n)
			remark(c, HP_E_NONE,
			       "the module %s is not loaded: %zu functions will be replaced when it "
			       "comes",
			       t->object, n);
		if (!t->traceable)
			remark(c, HP_E_NONE,
			       "the replacement of %s does not begin with a call to ftrace: its "
			       "calls cannot be counted with fentry",
			       t->symbol);
	}
}

static int run_checks(struct check *c, const struct hp_eligibility_host *host, struct hp_error *err)
{
	struct hp_eligibility *e = c->e;
	__cleanup(hp_cleanup_hp_kallsyms__close) struct hp_kallsyms *ks = NULL;
	char path[PATH_MAX];
	struct utsname uts;
	int ret;

	if (host->release)
		snprintf(e->release, sizeof(e->release), "%s", host->release);
	else if (!uname(&uts))
		snprintf(e->release, sizeof(e->release), "%s", uts.release);
	snprintf(path, sizeof(path), "%s/proc/kallsyms", c->root);
	if (!host->symbols) {
		ret = hp_kallsyms__open(&ks, path, err);
		if (ret)
			return ret;
	}
	c->ks = ks ?: host->symbols;
	e->addresses_hidden = hp_kallsyms__hidden(c->ks);
	check_vermagic(c);
	check_module(c);
	check_signature(c);
	for (size_t i = 0; i < e->target_count; i++)
		check_target(c, i);
	for (size_t i = 0; i < c->mod->reverse_count; i++)
		check_reverse(c, &c->mod->reverses[i]);
	check_imports(c);
	if (!host->entries_elsewhere)
		check_traceable(c);
	check_others(c);
	note_targets(c);
	return c->failed ? hp_fail(err, HP_E_NOMEM, "no memory for the remarks") : 0;
}

int hp_eligibility__check(struct hp_eligibility **out, const struct hp_klp_module *mod,
			  const struct hp_eligibility_host *host, struct hp_error *err)
{
	__cleanup(hp_cleanup_hp_eligibility__free) struct hp_eligibility *e = NULL;
	static const struct hp_eligibility_host this_host;
	struct check c = { .mod = mod, .root = "" };
	int ret;

	if (!host)
		host = &this_host;
	if (host->root)
		c.root = host->root;
	e = calloc(1, sizeof(*e));
	if (e)
		e->targets = calloc(mod->target_count + 1, sizeof(*e->targets));
	if (!e || !e->targets)
		return hp_fail(err, HP_E_NOMEM, "no memory for %zu targets", mod->target_count);
	e->target_count = mod->target_count;
	c.e = e;
	ret = run_checks(&c, host, err);
	if (ret)
		return ret;
	*out = e;
	e = NULL;
	return 0;
}

void hp_eligibility__free(struct hp_eligibility *e)
{
	if (!e)
		return;
	free(e->targets);
	free(e->remarks);
	free(e);
}

int hp_eligibility__require(const struct hp_eligibility *e, struct hp_error *err)
{
	size_t len = 0;
	int ret;

	if (!e->refusal_count)
		return 0;
	ret = hp_fail(err, e->remarks[0].reason, "not eligible here: %s", e->remarks[0].text);
	if (!err)
		return ret;
	err->detail[0] = '\0';
	for (size_t i = 1; i < e->refusal_count && len < sizeof(err->detail); i++)
		len += (size_t)snprintf(err->detail + len, sizeof(err->detail) - len, "%sand: %s",
					i > 1 ? "\n" : "", e->remarks[i].text);
	return ret;
}
