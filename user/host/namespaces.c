// SPDX-License-Identifier: GPL-2.0
/* Namespaces that we are in. */
#include "host/namespaces.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

bool hp_ns__is_initial(const char *name, unsigned int inode)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	if (stat(path, &st))
		return errno == ENOENT;
	return st.st_ino == inode;
}
