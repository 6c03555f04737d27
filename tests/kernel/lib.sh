# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the tests in the guest share. Source it after tests/lib.sh's preamble:
#	. "$(dirname "$0")/lib.sh"

. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

hotproof=build/hotproof
calls=build/tests/helpers/calls
fixtures=build/fixtures
magic=6844276 # HP_MAGIC of the fixtures: a call with it is answered by who ran
test_name=$(basename "$0" .test)

# load FIXTURE: a bare insmod, followed until its transition is complete.
load() {
	insmod "$fixtures/$1.ko" || return
	settle "$(basename "$1")"
}

settle() {
	local _
	for _ in {1..3000}; do
		[[ $(cat "/sys/kernel/livepatch/$1/transition" 2>/dev/null) != 1 ]] && return
		sleep 0.01
	done
	return 1
}

# stalls [not]: hp_stall_mod's thread is asleep in its function that is not livepatched; or has left it, and is asleep.
stalls() {
	local _ stack
	for _ in {1..3000}; do
		stack=$(cat "/proc/$(pgrep -x hp_stall)/stack" 2>/dev/null)
		[[ $stack != *hp_stall_target* ]] || stack=target
		case ${1-}:$stack in
		:target | not:*stall_thread*) return ;;
		esac
		sleep 0.02
	done
	return 1
}

# unload FIXTURE...: disabled, waited for, removed, newest first; no complaint when it is not there.
unload() {
	local name _
	for name; do
		if [[ -e /sys/kernel/livepatch/$name ]]; then
			echo 0 >"/sys/kernel/livepatch/$name/enabled"
			for _ in {1..3000}; do
				[[ -e /sys/kernel/livepatch/$name ]] || break
				sleep 0.01
			done
		fi
		for _ in {1..500}; do
			[[ -e /sys/module/$name ]] || break
			rmmod "$name" 2>/dev/null && break
			sleep 0.01
		done
	done
}

# spread NUMBER...: the same, from coarse to fine, so that as many as there is time for are spread over all.
spread() {
	printf '%s\n' "$@" | awk '
		function every(step, from) { for (i = from; i <= NR; i += step) print number[i] }
		{ number[NR] = $0 }
		END { every(8, 1); every(8, 5); every(4, 3); every(2, 2) }'
}

# report SCHEMA NAME COMMAND...: run a command that prints a JSON report, and keep the report for
# validation against docs/schema/SCHEMA.schema.json. $status, $stdout and $stderr as with run.
report() {
	local schema=$1 name=$2
	shift 2
	run "$@"
	[[ -d build/tests/json/$schema ]] || mkdir -p "build/tests/json/$schema"
	printf '%s\n' "$stdout" >"build/tests/json/$schema/$test_name-$name.json"
}

# json FILTER: of the last report. Several results stand in one line.
json() {
	gojq -r "$1" <<<"$stdout" | paste -sd ' '
}

# leftovers: what hotproof could leave in the system, to be the same before and after: BPF programs, links and maps,
# probes, functions that ftrace redirects, pins, livepatches, modules of fixtures, entries of the journal.
leftovers() {
	local kind
	for kind in prog link map; do
		echo "$kind: $(bpftool -j "$kind" list | gojq length)"
	done
	cat /sys/kernel/tracing/kprobe_events /sys/kernel/debug/kprobes/list 2>/dev/null
	echo "ftrace: $(wc -l </sys/kernel/tracing/enabled_functions)"
	find /sys/fs/bpf /sys/kernel/livepatch -mindepth 1 -maxdepth 1
	grep -o '^hp_[^ ]*' /proc/modules
	find "${HOTPROOF_STATE_DIR:-/run/hotproof}" -name '*.json' 2>/dev/null
}

# as_before NAME LEFTOVERS: passed if they are as then, or soon: the kernel frees programs a little later.
as_before() {
	local _ now
	for _ in {1..50}; do
		now=$(leftovers)
		[[ $now == "$2" ]] && break
		sleep 0.2
	done
	is "$1" "$now" "$2"
}
