/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages for people, on stderr. Reports go to stdout through report/, never through here.
 * libbpf's messages are shown one level lower than ours: its warnings with -v, the rest with -vv.
 */
#ifndef HP_BASE_LOG_H
#define HP_BASE_LOG_H

#include <stdbool.h>

enum hp_log_level {
	HP_LOG_WARN,  /* always */
	HP_LOG_INFO,  /* -v */
	HP_LOG_DEBUG, /* -vv */
};

/* Set once by main(): -v count, and whether stderr may be coloured. */
void hp_log_init(int verbosity, bool color);

/* Is a message of this level shown at all? */
bool hp_log_shows(enum hp_log_level level);

void hp_log(enum hp_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define hp_warn(...)  hp_log(HP_LOG_WARN, __VA_ARGS__)
#define hp_info(...)  hp_log(HP_LOG_INFO, __VA_ARGS__)
#define hp_debug(...) hp_log(HP_LOG_DEBUG, __VA_ARGS__)

/*
 * The one live line on stderr of long work: rewritten in place on a terminal, otherwise printed
 * as a line when at least 2 s have passed since the last one. hp_progress_end() clears it.
 */
void hp_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void hp_progress_end(void);

#endif
