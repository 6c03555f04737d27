// SPDX-License-Identifier: GPL-2.0
/* observe/callsites on a kernel and modules written in machine code. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include "fake_image.h"
#include "observe/callsites.h"

#define TEXT	    0xffffffff81000000ull
#define SLIDE	    0x1c000000ull
#define DATA	    0xffffffff82000000ull
#define INIT	    0xffffffff83000000ull
#define MODULE	    0xffffffffc0400000ull
#define MODULE_DATA 0xffffffffc0500000ull

/* Functions by their offset in .text. */
enum {
	TARGET = 0,
	CALLER = 0x40,
	TAILER = 0x80,
	COND = 0xc0,
	DECOY = 0x100,
	TAKE_LEA = 0x140,
	TAKE_MOV = 0x180,
	LOADER = 0x1c0,
	SCT = 0x200,
	TWO_TAILS = 0x240,
	CALLS_TAILER = 0x280,
	CALLS_TWO = 0x2c0,
	CALLS_SCT = 0x300,
	TAIL_TO_SCT = 0x340,
	CALLS_TAIL_TO_SCT = 0x380,
	SHORT_JUMPER = 0x3c0,
	TARGET2 = 0x400,
	BROKEN = 0x440,
	BLOB = 0x480,
	TARGET_COLD = 0x4c0,
	INDIRECT = 0x500,
	QUIET = 0x580,
	TEXT_SIZE = 0x600,
};

static const struct {
	uint32_t offset;
	char type;
	const char *name;
} symbols[] = {
	{ TARGET, 'T', "target" },
	{ CALLER, 't', "caller" },
	{ TAILER, 't', "tailer" },
	{ COND, 't', "cond" },
	{ DECOY, 't', "decoy" },
	{ TAKE_LEA, 't', "take_lea" },
	{ TAKE_MOV, 't', "take_mov" },
	{ LOADER, 't', "loader" },
	{ SCT, 'T', "__SCT__x" },
	{ TWO_TAILS, 't', "two_tails" },
	{ CALLS_TAILER, 't', "calls_tailer" },
	{ CALLS_TWO, 't', "calls_two" },
	{ CALLS_SCT, 't', "calls_sct" },
	{ TAIL_TO_SCT, 't', "tail_to_sct" },
	{ CALLS_TAIL_TO_SCT, 't', "calls_tail_to_sct" },
	{ SHORT_JUMPER, 't', "short_jumper" },
	{ TARGET2, 't', "target2" },
	{ BROKEN, 't', "broken" },
	{ BLOB, 'd', "blob" },
	{ TARGET_COLD, 't', "target.cold" },
	{ INDIRECT, 't', "indirect" },
	{ QUIET, 't', "quiet" },
};

static char folder[] = "/tmp/hp-callsites-XXXXXX";
static char path[PATH_MAX], kallsyms_path[PATH_MAX], image_path[PATH_MAX], notes_path[PATH_MAX];
static char modules_dir[PATH_MAX], sys_module[PATH_MAX], proc_modules[PATH_MAX];
static char kcore_path[PATH_MAX];

