// SPDX-License-Identifier: GPL-2.0
/* libarchive, loaded when something has to be unpacked. */
#include "host/libarchive.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

static struct hp_libarchive library;
static bool complete;
static char why[256];

static void load(void)
{
	const struct {
		const char *name;
		void *function; /* a pointer to the pointer to it */
	} wanted[] = {
		{ "archive_read_new", &library.read_new },
		{ "archive_read_free", &library.read_free },
		{ "archive_read_support_filter_all", &library.read_support_filter_all },
		{ "archive_read_support_format_raw", &library.read_support_format_raw },
		{ "archive_read_open", &library.read_open },
		{ "archive_read_next_header", &library.read_next_header },
		{ "archive_read_data_block", &library.read_data_block },
		{ "archive_error_string", &library.error_string },
		{ "archive_set_error", &library.set_error },
	};
	void *handle = dlopen(HP_LIBARCHIVE, RTLD_NOW);

	complete = handle;
	for (size_t i = 0; complete && i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		*(void **)wanted[i].function = dlsym(handle, wanted[i].name);
		complete = *(void **)wanted[i].function;
	}
	if (!complete)
		snprintf(why, sizeof(why), "%s", dlerror());
}

const struct hp_libarchive *hp_libarchive__load(struct hp_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (complete)
		return &library;
	hp_fail(err, HP_E_NO_LIBRARY, "cannot be unpacked without libarchive: %s", why);
	return NULL;
}
