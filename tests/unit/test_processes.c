// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that map a file, by each way of finding them: the same ones, with the same mappings. All
 * uncommon kinds of processes once, alone and while others fork and call exec().
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <elf.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/namespaces.h"
#include "host/processes.h"

#define PAGE	 4096
#define SEARCHES 8 /* of each way, in the storm */

static struct hp_build_id id = { .len = 20 };
static char folder[] = "/tmp/hotproof-processes.XXXXXX";
static char file[64];
static int ready[2];
static bool has_query; /* Linux 6.11 */

/* An ELF file of two pages with the build-id that is looked for, and nothing else. */
static void write_elf(const char *path)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr segments[2];
		Elf64_Nhdr note;
		char name[4];
		uint8_t id[20];
	} elf = {
		.header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
					 ELFDATA2LSB, EV_CURRENT },
			    .e_type = ET_DYN,
			    .e_machine = EM_X86_64,
			    .e_version = EV_CURRENT,
			    .e_phoff = sizeof(Elf64_Ehdr),
			    .e_ehsize = sizeof(Elf64_Ehdr),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = 2 },
		.segments = { { .p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_filesz = 2 * PAGE,
				.p_memsz = 2 * PAGE,
				.p_align = PAGE },
			      { .p_type = PT_NOTE, .p_flags = PF_R, .p_align = 4 } },
		.note = { .n_namesz = 4, .n_descsz = 20, .n_type = NT_GNU_BUILD_ID },
		.name = "GNU",
	};
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	memcpy(elf.id, id.bytes, sizeof(elf.id));
	elf.segments[1].p_offset = offsetof(typeof(elf), note);
	elf.segments[1].p_filesz = elf.segments[1].p_memsz =
		sizeof(elf.note) + sizeof(elf.name) + sizeof(elf.id);
	if (fd < 0 || write(fd, &elf, sizeof(elf)) != sizeof(elf) || ftruncate(fd, 2 * PAGE))
		_exit(20);
	close(fd);
}

/* In the children nothing is asserted: who fails is missing, and said to be. */
static void map(const char *path, int prot, off_t offset)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (mmap(NULL, PAGE, prot, MAP_PRIVATE, fd, offset) == MAP_FAILED)
		_exit(21);
	close(fd);
}

static void stay(void)
{
	if (write(ready[1], "", 1) != 1)
		_exit(22);
	for (;;)
		pause();
}

static void *stay_in_thread(void *arg)
{
	if (arg)
		unshare(CLONE_FILES);
	stay();
	return NULL;
}

static int stay_in_clone(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	stay();
	return 0;
}

/* From here on, each a kind of process. */

static void run_plain(void)
{
	map(file, PROT_READ | PROT_EXEC, 0);
}

static void run_second_page(void)
{
	map(file, PROT_READ, 0);
	map(file, PROT_READ | PROT_EXEC, PAGE);
}

static void run_copies(void)
{
	run_plain();
	map(file, PROT_READ | PROT_EXEC, PAGE);
	run_plain();
}

static void run_data(void)
{
	map(file, PROT_READ | PROT_WRITE, 0);
}

static void run_deleted(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s.deleted", file);
	write_elf(path);
	map(path, PROT_READ | PROT_EXEC, 0);
	unlink(path);
}

static void run_other_mount(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/inner", folder);
	mkdir(path, 0700);
	if (unshare(CLONE_NEWNS) || mount("none", path, "tmpfs", 0, NULL))
		_exit(23);
	strcat(path, "/copy");
	write_elf(path);
	map(path, PROT_READ | PROT_EXEC, 0);
}

static void run_other_pids(void)
{
	if (unshare(CLONE_NEWPID))
		_exit(24);
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_plain();
		stay();
	}
	for (;;)
		pause();
}

static void run_own_files(void)
{
	pthread_t thread;

	run_plain();
	pthread_create(&thread, NULL, stay_in_thread, ready);
	for (;;)
		pause();
}

/* Its number is that of a zombie, whose /proc/PID/maps is empty. */
static void run_dead_leader(void)
{
	pthread_t thread;

	run_plain();
	prctl(PR_SET_NAME, "headless");
	pthread_create(&thread, NULL, stay_in_thread, NULL);
	syscall(SYS_exit, 0);
}

