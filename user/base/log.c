// SPDX-License-Identifier: GPL-2.0
/* Messages and the live progress line on stderr. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "base/clock.h"

#define PROGRESS_EVERY_NS  (2 * HP_NSEC_PER_SEC)
#define REDRAW_EVERY_NS	   (HP_NSEC_PER_SEC / 20)
#define MAIN_LINE_STAYS_NS (HP_NSEC_PER_SEC)

static struct {
	int verbosity;
	bool color;
	bool line_shown;
	uint64_t line_ns; /* when the last line was shown, */
	uint64_t main_ns; /* and when the main thread last had one to show */
} log_state;

/* Work in the background shows its progress too. */
static pthread_mutex_t progress_lock = PTHREAD_MUTEX_INITIALIZER;

static int libbpf_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	/* libbpf warns about every probe that is expected to fail. */
	int wanted = level == LIBBPF_WARN ? 1 : level == LIBBPF_INFO ? 2 : 3;

	if (log_state.verbosity < wanted)
		return 0;
	return vfprintf(stderr, fmt, ap);
}

void hp_log_init(int verbosity, bool color)
{
	log_state.verbosity = verbosity;
	log_state.color = color;
	libbpf_set_print(libbpf_print);
}

bool hp_log_shows(enum hp_log_level level)
{
	return (int)level <= log_state.verbosity;
}

void hp_log(enum hp_log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!hp_log_shows(level))
		return;
	hp_progress_end();
	fputs(log_state.color && level == HP_LOG_WARN ? "\033[33mhotproof:\033[0m " : "hotproof: ",
	      stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* How much of a line fits: one that wraps could not be rewritten in place. */
static size_t fit(size_t length)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return length;
	return length < size.ws_col ? length : size.ws_col - 1u;
}

/* Is it this thread's turn? What the main thread waits for goes before what is done meanwhile. */
static bool may_show(bool tty, uint64_t now)
{
	bool main_thread = gettid() == getpid();

	if (!log_state.line_ns && !tty)
		log_state.line_ns = now;
	if (!main_thread && now - log_state.main_ns < MAIN_LINE_STAYS_NS)
		return false;
	if (main_thread)
		log_state.main_ns = now;
	return now - log_state.line_ns >= (tty ? REDRAW_EVERY_NS : PROGRESS_EVERY_NS);
}

void hp_progress(const char *fmt, ...)
{
	bool tty = isatty(STDERR_FILENO);
	uint64_t now = hp_now_ns();
	char line[512];
	va_list ap;

	pthread_mutex_lock(&progress_lock);
	if (!may_show(tty, now)) {
		pthread_mutex_unlock(&progress_lock);
		return;
	}
	log_state.line_ns = now;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (tty)
		fprintf(stderr, "\r\033[K%.*s", (int)fit(strlen(line)), line);
	else
		fprintf(stderr, "%s\n", line);
	log_state.line_shown = tty;
	fflush(stderr);
	pthread_mutex_unlock(&progress_lock);
}

void hp_progress_end(void)
{
	pthread_mutex_lock(&progress_lock);
	if (log_state.line_shown)
		fputs("\r\033[K", stderr);
	log_state.line_shown = false;
	pthread_mutex_unlock(&progress_lock);
}
