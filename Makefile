# SPDX-License-Identifier: GPL-2.0
# hotproof: `make help` lists the goals.

VERSION := 0.1.0

PREFIX  ?= /usr/local
DESTDIR ?=
BPFTOOL ?= $(or $(shell command -v bpftool 2>/dev/null),/usr/sbin/bpftool)
CLANG   ?= clang
V       ?= 0

# SANITIZE=1 builds everything again with ASan and UBSan in a folder of its own.
ifeq ($(SANITIZE),1)
B        := build/sanitize
SAN      := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT      := -O1
else
B        := build
SAN      :=
OPT      := -O2
endif

ifeq ($(V),1)
Q   :=
say  =
else
Q   := @
say  = @printf '  %-7s %s\n' '$(1)' '$(2)';
endif

CPPFLAGS += -D_GNU_SOURCE -DHP_VERSION='"$(VERSION)"' -DHP_PREFIX='"$(PREFIX)"' \
	    -Iuser -Iinclude -I$(B) -MMD -MP
CFLAGS   += -std=gnu11 -g $(OPT) -Wall -Wextra -Werror -Wno-unused-parameter $(SAN)
LDFLAGS  += $(SAN) -Wl,--as-needed
LDLIBS   += -lbpf -ldw -lelf -ljansson -lsmartcols -lZydis -larchive -lcap -lsodium -lz -lm

# BPF objects see the kernel's types of vmlinux/ and the ABI of include/, nothing else of ours.
ARCH       := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
BPF_CFLAGS := -std=gnu11 -g -O2 -mcpu=v3 -target bpf -D__TARGET_ARCH_$(ARCH) -Wall -Wextra -Werror \
	      -Wno-unused-parameter -Iinclude -Ivmlinux -I/usr/include/$(shell uname -m)-linux-gnu -MMD -MP

