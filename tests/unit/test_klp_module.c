// SPDX-License-Identifier: GPL-2.0
/*
 * Reading livepatch modules. What is read must be what the fixtures' sources say; and whatever the
 * bytes of a file are, it is refused with exit status 2 or read, never a crash (run the sanitized
 * build of this). HOTPROOF_FUZZ=N makes N random mutations of each file instead of a few.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "hotfix/klp_module.h"
#include "hotfix/module_signature.h"

#define FIXTURES  "build/fixtures/"
#define MUTATIONS 256
#define PATH_SIZE 256
#define MARK	  "~Module signature appended~\n"

static const char *const livepatches[] = {
	"hp_lp_getpgid.ko", "hp_lp_mod.ko",    "hp_lp_kpatch.ko",
	"hp_lp_objects.ko", "hp_lp_many50.ko", "btf/hp_lp_two.ko",
};

#define LIVEPATCHES (sizeof(livepatches) / sizeof(livepatches[0]))

static int need_fixtures(void **state)
{
	if (!access(FIXTURES "hp_lp_objects.ko", R_OK))
		return 0;
	print_message("no fixtures in " FIXTURES ": run 'make fixtures' first\n");
	return -1;
}

static struct hp_klp_module *open_fixture(const char *name)
{
	struct hp_klp_module *mod = NULL;
	struct hp_error err = { 0 };
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), FIXTURES "%s", name);
	if (hp_klp_module__open(&mod, path, &err))
		fail_msg("%s: %s (%s)", name, err.message, hp_reason_code(err.reason));
	return mod;
}

static enum hp_reason open_error(const char *path)
{
	struct hp_klp_module *mod = NULL;
	struct hp_error err = { 0 };
	int ret = hp_klp_module__open(&mod, path, &err);

	assert_true(ret < 0);
	assert_null(mod);
	assert_true(err.message[0]);
	return err.reason;
}

/* A file without a name that holds @size bytes of @data. Close the descriptor when done. */
static int memory_file(const void *data, size_t size, char path[PATH_SIZE])
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, size, 0), size);
	snprintf(path, PATH_SIZE, "/proc/self/fd/%d", fd);
	return fd;
}

static unsigned char *load(const char *name, size_t *size)
{
	_cleanup_file_ FILE *file = NULL;
	unsigned char *data;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), FIXTURES "%s", name);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	*size = (size_t)ftell(file);
	rewind(file);
	data = malloc(*size);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, *size, file), *size);
	return data;
}

static void assert_target(const struct hp_klp_module *mod, size_t i, const char *object,
			  const char *symbol, uint64_t sympos, const char *replacement)
{
	const struct hp_klp_target *t = &mod->targets[i];

	assert_true(i < mod->target_count);
	assert_string_equal(t->object, object);
	assert_string_equal(t->symbol, symbol);
	assert_int_equal(t->sympos, sympos);
	assert_string_equal(t->replacement, replacement);
	assert_true(t->replacement_size > 0);
	assert_true(t->traceable);
}

static void test_ordinary(void **state)
{
	__cleanup(hp_cleanup_hp_klp_module__close) struct hp_klp_module *mod = NULL;

	mod = open_fixture("hp_lp_getpgid.ko");
	assert_string_equal(mod->name, "hp_lp_getpgid");
	assert_string_equal(mod->license, "GPL");
	assert_string_equal(mod->version, "1");
	assert_non_null(mod->srcversion);
	assert_int_equal(strlen(mod->srcversion), 23);
	assert_string_equal(mod->depends, "");
	assert_non_null(strstr(mod->vermagic, " SMP "));
	assert_false(mod->btf);
	assert_false(mod->signature.present);
	assert_int_equal(mod->form, HP_KLP_STATIC);
	assert_int_equal(mod->replace, HP_KLP_REPLACE_NO);
	assert_int_equal(mod->target_count, 1);
	assert_target(mod, 0, "vmlinux", "__x64_sys_getpgid", 0, "hp_getpgid");
	assert_true(mod->text_size >= mod->targets[0].replacement_size);
	assert_int_equal(mod->build_id.len, 20);
	assert_int_equal(mod->callback_count, 0);

	assert_int_equal(mod->reverse_count, 1);
	assert_string_equal(mod->reverses[0].object, "vmlinux");
	assert_string_equal(mod->reverses[0].symbol, "security_task_getpgid");
	assert_int_equal(mod->reverses[0].sympos, 0);
	assert_int_equal(mod->reverses[0].references, 1);
}

