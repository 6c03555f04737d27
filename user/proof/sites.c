// SPDX-License-Identifier: GPL-2.0
/* Call sites of a proof's targets: known from code, seen at run time, put together. */
#include "proof/sites.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "host/kallsyms.h"
#include "host/vmlinux_image.h"
#include "observe/callsites.h"

/* How far the thread has come, and what it waits for. */
enum stage {
	STAGE_READING,	 /* the symbols */
	STAGE_WAITING,	 /* symbols read; for targets */
	STAGE_SEARCHING, /* targets given */
};

struct hp_sites {
	pthread_t thread;
	bool running;
	volatile sig_atomic_t stop;

	pthread_mutex_t lock; /* of the stage */
	pthread_cond_t changed;
	enum stage stage;

	struct hp_target *targets; /* given to the thread with STAGE_SEARCHING */
	size_t count;

	/* Written by the thread; the symbols are read from STAGE_WAITING on, the rest at its end. */
	struct hp_kallsyms *symbols;
	struct hp_vmlinux_image *image;
	struct hp_callsites *found;
	struct hp_error error; /* why not all of the above are there */
};

static void set_stage(struct hp_sites *s, enum stage stage)
{
	pthread_mutex_lock(&s->lock);
	s->stage = stage;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* Wait for @stage; false when it is not to be reached any more. */
static bool wait_for_stage(struct hp_sites *s, enum stage stage)
{
	bool reached;

	pthread_mutex_lock(&s->lock);
	while (s->stage < stage && !s->stop)
		pthread_cond_wait(&s->changed, &s->lock);
	reached = s->stage >= stage;
	pthread_mutex_unlock(&s->lock);
	return reached;
}

static void *run(void *arg)
{
	struct hp_sites *s = arg;
	struct hp_vmlinux_source image = { .stop = &s->stop };
	struct hp_callsites_source source = { .stop = &s->stop };

	hp_kallsyms__open(&s->symbols, NULL, &s->error);
	set_stage(s, STAGE_WAITING);
	if (!s->symbols || !wait_for_stage(s, STAGE_SEARCHING))
		return NULL;
	if (hp_vmlinux_image__open(&s->image, &image, &s->error))
		return NULL;
	if (hp_vmlinux_image__relocate(s->image, s->symbols, &s->error))
		return NULL;
	source.img = s->image;
	source.ks = s->symbols;
	hp_callsites__search(&s->found, &source, s->targets, s->count, &s->error);
	return NULL;
}

int hp_sites__start(struct hp_sites **out)
{
	struct hp_sites *s = calloc(1, sizeof(*s));
	sigset_t all, before;
	int ret;

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	/* Signals are the main thread's: they must end its sleep. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	s->running = !ret;
	if (ret) {
		hp_sites__close(s);
		return -ret;
	}
	*out = s;
	return 0;
}

int hp_sites__symbols(struct hp_sites *s, const struct hp_kallsyms **out, struct hp_error *err)
{
	wait_for_stage(s, STAGE_WAITING);
	*out = s->symbols;
	return s->symbols ? 0 : hp_fail(err, s->error.reason, "%s", s->error.message);
}

int hp_sites__search(struct hp_sites *s, const struct hp_target *targets, size_t count)
{
	wait_for_stage(s, STAGE_WAITING);
	s->targets = calloc(count + 1, sizeof(*s->targets));
	if (!s->targets)
		return -ENOMEM;
	memcpy(s->targets, targets, count * sizeof(*targets));
	s->count = count;
	set_stage(s, STAGE_SEARCHING);
	return 0;
}

static void wait_for_end(struct hp_sites *s)
{
	if (s->running)
		pthread_join(s->thread, NULL);
	s->running = false;
}

void hp_sites__close(struct hp_sites *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = 1;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	wait_for_end(s);
	if (s->found)
		hp_callsites__close(s->found);
	if (s->image)
		hp_vmlinux_image__close(s->image);
	if (s->symbols)
		hp_kallsyms__close(s->symbols);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s->targets);
	free(s);
}

static int add_static(struct hp_verify_target *out, const struct hp_target_sites *known)
{
	for (size_t i = 0; i < known->count; i++) {
		const struct hp_site *from = &known->sites[i];
		struct hp_verify_site *to;

		if (!from->confirmed)
			continue;
		to = hp_call_sites__add(&out->call_sites);
		if (!to)
			return -ENOMEM;
		to->address = from->address;
		to->symbol = from->function.name ? strdup(from->function.name) : NULL;
		to->offset = from->offset;
		to->kind = from->kind;
		to->found_static = true;
		to->countable = from->return_address != 0;
	}
	return 0;
}

/* The site of a call that returns to @address: a known one, or a new one seen at run time only. */
static struct hp_verify_site *site_of_caller(struct hp_sites *s, size_t i, uint64_t address,
					     struct hp_verify_target *out)
{
	struct hp_site_match match;
	struct hp_verify_site *site = NULL;
	struct hp_symbol symbol;

	if (s->found && !hp_callsites__match(s->found, i, address, &match)) {
		site = hp_call_sites__at(&out->call_sites, NULL, match.site->address);
		if (site)
			site->countable = true; /* a jump, told by the one function that has it */
	}
	site = site ?: hp_call_sites__at(&out->call_sites, NULL, address);
	if (site)
		return site;
	site = hp_call_sites__add(&out->call_sites);
	if (!site)
		return NULL;
	site->address = address;
	site->countable = true;
	/* The call is before the return address, which may be the next function's first byte. */
	if (s->symbols && !hp_kallsyms__lookup(s->symbols, address - 1, &symbol, &site->offset)) {
		site->symbol = strdup(symbol.name);
		site->offset++;
	}
	return site;
}

static void explain(struct hp_sites *s, const struct hp_target_sites *known,
		    struct hp_verify_target *out)
{
	size_t used;

	if (out->target.exclusive) {
		snprintf(out->call_sites.reason, sizeof(out->call_sites.reason),
			 "calls inside a BPF program are not looked for");
		return;
	}
	if (!known) {
		snprintf(out->call_sites.reason, sizeof(out->call_sites.reason), "%.*s",
			 (int)sizeof(out->call_sites.reason) - 1,
			 s->error.reason ? s->error.message : "they were not looked for");
		return;
	}
	out->call_sites.by_pointer = known->address_taken != 0;
	out->call_sites.pointers_unseen = known->pointers_unseen;
	out->call_sites.known = known->blind_count == 0;
	used = (size_t)snprintf(out->call_sites.reason, sizeof(out->call_sites.reason), "%s",
				known->blind_count ? "could not look into" : "");
	for (size_t i = 0; i < known->blind_count && used < sizeof(out->call_sites.reason); i++)
		used += (size_t)snprintf(out->call_sites.reason + used,
					 sizeof(out->call_sites.reason) - used, "%s %s",
					 i ? "," : "", known->blind[i]);
}

int hp_sites__fill(struct hp_sites *s, size_t i, const struct hp_watch_point *redirected,
		   const struct hp_watch_point *stale, struct hp_verify_target *out)
{
	const struct hp_target_sites *known = NULL;

	wait_for_end(s);
	if (s->found && out->target.old_addr && !out->target.exclusive)
		known = hp_callsites__target(s->found, i);
	if (known && add_static(out, known))
		return -ENOMEM;
	for (size_t j = 0; j < redirected->caller_count + stale->caller_count; j++) {
		bool is_stale = j >= redirected->caller_count;
		const struct hp_caller *from =
			is_stale ? &stale->callers[j - redirected->caller_count]
				 : &redirected->callers[j];
		struct hp_verify_site *site = site_of_caller(s, i, from->address, out);

		if (!site)
			return -ENOMEM;
		if (is_stale)
			site->stale += from->calls;
		else
			site->redirected += from->calls;
	}
	explain(s, known, out);
	return 0;
}