static const char *at(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* Write an instruction with opcode @op whose last four bytes are a displacement to @dest. */
static void put_rel(uint8_t *text, uint64_t base, uint64_t offset, const char *op, size_t op_len,
		    uint64_t dest)
{
	uint32_t rel = (uint32_t)(dest - (base + offset + op_len + 4));

	memcpy(text + offset, op, op_len);
	memcpy(text + offset + op_len, &rel, sizeof(rel));
}

#define CALL(o, d)    put_rel(text, TEXT, o, "\xe8", 1, d)
#define JMP(o, d)     put_rel(text, TEXT, o, "\xe9", 1, d)
#define JE(o, d)      put_rel(text, TEXT, o, "\x0f\x84", 2, d)
#define LEA(o, d)     put_rel(text, TEXT, o, "\x48\x8d\x05", 3, d)
#define LOAD(o, d)    put_rel(text, TEXT, o, "\x48\x8b\x05", 3, d)
#define BYTES(o, str) memcpy(text + (o), str, sizeof(str) - 1)

static void write_kernel(void)
{
	static uint8_t text[TEXT_SIZE], init[64], data[0x1000], orc[16];
	const uint64_t target = TEXT + TARGET;
	uint8_t note[FAKE_NOTE_SIZE];
	const struct fake_section sections[] = {
		{ ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, TEXT, text, sizeof(text), 0, 0,
		  0 },
		{ ".notes", SHT_NOTE, SHF_ALLOC, TEXT + 0x100000, note, sizeof(note), 0, 0, 0 },
		{ ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, DATA, data, sizeof(data), 0, 0, 0 },
		{ ".orc_unwind", SHT_PROGBITS, SHF_ALLOC, DATA + 0x10000, orc, sizeof(orc), 0, 0,
		  0 },
		{ ".init.text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, INIT, init, sizeof(init),
		  0, 0, 0 },
	};
	struct fake_file f;
	uint32_t rel;

	memset(text, 0xcc, sizeof(text));
	/* target: nop5; call target (recursion); je target (loop); ret */
	BYTES(TARGET, "\x0f\x1f\x44\x00\x00");
	CALL(TARGET + 5, target);
	JE(TARGET + 10, target);
	BYTES(TARGET + 16, "\xc3");
	BYTES(CALLER, "\x55");
	CALL(CALLER + 1, target);
	BYTES(CALLER + 6, "\x5d\xc3");
	JMP(TAILER + 0, target);
	BYTES(COND, "\x85\xff");
	JE(COND + 2, target);
	BYTES(COND + 8, "\xc3");
	/* decoy: mov $imm64,%rax, whose immediate holds the bytes of a call to the target; ret */
	BYTES(DECOY, "\x48\xb8");
	CALL(DECOY + 2, target);
	BYTES(DECOY + 7, "\x00\x00\x00\xc3");
	LEA(TAKE_LEA, target);
	BYTES(TAKE_LEA + 7, "\xc3");
	BYTES(TAKE_MOV, "\x48\xc7\xc7");
	rel = (uint32_t)target;
	memcpy(text + TAKE_MOV + 3, &rel, sizeof(rel));
	BYTES(TAKE_MOV + 7, "\xc3");
	LOAD(LOADER, target);
	BYTES(LOADER + 7, "\xc3");
	JMP(SCT, target);
	BYTES(SCT + 5, "\x0f\xb9\xcc");
	JE(TWO_TAILS, target);
	JMP(TWO_TAILS + 6, target);
	CALL(CALLS_TAILER, TEXT + TAILER);
	BYTES(CALLS_TAILER + 5, "\xc3");
	CALL(CALLS_TWO, TEXT + TWO_TAILS);
	BYTES(CALLS_TWO + 5, "\xc3");
	CALL(CALLS_SCT, TEXT + SCT);
	BYTES(CALLS_SCT + 5, "\xc3");
	JMP(TAIL_TO_SCT, TEXT + SCT);
	CALL(CALLS_TAIL_TO_SCT, TEXT + TAIL_TO_SCT);
	BYTES(CALLS_TAIL_TO_SCT + 5, "\xc3");
	BYTES(SHORT_JUMPER, "\x90\xeb\x3d"); /* 0x3c3 + 0x3d = 0x400 */
	BYTES(TARGET2, "\xc3");
	BYTES(BROKEN, "\x06");
	CALL(BROKEN + 1, target);
	CALL(BLOB + 4, target);
	JE(BLOB + 0x10, target);
	JMP(TARGET_COLD, target);
	BYTES(INDIRECT, "\xff\xd0\xc3");

	put_rel(init, INIT, 0, "\xe8", 1, target);
	put_rel(init, INIT, 5, "\x48\x8d\x05", 3, target);
	init[12] = 0xc3;

	memcpy(data + 0x10, &target, 8);  /* a pointer */
	memcpy(data + 0x24, &target, 8);  /* not aligned */
	memcpy(data + 0x800, &target, 8); /* in __mcount_loc */
	memcpy(orc, &target, 8);
	fake_note(note, 0xaa);
	f = fake_elf(ET_EXEC, sections, sizeof(sections) / sizeof(sections[0]));
	fake_write(image_path, f.data, f.len);
	free(f.data);
	fake_write(notes_path, note, sizeof(note));
}

static void write_symbols(void)
{
	FILE *f = fopen(kallsyms_path, "w");
	size_t i;

	assert_non_null(f);
	for (i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		fprintf(f, "%016llx %c %s\n", TEXT + SLIDE + symbols[i].offset, symbols[i].type,
			symbols[i].name);
	fprintf(f, "%016llx T _etext\n", TEXT + SLIDE + TEXT_SIZE);
	fprintf(f, "%016llx T _stext\n", TEXT + SLIDE);
	fprintf(f, "%016llx d __ksymtab_kfree\n", DATA + SLIDE - 0x2000);
	fprintf(f, "%016llx d __ksymtab_target\n", DATA + SLIDE - 0x1000);
	fprintf(f, "%016llx D __start_mcount_loc\n", DATA + SLIDE + 0x800);
	fprintf(f, "%016llx D __stop_mcount_loc\n", DATA + SLIDE + 0x900);
	fprintf(f, "%016llx t init_fn\n", INIT + SLIDE);
	fprintf(f, "%016llx t _einittext\n", INIT + SLIDE + 0x40);
	fprintf(f, "%016llx T own_target\t[mod_a]\n", MODULE);
	fprintf(f, "%016llx t own_caller\t[mod_a]\n", MODULE + 0x40);
	fprintf(f, "%016llx t importer\t[mod_a]\n", MODULE + 0x80);
	fprintf(f, "%016llx t jumper\t[mod_a]\n", MODULE + 0xc0);
	fprintf(f, "%016llx t calls_jumper\t[mod_a]\n", MODULE + 0x100);
	fprintf(f, "%016llx d ops\t[mod_a]\n", MODULE_DATA);
	fprintf(f, "ffffffffc0800000 t user_init\t[mod_user]\n");
	fprintf(f, "ffffffffc0800040 t user_caller\t[mod_user]\n");
	fprintf(f, "ffffffffc0800080 t user_jumper\t[mod_user]\n");
	fprintf(f, "ffffffffc08000c0 t calls_user_jumper\t[mod_user]\n");
	assert_int_equal(fclose(f), 0);
}

static void write_text(const char *name, const char *text)
{
	fake_write(at(name), text, strlen(text));
}

/*
 * mod_a: a target of its own, called within the section (no relocation); calls, jumps and
 * references to vmlinux's target, all by relocations.
 */
static void write_module(const char *name, uint8_t id)
{
	static uint8_t text[0x140], init[8], data[16];
	uint8_t note[FAKE_NOTE_SIZE];
	static const char strings[] = "\0target\0kfree";
	const Elf64_Sym syms[] = {
		{ 0 },
		{ .st_name = 1, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE) },  /* target */
		{ .st_info = ELF64_ST_INFO(STB_LOCAL, STT_SECTION), .st_shndx = 1 }, /* .text */
	};
	const Elf64_Rela rela_text[] = {
		{ 0x81, ELF64_R_INFO(1, R_X86_64_PLT32), -4 },	      /* call target */
		{ 0x88, ELF64_R_INFO(1, R_X86_64_PC32), -4 },	      /* lea target(%rip),%rax */
		{ 0x8f, ELF64_R_INFO(1, R_X86_64_32S), 0 },	      /* mov $target,%rdi */
		{ 0xc1, ELF64_R_INFO(1, R_X86_64_PLT32), -4 },	      /* jmp target */
		{ 0x101, ELF64_R_INFO(2, R_X86_64_PLT32), 0xc0 - 4 }, /* call .text+0xc0 */
	};
	const Elf64_Rela rela_init[] = { { 1, ELF64_R_INFO(1, R_X86_64_PLT32), -4 } };
	const Elf64_Rela rela_data[] = { { 8, ELF64_R_INFO(1, R_X86_64_64), 0 } };
	const struct fake_section sections[] = {
		{ ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0, text, sizeof(text), 0, 0,
		  0 },
		{ ".rela.text", SHT_RELA, SHF_INFO_LINK, 0, rela_text, sizeof(rela_text), 7, 1,
		  sizeof(Elf64_Rela) },
		{ ".init.text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0, init, sizeof(init), 0,
		  0, 0 },
		{ ".rela.init.text", SHT_RELA, SHF_INFO_LINK, 0, rela_init, sizeof(rela_init), 7, 3,
		  sizeof(Elf64_Rela) },
		{ ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0, data, sizeof(data), 0, 0, 0 },
		{ ".rela.data", SHT_RELA, SHF_INFO_LINK, 0, rela_data, sizeof(rela_data), 7, 5,
		  sizeof(Elf64_Rela) },
		{ ".symtab", SHT_SYMTAB, 0, 0, syms, sizeof(syms), 8, 3, sizeof(Elf64_Sym) },
		{ ".strtab", SHT_STRTAB, 0, 0, strings, sizeof(strings), 0, 0, 0 },
		{ ".note.gnu.build-id", SHT_NOTE, SHF_ALLOC, 0, note, sizeof(note), 0, 0, 0 },
	};
	struct fake_file f;

	memset(text, 0xcc, sizeof(text));
	text[0] = 0xc3;
	put_rel(text, 0, 0x40, "\xe8", 1, 0); /* call own_target */
	text[0x45] = 0xc3;
	BYTES(0x80, "\xe8\0\0\0\0\x48\x8d\x05\0\0\0\0\x48\xc7\xc7\0\0\0\0\xc3");
	BYTES(0xc0, "\xe9\0\0\0\0");
	BYTES(0x100, "\xe8\0\0\0\0\xc3");
	BYTES(0x110, "\xe8\0\0\0\0"); /* no relocation: calls what is behind it */
	memcpy(init, "\xe8\0\0\0\0\xc3", 6);
	fake_note(note, id);
	f = fake_elf(ET_REL, sections, sizeof(sections) / sizeof(sections[0]));
	fake_write(at(name), f.data, f.len);
	free(f.data);
}

static void make_dir(const char *name)
{
	assert_int_equal(mkdir(at(name), 0755), 0);
}

static void write_system(void)
{
	uint8_t note[FAKE_NOTE_SIZE];

	write_kernel();
	write_symbols();
	make_dir("modules");
	make_dir("sys");
	make_dir("sys/mod_a");
	make_dir("sys/mod_a/sections");
	make_dir("sys/mod_a/notes");
	make_dir("sys/mod_old");
	make_dir("sys/mod_old/notes");
	make_dir("sys/mod_old/sections");
	write_text("sys/mod_old/sections/.text", "0xffffffffc0700000\n");
	write_text("modules/modules.dep", "mod-a.ko: \nmod-old.ko: mod-a.ko\n");
	write_module("modules/mod-a.ko", 0xbb);
	write_module("modules/mod-old.ko", 0xdd);
	fake_note(note, 0xbb);
	fake_write(at("sys/mod_a/notes/.note.gnu.build-id"), note, sizeof(note));
	fake_note(note, 0xcc);
	fake_write(at("sys/mod_old/notes/.note.gnu.build-id"), note, sizeof(note));
	write_text("sys/mod_a/sections/.text", "0xffffffffc0400000\n");
	write_text("sys/mod_a/sections/.init.text", "0xffffffffc0600000\n");
	write_text("sys/mod_a/sections/.data", "0xffffffffc0500000\n");
	write_text("proc_modules", "mod_a 16384 1 mod_user, Live 0xffffffffc0400000\n"
				   "mod_old 16384 0 - Live 0xffffffffc0700000\n"
				   "mod_user 16384 0 - Live 0xffffffffc0800000 (O)\n");
}

struct world {
	struct hp_kallsyms *ks;
	struct hp_vmlinux_image *img;
	struct hp_callsites *cs;
};

static struct hp_target make_target(const char *object, const char *symbol, uint64_t address)
{
	struct hp_target t = { .old_addr = address };

	snprintf(t.object, sizeof(t.object), "%s", object);
	snprintf(t.symbol, sizeof(t.symbol), "%s", symbol);
	return t;
}

static void open_world(struct world *w, const struct hp_target *targets, size_t n, bool image)
{
	const struct hp_vmlinux_source src = {
		.path = image_path,
		.notes = notes_path,
		.cache_dir = folder,
	};
	struct hp_callsites_source source = {
		.modules_dir = modules_dir,
		.sys_module = sys_module,
		.proc_modules = proc_modules,
		.kcore = kcore_path, /* not there, but in the test that writes it */
	};
	struct hp_error err = { 0 };

	memset(w, 0, sizeof(*w));
	assert_int_equal(hp_kallsyms__open(&w->ks, kallsyms_path, NULL), 0);
	source.ks = w->ks;
	if (image) {
		assert_int_equal(hp_vmlinux_image__open(&w->img, &src, NULL), 0);
		assert_int_equal(hp_vmlinux_image__relocate(w->img, w->ks, NULL), 0);
		assert_int_equal(hp_vmlinux_image__slide(w->img), SLIDE);
	}
	source.img = w->img;
	if (hp_callsites__search(&w->cs, &source, targets, n, &err))
		fail_msg("%s", err.message);
}

static void close_world(struct world *w)
{
	hp_callsites__close(w->cs);
	hp_vmlinux_image__close(w->img);
	hp_kallsyms__close(w->ks);
}

struct expected {
	uint64_t address;
	enum hp_site_kind kind;
	const char *function;
	uint64_t offset;
	bool recursive, static_call, unconfirmed;
};

static void expect_sites(const struct hp_target_sites *got, const struct expected *want, size_t n)
{
	size_t i;

	for (i = 0; i < n && i < got->count; i++) {
		const struct hp_site *site = &got->sites[i];

		assert_int_equal(site->address, want[i].address);
		assert_int_equal(site->kind, want[i].kind);
		assert_int_equal(site->return_address,
				 want[i].kind == HP_SITE_CALL ? want[i].address + 5 : 0);
		if (want[i].function)
			assert_string_equal(site->function.name, want[i].function);
		else
			assert_null(site->function.name);
		assert_int_equal(site->offset, want[i].offset);
		assert_int_equal(site->recursive, want[i].recursive);
		assert_int_equal(site->static_call, want[i].static_call);
		assert_int_equal(site->confirmed, !want[i].unconfirmed);
	}
	assert_int_equal(got->count, n);
}

#define AT(offset) (TEXT + SLIDE + (offset))

static const struct expected target_sites[] = {
	{ AT(TARGET + 5), HP_SITE_CALL, "target", 5, true, false, false },
	{ AT(TARGET + 10), HP_SITE_COND, "target", 10, true, false, false },
	{ AT(CALLER + 1), HP_SITE_CALL, "caller", 1, false, false, false },
	{ AT(TAILER), HP_SITE_TAIL, "tailer", 0, false, false, false },
	{ AT(COND + 2), HP_SITE_COND, "cond", 2, false, false, false },
	{ AT(SCT), HP_SITE_TAIL, "__SCT__x", 0, false, true, false },
	{ AT(TWO_TAILS), HP_SITE_COND, "two_tails", 0, false, false, false },
	{ AT(TWO_TAILS + 6), HP_SITE_TAIL, "two_tails", 6, false, false, false },
	{ AT(BROKEN + 1), HP_SITE_CALL, "broken", 1, false, false, true },
	{ AT(BLOB + 4), HP_SITE_CALL, NULL, 0, false, false, true },
	{ AT(BLOB + 0x10), HP_SITE_COND, NULL, 0, false, false, true },
	{ AT(TARGET_COLD), HP_SITE_TAIL, "target.cold", 0, true, false, false },
	{ MODULE + 0x80, HP_SITE_CALL, "importer", 0, false, false, false },
	{ MODULE + 0xc0, HP_SITE_TAIL, "jumper", 0, false, false, false },
};

#define TARGET_SITES (sizeof(target_sites) / sizeof(target_sites[0]))

static void test_vmlinux_target(void **state)
{
	const struct hp_target t = make_target("vmlinux", "target", AT(TARGET));
	const struct hp_target_sites *sites;
	struct world w;

	open_world(&w, &t, 1, true);
	sites = hp_callsites__target(w.cs, 0);
	expect_sites(sites, target_sites, TARGET_SITES);
	/*
	 * lea, mov, .data and init code's lea in vmlinux; lea, mov and .data in the module. Not the
	 * load, the pointer that is not aligned, __mcount_loc, and the unwinder's table.
	 */
	assert_int_equal(sites->address_taken, 4 + 3);
	/* mod_old is of another build, mod_user has no file. */
	assert_int_equal(sites->blind_count, 2);
	assert_string_equal(sites->blind[0], "mod_old");
	assert_string_equal(sites->blind[1], "mod_user");
	close_world(&w);
}

/* Many targets, one of them twice, one not loaded, one nowhere: each has its own sites. */
static void test_many_targets(void **state)
{
	const struct expected short_jump = {
		AT(SHORT_JUMPER + 1), HP_SITE_TAIL, "short_jumper", 1, false, false, false
	};
	const struct expected own = { MODULE + 0x40, HP_SITE_CALL, "own_caller", 0,
				      false,	     false,	   false };
	struct hp_target targets[] = {
		make_target("mod_a", "own_target", MODULE),
		make_target("vmlinux", "target", AT(TARGET)),
		make_target("vmlinux", "target2", AT(TARGET2)),
		make_target("mod_b", "not_loaded", 0),
		make_target("vmlinux", "target", AT(TARGET)),
		make_target("vmlinux", "quiet", AT(QUIET)),
	};
	const struct hp_target_sites *sites;
	struct world w;

	open_world(&w, targets, 6, true);
	sites = hp_callsites__target(w.cs, 0);
	expect_sites(sites, &own, 1);
	assert_int_equal(sites->address_taken, 0);
	/* vmlinux never refers to a module; mod_old does not use mod_a, mod_user does. */
	assert_int_equal(sites->blind_count, 1);
	assert_string_equal(sites->blind[0], "mod_user");
	expect_sites(hp_callsites__target(w.cs, 1), target_sites, TARGET_SITES);
	expect_sites(hp_callsites__target(w.cs, 4), target_sites, TARGET_SITES);
	sites = hp_callsites__target(w.cs, 2);
	expect_sites(sites, &short_jump, 1);
	/* Not exported: no module can call it, so nothing is blind. */
	assert_int_equal(sites->blind_count, 0);
	assert_int_equal(hp_callsites__target(w.cs, 3)->count, 0);
	assert_int_equal(hp_callsites__target(w.cs, 3)->blind_count, 0);
	assert_int_equal(hp_callsites__target(w.cs, 5)->count, 0);
	close_world(&w);
}

static void test_no_image(void **state)
{
	const struct hp_target t = make_target("vmlinux", "target", AT(TARGET));
	const struct hp_target_sites *sites;
	struct world w;

	open_world(&w, &t, 1, false);
	sites = hp_callsites__target(w.cs, 0);
	expect_sites(sites, target_sites + TARGET_SITES - 2, 2);
	assert_int_equal(sites->blind_count, 3);
	assert_string_equal(sites->blind[0], "vmlinux");
	close_world(&w);
}

static void expect_match(const struct world *w, uint64_t return_address, uint64_t site, bool tail)
{
	struct hp_site_match match;

	assert_int_equal(hp_callsites__match(w->cs, 0, return_address, &match), 0);
	assert_int_equal(match.site->address, site);
	assert_int_equal(match.via_tail, tail);
}

static void test_match(void **state)
{
	const struct hp_target t = make_target("vmlinux", "target", AT(TARGET));
	struct hp_site_match match;
	struct world w;

	open_world(&w, &t, 1, true);
	expect_match(&w, AT(CALLER + 6), AT(CALLER + 1), false);
	expect_match(&w, MODULE + 0x85, MODULE + 0x80, false);
	/* through a function that jumps to the target, a static call, and both in a row */
	expect_match(&w, AT(CALLS_TAILER + 5), AT(TAILER), true);
	expect_match(&w, AT(CALLS_SCT + 5), AT(SCT), true);
	expect_match(&w, AT(CALLS_TAIL_TO_SCT + 5), AT(SCT), true);
	/* and from a module to a function of it that jumps to the target */
	expect_match(&w, MODULE + 0x105, MODULE + 0xc0, true);
	/* two jumps: which one is not known */
	assert_int_equal(hp_callsites__match(w.cs, 0, AT(CALLS_TWO + 5), &match), -ENOENT);
	/* an indirect call, the middle of an instruction, data, nowhere, no address at all */
	assert_int_equal(hp_callsites__match(w.cs, 0, AT(INDIRECT + 2), &match), -ENOENT);
	assert_int_equal(hp_callsites__match(w.cs, 0, AT(CALLER + 5), &match), -ENOENT);
	assert_int_equal(hp_callsites__match(w.cs, 0, DATA + SLIDE + 16, &match), -ENOENT);
	assert_int_equal(hp_callsites__match(w.cs, 0, 0x1000, &match), -ENOENT);
	assert_int_equal(hp_callsites__match(w.cs, 0, 0, &match), -ENOENT);
	close_world(&w);
}

#define USER 0xffffffffc0800000ull /* mod_user, of which there is no file */

/* A kcore with two pages of memory at USER, and one more segment. */
static void write_kcore(const uint8_t *memory, size_t len)
{
	const Elf64_Ehdr ehdr = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_phoff = sizeof(ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	const Elf64_Phdr phdrs[] = {
		{ .p_type = PT_NOTE, .p_vaddr = USER, .p_memsz = len },
		{ .p_type = PT_LOAD, .p_offset = 0x1000, .p_vaddr = USER, .p_memsz = len },
	};
	struct fake_file f = { 0 };

	fake_append(&f, &ehdr, sizeof(ehdr));
	fake_append(&f, phdrs, sizeof(phdrs));
	fake_append(&f, NULL, 0x1000 - f.len);
	fake_append(&f, memory, len);
	fake_write(kcore_path, f.data, f.len);
	free(f.data);
}

/*
 * Modules without a (right) file are searched as they are in memory: their code up to the next
 * section, not the data that follows, and not what was freed.
 */
static void test_memory(void **state)
{
	const struct expected in_memory[] = {
		{ USER + 0x41, HP_SITE_CALL, "user_caller", 1, false, false, false },
		{ USER + 0x80, HP_SITE_TAIL, "user_jumper", 0, false, false, false },
	};
	const struct hp_target t = make_target("vmlinux", "target", AT(TARGET));
	static uint8_t text[0x2000];
	const struct hp_target_sites *sites;
	size_t count;
	struct world w;

	memset(text, 0xcc, sizeof(text));
	text[0x40] = 0x55;
	put_rel(text, USER, 0x41, "\xe8", 1, AT(TARGET));
	memcpy(text + 0x46, "\x5d\xc3", 2);
	put_rel(text, USER, 0x80, "\xe9", 1, AT(TARGET));
	put_rel(text, USER, 0xc0, "\xe8", 1, USER + 0x80); /* call user_jumper */
	text[0xc5] = 0xc3;
	put_rel(text, USER, 0x1040, "\xe8", 1, AT(TARGET)); /* data that looks like a call */
	write_kcore(text, sizeof(text));
	make_dir("sys/mod_user");
	make_dir("sys/mod_user/sections");
	write_text("sys/mod_user/sections/.text", "0xffffffffc0800000\n");
	write_text("sys/mod_user/sections/.text.empty", "0xffffffffc0801000\n");
	write_text("sys/mod_user/sections/.rodata", "0xffffffffc0801000\n");
	write_text("sys/mod_user/sections/.init.text", "0xffffffffc0800080\n");

	open_world(&w, &t, 1, true);
	sites = hp_callsites__target(w.cs, 0);
	count = sites->count;
	assert_int_equal(count, TARGET_SITES + 2);
	/* mod_old's .text is not in this kcore: it stays blind. */
	assert_int_equal(sites->blind_count, 1);
	assert_string_equal(sites->blind[0], "mod_old");
	assert_true(sites->pointers_unseen);
	for (size_t i = 0; i < 2; i++) {
		const struct hp_site *site = &sites->sites[TARGET_SITES + i];

		assert_int_equal(site->address, in_memory[i].address);
		assert_int_equal(site->kind, in_memory[i].kind);
		assert_string_equal(site->function.name, in_memory[i].function);
		assert_int_equal(site->offset, in_memory[i].offset);
		assert_true(site->confirmed);
	}
	/* Return addresses in it are told as well. */
	expect_match(&w, USER + 0x46, USER + 0x41, false);
	expect_match(&w, USER + 0xc5, USER + 0x80, true);
	close_world(&w);

	/* Addresses that are hidden, and a kcore that is none: blind, and no error. */
	write_text("sys/mod_user/sections/.text", "0x0000000000000000\n");
	open_world(&w, &t, 1, true);
	assert_int_equal(hp_callsites__target(w.cs, 0)->blind_count, 2);
	close_world(&w);
	write_text("sys/mod_user/sections/.text", "0xffffffffc0800000\n");
	write_text("kcore", "no core");
	open_world(&w, &t, 1, true);
	assert_int_equal(hp_callsites__target(w.cs, 0)->blind_count, 2);
	assert_false(hp_callsites__target(w.cs, 0)->pointers_unseen);
	close_world(&w);
	assert_int_equal(remove(kcore_path), 0);
	assert_int_equal(remove(at("sys/mod_user/sections/.text")), 0);
	assert_int_equal(remove(at("sys/mod_user/sections/.text.empty")), 0);
	assert_int_equal(remove(at("sys/mod_user/sections/.rodata")), 0);
	assert_int_equal(remove(at("sys/mod_user/sections/.init.text")), 0);
	assert_int_equal(remove(at("sys/mod_user/sections")), 0);
	assert_int_equal(remove(at("sys/mod_user")), 0);
}

static void test_errors(void **state)
{
	const struct hp_target t = make_target("vmlinux", "target", AT(TARGET));
	struct hp_callsites_source source = { 0 };
	volatile sig_atomic_t stop = 1;
	struct hp_callsites *cs = NULL;
	struct hp_kallsyms *ks = NULL;
	struct hp_error err = { 0 };
	struct world w;

	write_text("hidden", "0000000000000000 T _stext\n");
	assert_int_equal(hp_kallsyms__open(&ks, at("hidden"), NULL), 0);
	source.ks = ks;
	assert_int_equal(hp_callsites__search(&cs, &source, &t, 1, &err), -EACCES);
	assert_int_equal(err.reason, HP_E_KALLSYMS_HIDDEN);
	hp_kallsyms__close(ks);
	unlink(at("hidden"));

	open_world(&w, &t, 1, true);
	memset(&err, 0, sizeof(err));
	source = (struct hp_callsites_source){ .ks = w.ks, .img = w.img, .stop = &stop };
	assert_int_equal(hp_callsites__search(&cs, &source, &t, 1, &err), -EINTR);
	assert_int_equal(err.reason, HP_E_INTERRUPTED);
	assert_null(cs);
	close_world(&w);
}

static uint64_t rng(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/*
 * A module's file with bytes changed: it is read or counted as blind, and the sanitizers watch. The
 * seed is fixed, so that a failure can be run again.
 */
static void test_fuzz_module(void **state)
{
	const struct hp_target targets[] = {
		make_target("mod_a", "own_target", MODULE),
		make_target("vmlinux", "target", AT(TARGET)),
	};
	uint64_t seed = 0x9e3779b97f4a7c15ull;
	size_t blind = 0, seen = 0, len;
	uint8_t good[8192], bad[8192];
	struct world w;
	FILE *f = fopen(at("modules/mod-a.ko"), "r");
	int i;

	assert_non_null(f);
	len = fread(good, 1, sizeof(good), f);
	fclose(f);
	assert_true(len > 1000 && len < sizeof(good));
	for (i = 0; i < 1500; i++) {
		int flips = 1 + (int)(rng(&seed) % 6);
		const struct hp_target_sites *sites;
		struct hp_site_match match;

		memcpy(bad, good, len);
		while (flips--)
			bad[rng(&seed) % len] = (uint8_t)(rng(&seed) % 3 ? rng(&seed) : 0xff);
		fake_write(at("modules/mod-a.ko"), bad, rng(&seed) % 10 ? len : rng(&seed) % len);
		open_world(&w, targets, 2, false);
		sites = hp_callsites__target(w.cs, 0);
		assert_true(sites->blind_count == 1 || sites->blind_count == 2);
		blind += sites->blind_count == 2;
		seen += sites->count;
		hp_callsites__match(w.cs, 1, MODULE + 0x105, &match);
		close_world(&w);
	}
	/* Both must come, or the mutations miss what is read. */
	assert_true(blind > 0);
	assert_true(seen > 0);
	fake_write(at("modules/mod-a.ko"), good, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vmlinux_target), cmocka_unit_test(test_many_targets),
		cmocka_unit_test(test_no_image),       cmocka_unit_test(test_match),
		cmocka_unit_test(test_memory),	       cmocka_unit_test(test_errors),
		cmocka_unit_test(test_fuzz_module),
	};
	static const char *const files[] = {
		"sys/mod_a/sections/.text",
		"sys/mod_a/sections/.init.text",
		"sys/mod_a/sections/.data",
		"sys/mod_a/sections",
		"sys/mod_a/notes/.note.gnu.build-id",
		"sys/mod_a/notes",
		"sys/mod_a",
		"sys/mod_old/notes/.note.gnu.build-id",
		"sys/mod_old/notes",
		"sys/mod_old/sections/.text",
		"sys/mod_old/sections",
		"sys/mod_old",
		"sys",
		"modules/modules.dep",
		"modules/mod-a.ko",
		"modules/mod-old.ko",
		"modules",
		"proc_modules",
		"vmlinux",
		"notes",
		"kallsyms",
	};
	size_t i;
	int ret;

	if (!mkdtemp(folder))
		return 1;
	snprintf(kallsyms_path, sizeof(kallsyms_path), "%s/kallsyms", folder);
	snprintf(image_path, sizeof(image_path), "%s/vmlinux", folder);
	snprintf(notes_path, sizeof(notes_path), "%s/notes", folder);
	snprintf(modules_dir, sizeof(modules_dir), "%s/modules", folder);
	snprintf(sys_module, sizeof(sys_module), "%s/sys", folder);
	snprintf(proc_modules, sizeof(proc_modules), "%s/proc_modules", folder);
	snprintf(kcore_path, sizeof(kcore_path), "%s/kcore", folder);
	write_system();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		remove(at(files[i]));
	rmdir(folder);
	return ret;
}