static void test_replace_and_btf(void **state)
{
	__cleanup(hp_cleanup_hp_klp_module__close) struct hp_klp_module *mod = NULL;

	mod = open_fixture("btf/hp_lp_getpgid_replace.ko");
	assert_int_equal(mod->replace, HP_KLP_REPLACE_YES);
	assert_true(mod->btf);
	assert_int_equal(mod->target_count, 1);
}

static void test_sympos(void **state)
{
	__cleanup(hp_cleanup_hp_klp_module__close) struct hp_klp_module *mod = NULL;
	bool imports_lock = false;

	mod = open_fixture("hp_lp_sympos.ko");
	assert_int_equal(mod->target_count, 1);
	assert_target(mod, 0, "vmlinux", "flags_show", 3, "hp_flags_show");
	assert_int_equal(mod->reverse_count, 0);
	for (size_t i = 0; i < mod->import_count; i++)
		imports_lock |= !strcmp(mod->imports[i], "dev_base_lock");
	assert_true(imports_lock);
}

static void test_module_object(void **state)
{
	__cleanup(hp_cleanup_hp_klp_module__close) struct hp_klp_module *mod = NULL;

	mod = open_fixture("hp_lp_mod.ko");
	assert_int_equal(mod->target_count, 1);
	assert_target(mod, 0, "hp_fixture_mod", "hp_fixture_target", 0, "hp_new_target");
	assert_int_equal(mod->reverse_count, 1);
	assert_string_equal(mod->reverses[0].object, "hp_fixture_mod");
	assert_string_equal(mod->reverses[0].symbol, "hp_fixture_count");
	assert_int_equal(mod->callback_count, 1);
	assert_string_equal(mod->callbacks[0].object, "hp_fixture_mod");
	assert_true(mod->callbacks[0].pre_patch);
	assert_false(mod->callbacks[0].post_patch);
	assert_false(mod->callbacks[0].pre_unpatch);
	assert_true(mod->callbacks[0].post_unpatch);
}

static void test_fifty_targets(void **state)
{
	__cleanup(hp_cleanup_hp_klp_module__close) struct hp_klp_module *mod = NULL;
	char symbol[64], replacement[64];

	mod = open_fixture("hp_lp_many50.ko");
	assert_int_equal(mod->target_count, 50);
	for (size_t i = 0; i < mod->target_count; i++) {
		snprintf(symbol, sizeof(symbol), "hp_fixture_target_%02zu", i);
		snprintf(replacement, sizeof(replacement), "hp_new_target_%02zu", i);
		assert_target(mod, i, "hp_fixture_mod", symbol, 0, replacement);
	}
}

static void test_kpatch_form(void **state)
{
	__cleanup(hp_cleanup_hp_klp_module__close) struct hp_klp_module *mod = NULL;

	mod = open_fixture("hp_lp_kpatch.ko");
	assert_int_equal(mod->form, HP_KLP_KPATCH);
	assert_int_equal(mod->replace, HP_KLP_REPLACE_UNKNOWN);
	assert_int_equal(mod->target_count, 1);
	assert_target(mod, 0, "vmlinux", "__x64_sys_getpgid", 0, "hp_getpgid");
}

static void assert_objects(const struct hp_klp_module *mod)
{
	assert_int_equal(mod->target_count, 4);
	assert_string_equal(mod->targets[0].object, "hp_fixture_mod");
	assert_string_equal(mod->targets[0].symbol, "hp_fixture_target");
	assert_string_equal(mod->targets[1].object, "vmlinux");
	assert_string_equal(mod->targets[1].symbol, "__x64_sys_sched_get_priority_min");
	assert_int_equal(mod->targets[1].sympos, 0);
	assert_string_equal(mod->targets[2].object, "vmlinux");
	assert_string_equal(mod->targets[2].symbol, "__x64_sys_sched_get_priority_max");
	assert_int_equal(mod->targets[2].sympos, 1);
	assert_string_equal(mod->targets[3].object, "hp_stall_mod");
	assert_string_equal(mod->targets[3].symbol, "hp_stall_target");
	assert_int_equal(mod->callback_count, 2);
	assert_string_equal(mod->callbacks[0].object, "vmlinux");
	assert_true(mod->callbacks[0].pre_patch);
	assert_false(mod->callbacks[0].post_unpatch);
	assert_string_equal(mod->callbacks[1].object, "hp_no_such_mod");
	assert_true(mod->callbacks[1].post_unpatch);
}