bpf_src   := $(wildcard bpf/*.bpf.c)
# Light skeletons leave CO-RE to the kernel: they load without parsing its BTF, which takes longer
# than all they do. What is attached to a function chosen at run time needs libbpf's full ones.
light_src := $(wildcard bpf/klp_*.bpf.c) bpf/vma.bpf.c bpf/mms.bpf.c
full_skel  := $(patsubst %.bpf.c,$(B)/%.skel.h,$(filter-out $(light_src),$(bpf_src)))
light_skel := $(light_src:%.bpf.c=$(B)/%.lskel.h)
skeletons  := $(full_skel) $(light_skel)
user_src  := $(filter-out user/main.c,$(wildcard user/*.c user/*/*.c user/*/*/*.c))
user_obj  := $(user_src:%.c=$(B)/%.o)
unit_src  := $(wildcard tests/unit/test_*.c)
unit_bin  := $(unit_src:%.c=$(B)/%)
helper_src := $(wildcard tests/helpers/*.c)
helper_bin := $(helper_src:%.c=$(B)/%)
bench_src := $(wildcard tests/bench/*.c)
bench_bin := $(bench_src:%.c=$(B)/%)
bpf_fixtures := $(patsubst tests/%.c,$(B)/%.o,$(wildcard tests/fixtures/bpf/*.bpf.c))
man_src   := $(wildcard docs/man/*.scd)
man_pages := $(man_src:docs/man/%.scd=$(B)/man/%)

.PHONY: all unit helpers benches fixtures man demo test test-guest test-kills bench lint install clean help setup FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(B)/hotproof ## build hotproof
unit: $(unit_bin) ## build the unit tests
helpers: $(helper_bin)
benches: $(bench_bin)
man: $(man_pages) ## build the man pages

help:
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

$(B)/bpf/%.bpf.o: bpf/%.bpf.c Makefile
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@.tmp -MF $(@:.o=.d) -MT $@
	$(Q)$(BPFTOOL) gen object $@ $@.tmp && rm -f $@.tmp

# For these files only: of one whose source is gone, only -MP may speak.
$(full_skel): $(B)/bpf/%.skel.h: $(B)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf > $@

$(light_skel): $(B)/bpf/%.lskel.h: $(B)/bpf/%.bpf.o
	$(call say,LSKEL,$@)
	$(Q)echo '#pragma GCC system_header' > $@
	$(Q)$(BPFTOOL) gen skeleton -L $< name $(subst -,_,$*)_bpf >> $@

# Skeletons are generated headers: they must exist before the first object is compiled; after that
# the dependency files know who includes which.
$(B)/%.o: %.c Makefile | $(skeletons)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

# Where `hotproof build` finds its header is compiled in: whoever installs elsewhere gets that.
$(B)/prefix: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' > $@

FORCE:

$(B)/user/hotfix/build.o: $(B)/prefix

$(B)/libhotproof.a: $(user_obj)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/hotproof: $(B)/user/main.o $(B)/libhotproof.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/libhotproof.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -lcmocka -o $@

$(B)/tests/helpers/%: $(B)/tests/helpers/%.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ -lpthread -lbpf -o $@

$(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/libhotproof.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(B)/man/%: docs/man/%.scd
	$(call say,MAN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)scdoc < $< > $@

# The overview lists all reason codes: from where they are declared.
$(B)/man/hotproof.1: docs/man/hotproof.1.scd user/base/reasons.def user/base/exit_status.h \
		     scripts/man-reasons
	$(call say,MAN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)scripts/man-reasons user/base/reasons.def < $< > $@.scd
	$(Q)scdoc < $@.scd > $@ && rm -f $@.scd

setup:
	$(Q)scripts/setup

fixtures: $(bpf_fixtures) ## build the livepatch modules and BPF objects of the tests, unpack the daemons that they patch
	$(Q)tests/fixtures/build
	$(Q)tests/fixtures/daemons

$(B)/fixtures/bpf/%.bpf.o: tests/fixtures/bpf/%.bpf.c Makefile
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

# The two commands of the README install what is missing first, then run make again: whatever this
# Makefile found out about the machine before that is stale.
demo: setup ## show the main job on a real livepatch, in a guest
	$(Q)$(MAKE) --no-print-directory all helpers fixtures
	$(Q)scripts/demo

test: setup ## run every test
	$(Q)$(MAKE) --no-print-directory all unit helpers fixtures man
	$(Q)$(MAKE) --no-print-directory SANITIZE=1 unit
	$(Q)tests/run

test-guest: setup ## run the tests of processes again, in guests: on Debian's kernel (an hour without KVM)
	$(Q)$(MAKE) --no-print-directory all helpers fixtures man
	$(Q)tests/run --guest

test-kills: setup ## kill loaders at every one of their system calls, in guests: two hours
	$(Q)$(MAKE) --no-print-directory all helpers fixtures
	$(Q)tests/kills

bench: setup ## measure against bpftrace, funclatency and plain insmod, in a guest; and processes, on this host
	+$(Q)scripts/bench

lint: setup ## clang-format, cppcheck, shellcheck
	$(Q)scripts/lint

# scripts/vm is a tool in its own right: it goes where its helpers stay beside it.
install: all man ## install to DESTDIR/PREFIX
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,sbin bin libexec/hotproof/vm.d share/man/man1 \
		share/hotproof/schema include/hotproof)
	install -m 755 $(B)/hotproof $(DESTDIR)$(PREFIX)/sbin/hotproof
	install -m 755 scripts/vm scripts/guest-kernel $(DESTDIR)$(PREFIX)/libexec/hotproof
	install -m 755 scripts/vm.d/* $(DESTDIR)$(PREFIX)/libexec/hotproof/vm.d
	ln -sf ../libexec/hotproof/vm $(DESTDIR)$(PREFIX)/bin/hotproof-vm
	install -m 644 $(man_pages) $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(wildcard docs/schema/*.json) $(DESTDIR)$(PREFIX)/share/hotproof/schema
	install -m 644 $(wildcard include/hotproof/*.h) $(DESTDIR)$(PREFIX)/include/hotproof

clean: ## remove what was built (the guest kernel in build/vm as well)
	$(Q)rm -rf build

-include $(shell find $(B) -name '*.d' -not -path '*/vm/*' 2>/dev/null)