static void run_shared(void)
{
	static char stack[65536] __attribute__((aligned(16)));

	run_plain();
	clone(stay_in_clone, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
	for (;;)
		pause();
}

static const struct kind {
	const char *name;
	void (*run)(void);
	unsigned int found; /* how many processes of it are to be found */
	unsigned int proc;  /* and by /proc */
} kinds[] = {
	{ "plain", run_plain, 1, 1 },		{ "second page", run_second_page, 1, 1 },
	{ "copies", run_copies, 1, 1 },		{ "data", run_data, 0, 0 },
	{ "deleted", run_deleted, 1, 1 },	{ "other mount", run_other_mount, 1, 1 },
	{ "other pids", run_other_pids, 1, 1 }, { "own files", run_own_files, 1, 1 },
	{ "headless", run_dead_leader, 1, 0 },	{ "shared", run_shared, 2, 2 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static pid_t begin(void (*run)(void))
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	run();
	stay();
	return 0;
}

static void wait_until_ready(void)
{
	char byte;

	assert_int_equal(read(ready[0], &byte, 1), 1);
}

static struct hp_processes find(enum hp_processes_method method)
{
	struct hp_error err = { 0 };
	struct hp_processes found;

	if (hp_processes__find(&found, &id, NULL, 0, method, &err))
		fail_msg("way %d: %s", method, err.message);
	assert_int_equal(found.method, method);
	return found;
}

static bool can(enum hp_processes_method method)
{
	struct hp_processes found;
	int ret = hp_processes__find(&found, &id, NULL, 0, method, NULL);

	hp_processes__free(&found);
	return !ret;
}

/* Each of @wanted is among @found, as it is. */
static void assert_found(const struct hp_processes *found, const struct hp_processes *wanted,
			 bool exact)
{
	size_t at = 0;

	for (size_t i = 0; i < wanted->count; i++) {
		const struct hp_process *w = &wanted->items[i], *p;

		/* /proc does not show the mappings of one whose first thread has ended. */
		if (found->method == HP_PROCESSES_PROC && !strcmp(w->comm, "headless"))
			continue;
		while (!exact && at < found->count && found->items[at].pid < w->pid)
			at++;
		if (at == found->count)
			fail_msg("way %d misses process %d", found->method, w->pid);
		p = &found->items[at++];
		if (p->pid != w->pid || p->start != w->start || p->end != w->end ||
		    p->offset != w->offset || p->inode != w->inode || p->major != w->major ||
		    p->minor != w->minor || p->copies != w->copies || p->deleted != w->deleted ||
		    p->bits32 != w->bits32 || strcmp(p->comm, w->comm) ||
		    (found->method != HP_PROCESSES_PROC && p->shares_with != w->shares_with))
			fail_msg("way %d: process %d (%s) for %d (%s), or not as it is",
				 found->method, p->pid, p->comm, w->pid, w->comm);
	}
	if (exact)
		assert_int_equal(at, found->count);
}

static const enum hp_processes_method ways[] = { HP_PROCESSES_BPF, HP_PROCESSES_PROC,
						 HP_PROCESSES_QUERY };

static void compare_ways(const struct hp_processes *wanted, bool exact)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct hp_processes found;

		if (ways[i] == HP_PROCESSES_QUERY && !has_query)
			continue;
		found = find(ways[i]);
		assert_found(&found, wanted, exact);
		hp_processes__free(&found);
	}
}

/* What is known of the processes without asking any of the ways. */
static void check_kinds(const struct hp_processes *found, const pid_t pids[KINDS])
{
	size_t total = 0;

	for (size_t k = 0; k < KINDS; k++) {
		size_t seen = 0;

		total += kinds[k].found;
		for (size_t i = 0; i < found->count; i++) {
			const struct hp_process *p = &found->items[i];

			if (p->pid != pids[k])
				continue;
			seen++;
			assert_int_equal(p->offset, kinds[k].run == run_second_page ? PAGE : 0);
			assert_int_equal(p->copies, kinds[k].run == run_copies ? 2 : 1);
			assert_int_equal(p->deleted, kinds[k].run == run_deleted);
			assert_int_equal(p->shares_with != 0, kinds[k].run == run_shared);
		}
		/* Of the one that unshared its PID namespace it is the child. */
		if (seen != (kinds[k].found && kinds[k].run != run_other_pids))
			fail_msg("%s: seen %zu times", kinds[k].name, seen);
	}
	assert_int_equal(found->count, total);
}