/* The layout of the arrays is found without the symbols of the data, too. */
static void test_objects_with_and_without_symbols(void **state)
{
	__cleanup(hp_cleanup_hp_klp_module__close) struct hp_klp_module *full = NULL;
	__cleanup(hp_cleanup_hp_klp_module__close) struct hp_klp_module *bare = NULL;
	char folder[] = "/tmp/hotproof-test.XXXXXX", path[PATH_SIZE], command[3 * PATH_SIZE];
	struct hp_error err = { 0 };

	full = open_fixture("hp_lp_objects.ko");
	assert_objects(full);
	assert_target(full, 3, "hp_stall_mod", "hp_stall_target", 0, "hp_no_stall");

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/bare.ko", folder);
	snprintf(command, sizeof(command),
		 "strip --strip-unneeded -o %s " FIXTURES "hp_lp_objects.ko", path);
	assert_int_equal(system(command), 0);
	if (hp_klp_module__open(&bare, path, &err))
		fail_msg("%s", err.message);
	unlink(path);
	rmdir(folder);
	assert_objects(bare);
	assert_string_equal(bare->targets[3].replacement, "");
	assert_int_equal(bare->targets[3].replacement_size, 0);
}

static void test_not_a_livepatch(void **state)
{
	static const unsigned char gzip[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0 };
	char path[PATH_SIZE];
	int fd;

	assert_int_equal(open_error(FIXTURES "hp_fixture_mod.ko"), HP_E_FILE_NOT_LIVEPATCH);
	assert_int_equal(open_error(FIXTURES "no_such_file.ko"), HP_E_FILE_OPEN);
	assert_int_equal(open_error("/tmp"), HP_E_FILE_OPEN);
	assert_int_equal(open_error("/dev/zero"), HP_E_FILE_OPEN);
	assert_int_equal(open_error("Makefile"), HP_E_FILE_NOT_ELF);
	assert_int_equal(open_error("/proc/self/exe"), HP_E_FILE_NOT_ELF);
	fd = memory_file("", 0, path);
	assert_int_equal(open_error(path), HP_E_FILE_TRUNCATED);
	close(fd);
	fd = memory_file(gzip, sizeof(gzip), path);
	assert_int_equal(open_error(path), HP_E_FILE_COMPRESSED);
	close(fd);
}

static void test_other_machine(void **state)
{
	_cleanup_free_ unsigned char *data = NULL;
	char path[PATH_SIZE];
	size_t size;
	int fd;

	data = load("hp_lp_two.ko", &size);
	data[18] ^= 0x40; /* e_machine */
	fd = memory_file(data, size, path);
	assert_int_equal(open_error(path), HP_E_FILE_MACHINE);
	close(fd);
	data[18] ^= 0x40;
	data[4] = 1; /* EI_CLASS: 32 bits */
	fd = memory_file(data, size, path);
	assert_int_equal(open_error(path), HP_E_FILE_MACHINE);
	close(fd);
}

static void test_truncated_anywhere(void **state)
{
	for (size_t i = 0; i < LIVEPATCHES; i++) {
		_cleanup_free_ unsigned char *data = NULL;
		char path[PATH_SIZE];
		size_t size, cut;

		data = load(livepatches[i], &size);
		for (cut = 0; cut < size; cut += 64) {
			int fd = memory_file(data, cut, path);
			enum hp_reason reason = open_error(path);

			if (cut)
				assert_true(reason == HP_E_FILE_TRUNCATED ||
					    reason == HP_E_FILE_CORRUPT);
			assert_int_equal(hp_reason_exit(reason), HP_EXIT_USAGE);
			close(fd);
		}
	}
}

