// SPDX-License-Identifier: GPL-2.0
/* Small questions to /proc, /sys and /lib/modules about modules. */
#include "hotfix/host_files.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "hotfix/klp_module.h"

__attribute__((format(printf, 3, 0))) static bool make_path(char path[PATH_MAX], const char *root,
							    const char *format, va_list ap)
{
	int len = snprintf(path, PATH_MAX, "%s", root ? root : "");

	return len < PATH_MAX &&
	       vsnprintf(path + len, (size_t)(PATH_MAX - len), format, ap) < PATH_MAX - len;
}

FILE *hp_host_files__open(const char *root, const char *format, ...)
{
	char path[PATH_MAX];
	va_list ap;
	bool fits;

	va_start(ap, format);
	fits = make_path(path, root, format, ap);
	va_end(ap);
	return fits ? fopen(path, "re") : NULL;
}

bool hp_host_files__exists(const char *root, const char *format, ...)
{
	char path[PATH_MAX];
	va_list ap;
	bool fits;

	va_start(ap, format);
	fits = make_path(path, root, format, ap);
	va_end(ap);
	return fits && !access(path, F_OK);
}

bool hp_host_files__line(char *line, size_t size, const char *root, const char *format, ...)
{
	_cleanup_file_ FILE *file = NULL;
	char path[PATH_MAX];
	va_list ap;
	bool fits;

	line[0] = '\0';
	va_start(ap, format);
	fits = make_path(path, root, format, ap);
	va_end(ap);
	file = fits ? fopen(path, "re") : NULL;
	if (!file || !fgets(line, (int)size, file))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

bool hp_host_files__module_loaded(const char *root, const char *name)
{
	return hp_host_files__exists(root, "/sys/module/%s/initstate", name);
}

void hp_host_files__lockdown(const char *root, char *mode, size_t size)
{
	char line[128], *from;

	mode[0] = '\0';
	/* "none [integrity] confidentiality" */
	if (!hp_host_files__line(line, sizeof(line), root, "/sys/kernel/security/lockdown"))
		return;
	from = strchr(line, '[');
	if (from)
		snprintf(mode, size, "%.*s", (int)strcspn(from + 1, "]"), from + 1);
}

char *hp_host_files__vermagic(const char *root, const char *release)
{
	char line[PATH_MAX], path[2 * PATH_MAX];

	/* "kernel/arch/x86/events/rapl.ko: …", the path from the folder or from the root */
	if (!hp_host_files__line(line, sizeof(line), root, "/lib/modules/%s/modules.dep", release))
		return NULL;
	line[strcspn(line, ":")] = '\0';
	if (line[0] == '/')
		snprintf(path, sizeof(path), "%s%s", root ? root : "", line);
	else
		snprintf(path, sizeof(path), "%s/lib/modules/%s/%s", root ? root : "", release,
			 line);
	return hp_klp_module__vermagic_of(path);
}
