# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# TAP for tests written in bash. A test begins with
#	. "$(dirname "$0")/../lib.sh"
# which goes to the top of the source tree, and ends with done_testing. $scratch is a folder of its own.
#
#	run COMMAND...            run it; $status, $stdout and $stderr have the result
#	ok NAME [COMMAND...]      passed, if COMMAND succeeds
#	not_ok NAME [LINE...]     failed, and why
#	is NAME GOT WANTED        passed if they are the same
#	like NAME GOT REGEX       passed if REGEX (extended) matches
#	skip NAME REASON          not tested here
#	skip_all REASON           none of the file is tested here; ends it
#	diag LINE...              comments in the output
#	plan N                    optional: how many tests there will be, said first

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$top" || exit 1
scratch=$(mktemp -d "${TMPDIR:-/tmp}/hotproof-test.XXXXXX") || exit 1
trap 'rm -rf -- "$scratch"' EXIT

tap_ran=0 tap_failed=0 tap_planned=''

diag() {
	printf '%s\n' "$@" | sed 's/^/# /'
}

ok() {
	local name=$1
	shift
	if (($# == 0)) || "$@"; then
		echo "ok $((++tap_ran)) - $name"
	else
		not_ok "$name" "failed: $*"
	fi
}

not_ok() {
	echo "not ok $((++tap_ran)) - $1"
	((++tap_failed))
	shift
	(($# == 0)) || diag "$@"
	return 0 # a test goes on after a failure, under set -e as well
}

is() {
	if [[ $2 == "$3" ]]; then
		ok "$1"
	else
		not_ok "$1" "got:    $2" "wanted: $3"
	fi
}

like() {
	if [[ $2 =~ $3 ]]; then
		ok "$1"
	else
		not_ok "$1" "got:          $2" "wanted match: $3"
	fi
}

skip() {
	echo "ok $((++tap_ran)) - $1 # SKIP $2"
}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

plan() {
	tap_planned=$1
	echo "1..$1"
}

# shellcheck disable=SC2034 # the caller reads them
run() {
	status=0
	"$@" >"$scratch/.stdout" 2>"$scratch/.stderr" || status=$?
	stdout=$(<"$scratch/.stdout")
	stderr=$(<"$scratch/.stderr")
}

# bpftrace_end PID: a bpftrace of this shell's, and all that it loaded. Of 35 that got a SIGTERM, 3 had it just before they
# went to sleep, and slept on until the next.
bpftrace_end() {
	kill -KILL "$1"
	wait "$1" 2>/dev/null
}

done_testing() {
	[[ $tap_planned ]] || echo "1..$tap_ran"
	exit $((tap_failed > 0))
}
