// SPDX-License-Identifier: GPL-2.0
/* Messages and the live progress line on stderr. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "base/clock.h"

#define PROGRESS_EVERY_NS (2 * HP_NSEC_PER_SEC)

static struct {
	int verbosity;
	bool color;
	bool line_shown;
	uint64_t line_ns;
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

void hp_log(enum hp_log_level level, const char *fmt, ...)
{
	va_list ap;

	if ((int)level > log_state.verbosity)
		return;
	hp_progress_end();
	fputs(log_state.color && level == HP_LOG_WARN ? "\033[33mhotproof:\033[0m " : "hotproof: ",
	      stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void hp_progress(const char *fmt, ...)
{
	bool tty = isatty(STDERR_FILENO);
	uint64_t now = hp_now_ns();
	va_list ap;

	pthread_mutex_lock(&progress_lock);
	if (!log_state.line_ns)
		log_state.line_ns = now;
	if (!tty && now - log_state.line_ns < PROGRESS_EVERY_NS) {
		pthread_mutex_unlock(&progress_lock);
		return;
	}
	if (tty)
		fputs("\r\033[K", stderr);
	else
		log_state.line_ns = now;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (tty)
		log_state.line_shown = true;
	else
		fputc('\n', stderr);
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