/* xorshift64: the same mutations on every run, so that a failure can be looked at. */
static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void mutate(unsigned char *data, size_t size, uint64_t *seed)
{
	size_t changes = 1 + random_next(seed) % 4;

	while (changes--) {
		size_t at = random_next(seed) % size;
		size_t len = 1 + random_next(seed) % 8;

		/* Half of them where the tables are: near the end of the file. */
		if (random_next(seed) & 1)
			at = size - 1 - random_next(seed) % (size / 2);
		for (; len-- && at < size; at++) {
			uint64_t kind = random_next(seed);

			if (kind & 1)
				data[at] = (unsigned char)(kind >> 8);
			else if (kind & 2)
				data[at] = kind & 4 ? 0xff : 0;
			else
				data[at] ^= (unsigned char)(1u << (kind >> 8) % 8);
		}
	}
}

static void test_mutated_anywhere(void **state)
{
	const char *wanted = getenv("HOTPROOF_FUZZ");
	unsigned long rounds = wanted ? strtoul(wanted, NULL, 10) : MUTATIONS;
	unsigned long refused = 0, total = 0;
	uint64_t seed = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < LIVEPATCHES; i++) {
		_cleanup_free_ unsigned char *data = NULL, *mutant = NULL;
		char path[PATH_SIZE];
		size_t size;

		data = load(livepatches[i], &size);
		mutant = malloc(size);
		assert_non_null(mutant);
		for (unsigned long round = 0; round < rounds; round++, total++) {
			struct hp_klp_module *mod = NULL;
			struct hp_error err = { 0 };
			int fd, ret;

			memcpy(mutant, data, size);
			mutate(mutant, size, &seed);
			fd = memory_file(mutant, size, path);
			ret = hp_klp_module__open(&mod, path, &err);
			if (ret) {
				assert_null(mod);
				assert_int_equal(hp_reason_exit(err.reason), HP_EXIT_USAGE);
				refused++;
			} else {
				/* What was read must be whole: every name can be looked at. */
				for (size_t t = 0; t < mod->target_count; t++)
					assert_true(strlen(mod->targets[t].symbol) &&
						    strlen(mod->targets[t].object));
				assert_false(hp_klp_module__unchanged(mod, &err));
				hp_klp_module__close(mod);
			}
			close(fd);
		}
	}
	print_message("%lu of %lu mutations were refused\n", refused, total);
	assert_true(refused && refused < total);
}

static void test_changed_after_reading(void **state)
{
	_cleanup_free_ unsigned char *data = NULL;
	__cleanup(hp_cleanup_hp_klp_module__close) struct hp_klp_module *mod = NULL;
	struct hp_error err = { 0 };
	char path[PATH_SIZE];
	unsigned char byte;
	size_t size;
	int fd;

	data = load("hp_lp_two.ko", &size);
	fd = memory_file(data, size, path);
	assert_int_equal(hp_klp_module__open(&mod, path, &err), 0);
	assert_int_equal(hp_klp_module__unchanged(mod, &err), 0);
	assert_true(hp_klp_module__fd(mod) >= 0);

	byte = (unsigned char)(data[size / 2] + 1);
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)size / 2), 1);
	assert_int_equal(hp_klp_module__unchanged(mod, &err), -ESTALE);
	assert_int_equal(err.reason, HP_E_FILE_CHANGED);
	assert_int_equal(pwrite(fd, &data[size / 2], 1, (off_t)size / 2), 1);
	assert_int_equal(hp_klp_module__unchanged(mod, NULL), 0);
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)size), 1);
	assert_int_equal(hp_klp_module__unchanged(mod, NULL), -ESTALE);
	assert_int_equal(ftruncate(fd, (off_t)size - 1), 0);
	assert_int_equal(hp_klp_module__unchanged(mod, NULL), -ESTALE);
	close(fd);
}

/*
 * A PKCS#7 message of the shape that scripts/sign-file makes: signer "hotproof test", serial number
 * 0x1234, SHA-256; the signature's own bytes are not looked at.
 */
