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

bool hp_ns__pid(uint64_t *device, uint64_t *inode)
{
	struct stat st;

	if (hp_ns__is_initial("pid", HP_NS_PID) || stat("/proc/self/ns/pid", &st))
		return false;
	*device = st.st_dev;
	*inode = st.st_ino;
	return true;
}