/* Comes to be, maps the file, becomes another program and ends, over and over. */
static void run_storm(void)
{
	setpgid(0, 0);
	if (write(ready[1], "", 1) != 1)
		_exit(25);
	for (unsigned int i = 0;; i++) {
		pid_t pid = i % 3 ? fork() : vfork();

		if (!pid && i % 3 == 0) {
			execl("/bin/true", "true", NULL);
			_exit(26);
		}
		if (!pid) {
			run_plain();
			if (i % 3 == 1)
				execl("/bin/true", "true", NULL);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* And whoever it has begun, which are ours when it has ended (PR_SET_CHILD_SUBREAPER). */
static void end_group(pid_t pid)
{
	kill(-pid, SIGKILL);
	while (waitpid(-pid, NULL, 0) > 0)
		;
}

static void test_ways(void **state)
{
	struct hp_processes wanted;
	pid_t pids[KINDS], storm[4];

	for (size_t k = 0; k < KINDS; k++) {
		pids[k] = begin(kinds[k].run);
		wait_until_ready();
	}
	wanted = find(HP_PROCESSES_BPF);
	check_kinds(&wanted, pids);
	compare_ways(&wanted, true);
	for (size_t i = 0; i < 4; i++) {
		storm[i] = begin(run_storm);
		wait_until_ready();
	}
	for (int i = 0; i < SEARCHES; i++)
		compare_ways(&wanted, false);
	for (size_t i = 0; i < 4; i++)
		end_group(storm[i]);
	compare_ways(&wanted, true);
	for (size_t k = 0; k < KINDS; k++)
		end(pids[k]);
	hp_processes__free(&wanted);
}

/* Who is hidden from us and may not be asked is there for the iterator, which says that it could not look. */
static void run_hidden(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	struct hp_processes found;
	struct hp_error err = { 0 };

	if (unshare(CLONE_NEWNS) || mount("proc", "/proc", "proc", 0, "hidepid=2") ||
	    syscall(SYS_capget, &header, caps))
		_exit(27);
	caps[0].effective &= ~(1u << CAP_SYS_PTRACE);
	if (syscall(SYS_capset, &header, caps) || setgroups(0, NULL) || setgid(65534) ||
	    hp_processes__find(&found, &id, NULL, 0, HP_PROCESSES_AUTO, &err))
		_exit(28);
	_exit(found.method == HP_PROCESSES_BPF && found.unreadable && !found.count ? 0 : 29);
}

static void test_hidden(void **state)
{
	pid_t plain = begin(run_plain), hidden;
	int status;

	wait_until_ready();
	hidden = begin(run_hidden);
	assert_int_equal(waitpid(hidden, &status, 0), hidden);
	assert_int_equal(status, 0);
	end(plain);
}

static int set_up(void **state)
{
	for (size_t i = 0; i < id.len; i++)
		id.bytes[i] = (uint8_t)(rand() >> 3);
	if (pipe2(ready, O_CLOEXEC) || prctl(PR_SET_CHILD_SUBREAPER, 1) || !mkdtemp(folder) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", folder, "tmpfs", 0, NULL))
		return -1;
	snprintf(file, sizeof(file), "%s/library", folder);
	write_elf(file);
	return 0;
}

static int tear_down(void **state)
{
	umount2(folder, MNT_DETACH);
	rmdir(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_hidden),
	};

	srand((unsigned int)getpid());
	if (geteuid() || !hp_ns__is_initial("pid", HP_NS_PID) || unshare(CLONE_NEWNS) ||
	    !can(HP_PROCESSES_BPF)) {
		puts("1..0 # SKIP needs root and BPF iterators");
		return 0;
	}
	has_query = can(HP_PROCESSES_QUERY);
	if (!has_query)
		puts("# no PROCMAP_QUERY here: two ways are compared");
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