static const unsigned char message[] = {
	0x30, 0x6e, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02, 0xa0,
	0x61, 0x30, 0x5f, 0x02, 0x01, 0x01, 0x31, 0x0d, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86,
	0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48,
	0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01, 0x31, 0x3e, 0x30, 0x3c, 0x02, 0x01, 0x01, 0x30,
	0x1e, 0x30, 0x18, 0x31, 0x16, 0x30, 0x14, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x0d,
	'h',  'o',  't',  'p',	'r',  'o',  'o',  'f',	' ',  't',  'e',  's',	't',  0x02,
	0x02, 0x12, 0x34, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
	0x02, 0x01, 0x30, 0x02, 0x05, 0x00, 0x04, 0x06, 0xde, 0xad, 0xbe, 0xef, 0x00, 0x01,
};

/* @data with the message and its trailer behind it; *@size grows. */
static unsigned char *sign(unsigned char *data, size_t *size)
{
	unsigned char trailer[12] = { 0 };
	unsigned char *p;

	trailer[2] = 2; /* PKEY_ID_PKCS7 */
	trailer[11] = sizeof(message);
	data = realloc(data, *size + sizeof(message) + sizeof(trailer) + strlen(MARK));
	assert_non_null(data);
	p = mempcpy(data + *size, message, sizeof(message));
	p = mempcpy(p, trailer, sizeof(trailer));
	p = mempcpy(p, MARK, strlen(MARK));
	*size = (size_t)(p - data);
	return data;
}

static void test_signed(void **state)
{
	_cleanup_free_ unsigned char *data = NULL;
	__cleanup(hp_cleanup_hp_klp_module__close) struct hp_klp_module *mod = NULL;
	struct hp_error err = { 0 };
	char path[PATH_SIZE];
	size_t size;
	int fd;

	data = load("hp_lp_two.ko", &size);
	data = sign(data, &size);
	fd = memory_file(data, size, path);
	if (hp_klp_module__open(&mod, path, &err))
		fail_msg("%s", err.message);
	assert_true(mod->signature.present);
	assert_string_equal(mod->signature.signer, "hotproof test");
	assert_string_equal(mod->signature.key_id, "1234");
	assert_string_equal(mod->signature.hash, "sha256");
	assert_int_equal(mod->signature.size, sizeof(message) + 12 + strlen(MARK));
	assert_int_equal(mod->target_count, 2);
	close(fd);

	/* The mark without a signature in front of it, and one that is longer than the file. */
	fd = memory_file(MARK, strlen(MARK), path);
	assert_int_equal(open_error(path), HP_E_FILE_CORRUPT);
	close(fd);
	data[size - strlen(MARK) - 4] = 0xff;
	fd = memory_file(data, size, path);
	assert_int_equal(open_error(path), HP_E_FILE_CORRUPT);
	close(fd);
}

static void test_mutated_signature(void **state)
{
	struct hp_module_signature sig;
	_cleanup_free_ unsigned char *data = malloc(1), *copy = NULL;
	uint64_t seed = 0x2545f4914f6cdd1d;
	size_t size = 0, readable = 0;

	assert_non_null(data);
	data = sign(data, &size);
	copy = malloc(size);
	assert_non_null(copy);
	for (int round = 0; round < 20000; round++) {
		memcpy(copy, data, size);
		mutate(copy, sizeof(message), &seed);
		assert_int_equal(hp_module_signature__read(&sig, copy, size), 0);
		assert_true(strlen(sig.signer) < sizeof(sig.signer));
		assert_true(strlen(sig.key_id) < sizeof(sig.key_id));
		readable += sig.hash[0] != '\0';
	}
	assert_true(readable && readable < 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ordinary),
		cmocka_unit_test(test_replace_and_btf),
		cmocka_unit_test(test_sympos),
		cmocka_unit_test(test_module_object),
		cmocka_unit_test(test_fifty_targets),
		cmocka_unit_test(test_kpatch_form),
		cmocka_unit_test(test_objects_with_and_without_symbols),
		cmocka_unit_test(test_not_a_livepatch),
		cmocka_unit_test(test_other_machine),
		cmocka_unit_test(test_truncated_anywhere),
		cmocka_unit_test(test_mutated_anywhere),
		cmocka_unit_test(test_changed_after_reading),
		cmocka_unit_test(test_signed),
		cmocka_unit_test(test_mutated_signature),
	};

	return cmocka_run_group_tests_name("klp_module", tests, need_fixtures, NULL);
}
