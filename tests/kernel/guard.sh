# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the tests of guards share, with lib.sh. Two cgroups, "in" for what is guarded and "out" for what is not.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cgroups=/sys/fs/cgroup
mkdir -p $cgroups/hp/in/below $cgroups/hp/out

# within CGROUP COMMAND...: run it as a process of that cgroup.
within() {
	local group=$1
	shift
	bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroups/hp/$group" "$@"
}

# sockets N [FAMILY [TYPE]]: try to make so many sockets; prints how many were made, and the last error number.
# shellcheck disable=SC2317 # called through within
cat >"$scratch/sockets.py" <<'PY'
import socket, sys
count, family, kind = (int(a) for a in (sys.argv[1:] + ["2", "1"][len(sys.argv) - 2:]))
made = error = 0
for _ in range(count):
    try:
        socket.socket(family, kind).close()
        made += 1
    except OSError as e:
        error = e.errno
print(made, error)
PY
chmod 755 "$scratch" # for other users
sockets="/usr/bin/python3 $scratch/sockets.py"

guard() { report guard "$1" "$hotproof" guard "${@:2}" --json; }

# refused NAME STATUS CODE OPTION...: a guard is not made, for this reason, and nothing is pinned. (Whether anything else
# is left is for the end of the file.)
refused() {
	local name=$1 wanted_status=$2 code=$3 before
	shift 3
	before=$(find /sys/fs/bpf)
	report error "$name" "$hotproof" guard "$@" --json
	is "$name: exit $wanted_status, $code" "$status $(json .error.code)" "$wanted_status $code"
	is "$name: nothing is pinned" "$(find /sys/fs/bpf)" "$before"
}

# Counts of a guard: calls, returned, observed, passed.
counts='.guards[0].counts | "\(.calls) \(.returned) \(.observed) \(.passed)"'
