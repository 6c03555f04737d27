// SPDX-License-Identifier: GPL-2.0
/* Call sites of functions in the code of one ELF file. */
#include "observe/elf_sites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "arch/text.h"
#include "host/elf_code.h"
#include "host/elf_relocs.h"
#include "observe/code_scan.h"

/* Where a branch, or a pointer that one goes through, leads to a function. */
struct place {
	uint64_t address; /* of the function's entry, a linkage stub, or a pointer */
	size_t function;
	uint64_t slot;	 /* the pointer itself, or that which a stub goes through; else 0 */
	uint64_t length; /* of a stub; else 0 */
};

struct places {
	struct place *list;
	size_t count;
	struct hp_address_set set;
};

struct scan {
	struct hp_elf_sites *out;
	struct hp_elf *elf;
	bool is_own;
	const struct hp_elf_function *functions;
	size_t count;
	struct places entries; /* what direct branches go to */
	struct places slots;   /* pointers */
};

static int add_place(struct places *places, struct place place)
{
	struct place *grown = realloc(places->list, (places->count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	places->list = grown;
	grown[places->count++] = place;
	return 0;
}

static int index_places(struct places *places)
{
	_cleanup_free_ uint64_t *addresses = calloc(places->count + 1, sizeof(*addresses));

	if (!addresses)
		return -ENOMEM;
	for (size_t i = 0; i < places->count; i++)
		addresses[i] = places->list[i].address;
	return hp_address_set__init(&places->set, addresses, places->count);
}

static const struct place *find_place(const struct places *places, uint64_t address)
{
	if (hp_address_set__find(&places->set, address) < 0)
		return NULL;
	for (size_t i = 0; i < places->count; i++)
		if (places->list[i].address == address)
			return &places->list[i];
	return NULL;
}

static void free_places(struct places *places)
{
	free(places->list);
	hp_address_set__free(&places->set);
}

/* The dynamic symbol table, and its strings. */
static Elf_Data *dynamic_symbols(struct hp_elf *elf, size_t *strings)
{
	GElf_Shdr header;
	Elf_Scn *section = hp_elf__find_section(elf, ".dynsym", &header);

	if (!section)
		return NULL;
	*strings = header.sh_link;
	return elf_getdata(section, NULL);
}

int hp_elf_function__init(struct hp_elf_function *function, struct hp_elf *own, uint64_t address)
{
	size_t strings = 0;
	Elf_Data *symbols = dynamic_symbols(own, &strings);
	GElf_Sym symbol;

	*function = (struct hp_elf_function){ .address = address };
	for (int i = 0; symbols && gelf_getsym(symbols, i, &symbol); i++) {
		const char *name = elf_strptr(hp_elf__handle(own), strings, symbol.st_name);
		char **grown;

		if (!name || !*name || symbol.st_shndx == SHN_UNDEF || symbol.st_value != address)
			continue;
		grown = realloc(function->names, (function->name_count + 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		function->names = grown;
		grown[function->name_count] = strdup(name);
		if (!grown[function->name_count++])
			return -ENOMEM;
	}
	return 0;
}

void hp_elf_function__free(struct hp_elf_function *function)
{
	for (size_t i = 0; i < function->name_count; i++)
		free(function->names[i]);
	free(function->names);
}

static bool has_name(const struct hp_elf_function *function, const char *name)
{
	for (size_t i = 0; i < function->name_count; i++)
		if (!strcmp(function->names[i], name))
			return true;
	return false;
}

/* What the dynamic linker, or we, write where @rela says: a slot, or the address of a function. */
static int consider_reloc(void *arg, const GElf_Rela *rela, const GElf_Sym *symbol,
			  const char *name)
{
	uint32_t type = GELF_R_TYPE(rela->r_info);
	enum hp_arch_reloc kind = hp_arch__reloc(type);
	struct scan *s = arg;

	(void)symbol; /* an own one, or another object's */
	for (size_t i = 0; i < s->count; i++) {
		if (kind == HP_RELOC_RELATIVE && s->is_own &&
		    (uint64_t)rela->r_addend == s->functions[i].address)
			s->out->address_taken[i] = true;
		if (kind != HP_RELOC_SYMBOL || !has_name(&s->functions[i], name))
			continue;
		if (!hp_arch__is_slot(type))
			s->out->address_taken[i] = true;
		else if (add_place(&s->slots, (struct place){ .address = rela->r_offset,
							      .function = i,
							      .slot = rela->r_offset }))
			return -ENOMEM;
	}
	return 0;
}

static int find_slots(struct scan *s)
{
	return hp_elf__each_reloc(s->elf, consider_reloc, s) ?: index_places(&s->slots);
}

/* The stubs of the procedure linkage table that go through one of our slots. */
static int find_stubs(struct scan *s)
{
	static const char *const names[] = { ".plt", ".plt.sec", ".plt.got" };
	int ret = 0;

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]) && !ret; n++) {
		GElf_Shdr header;
		Elf_Scn *section = hp_elf__find_section(s->elf, names[n], &header);
		Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
		uint64_t each = section && header.sh_entsize ? header.sh_entsize : 16;

		for (size_t at = 0; data && data->d_buf && at < data->d_size && !ret; at++) {
			const uint8_t *code = (const uint8_t *)data->d_buf + at;
			const struct place *slot;
			struct hp_insn insn;

			if (!hp_arch__is_indirect_jump(code, data->d_size - at) ||
			    hp_text__decode(code, data->d_size - at, header.sh_addr + at, &insn) ||
			    !insn.reference_load)
				continue;
			slot = find_place(&s->slots, insn.reference);
			if (slot)
				ret = add_place(&s->entries,
						(struct place){ .address = header.sh_addr +
									   at / each * each,
								.function = slot->function,
								.slot = slot->address,
								.length = each });
		}
	}
	return ret;
}

static bool is_in_stub(const struct scan *s, uint64_t address)
{
	for (size_t i = 0; i < s->entries.count; i++)
		if (address - s->entries.list[i].address < s->entries.list[i].length)
			return true;
	return false;
}

static int add_site(struct scan *s, const struct place *to, uint64_t address, uint64_t next,
		    enum hp_site_kind kind)
{
	struct hp_elf_site *grown;

	if (is_in_stub(s, address) || !hp_elf_code__is_instruction(s->elf, address, next, true))
		return 0;
	grown = realloc(s->out->list, (s->out->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->out->list = grown;
	grown[s->out->count++] = (struct hp_elf_site){ .function = to->function,
						       .address = address,
						       .next = next,
						       .slot = to->slot,
						       .kind = kind };
	return 0;
}

/* The instruction that may begin at @code: a wide branch, a branch through a slot, an address taken. */
static int consider(struct scan *s, const uint8_t *code, size_t len, uint64_t address)
{
	const struct place *to = NULL;
	enum hp_site_kind kind = HP_SITE_CALL;
	struct hp_insn insn;

	if (hp_text__decode(code, len, address, &insn))
		return 0;
	if (insn.branch != HP_BRANCH_NONE && insn.wide) {
		to = find_place(&s->entries, insn.target);
		kind = insn.branch == HP_BRANCH_CALL   ? HP_SITE_CALL
		       : insn.branch == HP_BRANCH_JUMP ? HP_SITE_TAIL
						       : HP_SITE_COND;
	} else if (insn.has_reference && insn.reference_load) {
		bool is_call = hp_arch__is_indirect_call(code, len);

		to = find_place(&s->slots, insn.reference);
		kind = is_call ? HP_SITE_CALL : HP_SITE_TAIL;
		if (to && !is_call && !hp_arch__is_indirect_jump(code, len)) {
			s->out->address_taken[to->function] = true;
			return 0;
		}
	} else if (insn.has_reference) {
		to = find_place(&s->entries, insn.reference);
		if (to)
			s->out->address_taken[to->function] = true;
		return 0;
	}
	return to ? add_site(s, to, address, address + insn.length, kind) : 0;
}

static bool may_refer(const struct scan *s, uint64_t value)
{
	return hp_address_set__find(&s->entries.set, value) >= 0 ||
	       hp_address_set__find(&s->slots.set, value) >= 0;
}

/*
 * Four bytes that are the distance to one of our places end the instructions that are looked for.
 */
static int scan_bytes(void *arg, const uint8_t *code, size_t len, uint64_t address)
{
	struct scan *s = arg;
	int ret = 0;

	for (size_t at = 1; at + 4 <= len && !ret; at++) {
		int32_t distance;
		size_t back;

		memcpy(&distance, code + at, sizeof(distance));
		if (!may_refer(s, address + at + 4 + (uint64_t)(int64_t)distance))
			continue;
		back = hp_text__opcode_before(code + at, at);
		if (back)
			ret = consider(s, code + at - back, len - (at - back), address + at - back);
	}
	return ret;
}

/*
 * Branches of two bytes to our own functions, which lie less than 128 bytes away. Only what is decoded on
 * the way from its function's symbol is taken: two bytes that fit are no proof. A function's branches to its own entry are
 * its own affair.
 */
static int scan_near(struct scan *s, const struct place *to)
{
	int ret = 0;

	for (int distance = INT8_MIN; distance <= INT8_MAX && !ret; distance++) {
		uint64_t address = to->address - 2 - (uint64_t)(int64_t)distance, offset;
		struct hp_insn insn;
		const char *name;
		uint8_t code[2];

		if (hp_elf__read(s->elf, address, code, sizeof(code)) ||
		    code[1] != (uint8_t)distance ||
		    hp_text__decode(code, sizeof(code), address, &insn) ||
		    insn.branch == HP_BRANCH_NONE || insn.target != to->address ||
		    hp_elf__symbol_at(s->elf, address, &name, &offset) ||
		    address - offset == to->address)
			continue;
		ret = add_site(s, to, address, address + sizeof(code),
			       insn.branch == HP_BRANCH_JUMP ? HP_SITE_TAIL : HP_SITE_COND);
	}
	return ret;
}

static int scan_all_near(struct scan *s)
{
	int ret = 0;

	for (size_t i = 0; i < s->entries.count && !ret; i++)
		if (!s->entries.list[i].slot)
			ret = scan_near(s, &s->entries.list[i]);
	return ret;
}

/*
 * A program for fixed addresses has those of functions in its instructions and its data (tables,
 * vtables), and no relocation says so.
 */
static int find_addresses(void *arg, const uint8_t *bytes, size_t len, uint64_t address)
{
	struct scan *s = arg;

	(void)address;
	for (size_t at = 0; at + 4 <= len; at++) {
		const struct place *to;
		uint32_t value;

		memcpy(&value, bytes + at, sizeof(value));
		to = find_place(&s->entries, value);
		if (to)
			s->out->address_taken[to->function] = true;
	}
	return 0;
}

int hp_elf_sites__find(struct hp_elf_sites *out, struct hp_elf *elf, bool is_own,
		       const struct hp_elf_function *functions, size_t count)
{
	struct scan s = {
		.out = out, .elf = elf, .is_own = is_own, .functions = functions, .count = count
	};
	size_t sections = 0;
	int ret = 0;

	memset(out, 0, sizeof(*out));
	out->address_taken = calloc(count + 1, sizeof(*out->address_taken));
	if (!out->address_taken)
		return -ENOMEM;
	/* Without sections, linkage tables cannot be told from other code. */
	if (elf_getshdrnum(hp_elf__handle(elf), &sections) || sections < 2)
		ret = -ENOENT;
	for (size_t i = 0; i < count && is_own && !ret; i++)
		ret = add_place(&s.entries,
				(struct place){ .address = functions[i].address, .function = i });
	ret = ret ?: find_slots(&s);
	ret = ret ?: find_stubs(&s);
	ret = ret ?: index_places(&s.entries);
	if (!ret && (s.entries.count || s.slots.count))
		ret = hp_elf_code__each_segment(elf, PF_X, scan_bytes, &s) ?: scan_all_near(&s);
	if (!ret && s.entries.count && hp_elf__header(elf)->e_type == ET_EXEC)
		ret = hp_elf_code__each_segment(elf, 0, find_addresses, &s);
	free_places(&s.entries);
	free_places(&s.slots);
	if (ret)
		hp_elf_sites__free(out);
	return ret;
}

void hp_elf_sites__free(struct hp_elf_sites *sites)
{
	free(sites->list);
	free(sites->address_taken);
	memset(sites, 0, sizeof(*sites));
}
