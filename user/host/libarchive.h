/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libarchive, loaded when something has to be unpacked, which is seldom. It brings libxml2 and ICU
 * along: linked in, these were a third of the time in which hotproof starts.
 */
#ifndef HP_HOST_LIBARCHIVE_H
#define HP_HOST_LIBARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#include "base/error.h"

#define HP_LIBARCHIVE "libarchive.so.13" /* the interface that <archive.h> describes */

/* The functions of <archive.h> that are used. */
struct hp_libarchive {
	__typeof__(&archive_read_new) read_new;
	__typeof__(&archive_read_free) read_free;
	__typeof__(&archive_read_support_filter_all) read_support_filter_all;
	__typeof__(&archive_read_support_format_raw) read_support_format_raw;
	__typeof__(&archive_read_open) read_open;
	__typeof__(&archive_read_next_header) read_next_header;
	__typeof__(&archive_read_data_block) read_data_block;
	__typeof__(&archive_error_string) error_string;
	__typeof__(&archive_set_error) set_error;
};

/* Load the library; it stays. Thread-safe. NULL with @err filled when it is not installed. */
const struct hp_libarchive *hp_libarchive__load(struct hp_error *err);

#endif
