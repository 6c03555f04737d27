// SPDX-License-Identifier: GPL-2.0
/* The configuration of the running kernel, from where it may lie. */
#include "host/kconfig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <zlib.h>

#define CONFIG_MAX (4 << 20) /* a full x86 configuration is some 280 KiB */

struct hp_kconfig {
	char *text;
};

static void close_file(gzFile f)
{
	gzclose(f);
}
HP_DEFINE_CLEANUP(gzFile, close_file)

/* Plain or gzip: zlib finds out. */
static int read_text(const char *path, char **text)
{
	__cleanup(hp_cleanup_close_file) gzFile f = gzopen(path, "re");
	_cleanup_free_ char *buf = NULL;
	int n;

	if (!f)
		return -ENOENT;
	buf = malloc(CONFIG_MAX + 1);
	if (!buf)
		return -ENOMEM;
	n = gzread(f, buf, CONFIG_MAX);
	if (n < 0)
		return -EIO;
	buf[n] = '\0';
	*text = realloc(buf, (size_t)n + 1);
	if (!*text)
		return -ENOMEM;
	buf = NULL;
	return 0;
}

int hp_kconfig__open(struct hp_kconfig **out, const char *root)
{
	_cleanup_free_ char *text = NULL;
	char path[4096];
	struct utsname uts;
	int ret;

	snprintf(path, sizeof(path), "%s/proc/config.gz", root);
	ret = read_text(path, &text);
	if (ret) {
		uname(&uts);
		snprintf(path, sizeof(path), "%s/boot/config-%s", root, uts.release);
		ret = read_text(path, &text);
	}
	if (ret)
		return ret;
	*out = malloc(sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->text = text;
	text = NULL;
	return 0;
}

void hp_kconfig__close(struct hp_kconfig *config)
{
	if (!config)
		return;
	free(config->text);
	free(config);
}

enum hp_kconfig_value hp_kconfig__get(const struct hp_kconfig *config, const char *option)
{
	size_t len = strlen(option);
	const char *line;

	if (!config)
		return HP_KCONFIG_UNKNOWN;
	for (line = config->text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, option, len) && line[len] == '=')
			return line[len + 1] == 'y' || line[len + 1] == 'm' ? HP_KCONFIG_ON
									    : HP_KCONFIG_OFF;
	}
	return HP_KCONFIG_OFF;
}
