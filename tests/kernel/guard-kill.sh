# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the tests share in which guard verbs are killed.

. "$(dirname "${BASH_SOURCE[0]}")/guard.sh"

kill_at=build/tests/helpers/kill-change
add=(add --function security_create_user_ns --return EPERM --cgroup hp/in --name k)
before=$(leftovers)

# denied GROUP: says GROUP when a process of it is refused a user namespace.
denied() {
	(echo $BASHPID >"$cgroups/hp/$1/cgroup.procs" && exec unshare -U true 2>/dev/null) || echo "$1"
}

# kill_everywhere NAME FROM STEP OLD NEW PREPARE COMMAND...: kill it at its first system call from FROM on, and at every STEP-th
# behind that; STEP "changes": at each that can change anything. OLD and NEW are what is refused before and after it.
kill_everywhere() {
	local name=$1 from=$2 step=$3 old=$4 new=$5 prepare=$6 n ended state found problems='' seen='' halves=0 changes=''
	shift 6
	[[ $step != changes ]] || { changes=--changes step=1; }
	for ((n = 1; n < 3000; n += step)); do
		$prepare
		ended=0
		# shellcheck disable=SC2086 # an option or none
		$kill_at --$from $changes $n "$hotproof" guard "$@" 2>"$scratch/err" || ended=$?
		((ended == 3)) && break
		((ended == 0)) || problems+="$n: kill-change ended with $ended"$'\n'
		state="$(denied in)$(denied out)"
		[[ $state == "$old" || $state == "$new" ]] || problems+="$n: refused: $state"$'\n'
		seen+=" ${state:-none}"
		run "$hotproof" recover --json
		found=$(json '.guards[] | .action')
		((status == 0)) || problems+="$n: recover: $status $stderr"$'\n'
		if [[ $found == revert ]]; then
			((++halves))
			[[ ! $state ]] || problems+="$n: recover removed a guard that worked"$'\n'
		fi
		[[ $found == keep ]] || [[ ! -e /sys/fs/bpf/hotproof ]] || problems+="$n: pins are left"$'\n'
		[[ "$(denied in)$(denied out)" == "$state" ]] || problems+="$n: recover changed what is refused"$'\n'
	done
	[[ "$(denied in)$(denied out)" == "$new" ]] || problems+="it did not come to its end"$'\n'
	is "$name: killed at ${changes:+all that change anything, }every $step. of $((n - 1)) system calls" "$problems" ""
	seen=$(tr ' ' '\n' <<<"$seen" | sed '/^$/d' | uniq | paste -sd ' ')
	echo "# $name: in the order of the calls, refused was: $seen; recover had something to do $halves times"
	[[ ! $changes ]] || is "$name: the old state, then the new one, once" "$seen" "${old:-none} ${new:-none}"
	[[ ! $changes || $name == set ]] || ok "$name: some of them left what recover removes" test $halves -gt 0
	run "$hotproof" guard remove k
	as_before "$name: nothing is left" "$before"
}

# shellcheck disable=SC2317 # called by name
there() {
	[[ -e /sys/fs/bpf/hotproof/k/link ]] || "$hotproof" guard "${add[@]}" >/dev/null
}
# shellcheck disable=SC2317
in_place() {
	there
	"$hotproof" guard set k --cgroup hp/in >/dev/null
}
# shellcheck disable=SC2317
none() {
	[[ ! -e /sys/fs/bpf/hotproof/k/link ]] || "$hotproof" guard remove k >/dev/null
}
