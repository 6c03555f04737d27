# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the tests of processes share: fixtures built in $scratch, a daemon that answers, reports read with gojq.
#
#	build_fixtures CC-OPTION...   libtarget.so, daemon and $program in $scratch/fixtures
#	build_fix NAME                  $scratch/NAME.so from tests/fixtures/process/NAME.c
#	start_daemon ARG...             $daemon is its pid; it has said "ready"; $program is "daemon" or "storm"
#	ask LINE                        its answer, in $answer
#	answer                          its next line, in $answer
#	until_idle PID                  the end of a workload: it waits until the process asks for the next line, or has ended
#	await COMMAND...                for it to succeed, a minute long on the host
#	asleep PID "NUMBER [ARGUMENT]…" for await: a thread of it waits in this system call
#	ended PID                       for await
#	stop_daemon                     end of input; $status
#	$slowness                       how many times as long as on the host something may take: where it is waited for
#	$polite                         a command for what may take all processors: it runs COMMAND behind all others
# Nothing here ever names another process than its own daemons: --pid goes with each call of hotproof.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

hotproof=$top/build/hotproof
fixtures=$scratch/fixtures
program=daemon
wrapper=() # a command that execs the daemon
slowness=${HOTPROOF_SLOW:-1}
polite=()
((slowness == 1)) || polite=(nice -n 19) # sixteen busy threads leave a slow guest nothing for hotproof
commands=$scratch/commands # a workload of --exercise may write to it too
export HOTPROOF_INCLUDE_DIR=$top/include HOTPROOF_STATE_DIR=$scratch/state

((EUID == 0)) || skip_all "needs root: ptrace, uprobes"
[[ $(uname -m) == x86_64 ]] || skip_all "only x86-64 code is patched"

build_fixtures() {
	mkdir -p "$fixtures"
	local name programs=(daemon)
	cc -O2 -g -shared -fPIC "$@" tests/fixtures/process/target.c -o "$fixtures/libtarget.so" ||
		skip_all "the fixtures cannot be built"
	[[ $program == daemon ]] || programs+=("$program")
	for name in "${programs[@]}"; do
		cc -O2 -g -Wall "tests/fixtures/process/$name.c" -L"$fixtures" -ltarget -lpthread \
			-Wl,-rpath,"$fixtures" -o "$fixtures/$name" || skip_all "the fixtures cannot be built"
	done
}

build_fix() {
	"$hotproof" build "tests/fixtures/process/$1.c" --target "$fixtures/libtarget.so" -o "$scratch/$1.so" \
		"${@:2}" >"$scratch/.build" 2>&1 || {
		not_ok "build $1" "$(<"$scratch/.build")"
		done_testing
	}
}

start_daemon() {
	rm -f "$commands" "$scratch/answers"
	mkfifo "$commands" "$scratch/answers"
	exec {from}<>"$scratch/answers"
	"${polite[@]}" "${wrapper[@]}" "$fixtures/$program" "$@" <"$commands" >"$scratch/answers" {from}<&- &
	daemon=$!
	trap 'kill -KILL "$daemon" 2>/dev/null; rm -rf -- "$scratch"' EXIT
	exec {to}>"$commands"
	answer
}

# shellcheck disable=SC2034 # the tests read it
answer() {
	answer=
	IFS= read -r -t $((30 * slowness)) answer <&"$from" || answer="no answer"
}

until_idle() {
	# read(0, …). A process that has ended, and is waited for by nobody yet, has no program.
	echo "while sleep 0.02; [ -e /proc/$1/exe ] && ! grep -q '^0 0x0 ' /proc/$1/syscall; do :; done"
}

await() {
	local turn
	for ((turn = 0; turn < 1200 * slowness; turn++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	return 1
}

# shellcheck disable=SC2317 # called through await
asleep() { grep -q "^$2 " "/proc/$1/task/"*/syscall; }
# shellcheck disable=SC2317
ended() { [[ ! -e /proc/$1/exe ]]; }

ask() {
	echo "$1" >&"$to"
	answer
}

stop_daemon() {
	status=0
	exec {to}>&-
	wait "$daemon" || status=$?
	trap 'rm -rf -- "$scratch"' EXIT
	exec {from}<&-
}

# One field of the report in $stdout.
report() {
	gojq -r "$1" <<<"$stdout"
}

# Keep the report in $stdout for tests/validate-json: keep SCHEMA NAME.
keep() {
	mkdir -p "build/tests/json/$1"
	printf '%s\n' "$stdout" >"build/tests/json/$1/$2.json"
}

# Like ok COMMAND, for the last run: passed when its status was as wanted.
status_is() {
	if [[ $status == "$2" ]]; then
		ok "$1"
	else
		not_ok "$1" "status $status, wanted $2" "$stdout" "$stderr"
	fi
}
