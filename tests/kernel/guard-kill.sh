# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the tests share in which guard verbs are killed.

. "$(dirname "${BASH_SOURCE[0]}")/guard.sh"
. "$(dirname "${BASH_SOURCE[0]}")/kill.sh"

add=(add --function security_create_user_ns --return EPERM --cgroup hp/in --name k)
before=$(leftovers)

# denied GROUP: says GROUP when a process of it is refused a user namespace.
denied() {
	(echo $BASHPID >"$cgroups/hp/$1/cgroup.procs" && exec unshare -U true 2>/dev/null) || echo "$1"
}

# kill_everywhere NAME OLD NEW PREPARE COMMAND...: kill it at each of its system calls from the lock on that can change anything, or
# at as many as there is time for. OLD and NEW are what is refused before and after it.
kill_everywhere() {
	local name=$1 old=$2 new=$3 prepare=$4 n ended state action problems='' order
	# shellcheck disable=SC2046 # words
	kills_begin "$name" 12 $(seq 400)
	shift 4
	while next_kill; do
		$prepare
		ended=0
		$kill_at --from flock --only changes "$n" "$hotproof" "$@" 2>"$scratch/err" || ended=$?
		((ended == 3)) && { no_such_call; continue; }
		((ended == 0)) || problems+="$n: kill-at ended with $ended"$'\n'
		state="$(denied in)$(denied out)"
		[[ $state == "$old" || $state == "$new" ]] || problems+="$n: refused: $state"$'\n'
		run "$hotproof" recover --json
		action=$(json '.guards[] | .action')
		((status == 0)) || problems+="$n: recover: $status $stderr"$'\n'
		if [[ $action == revert ]]; then
			killed "${state:-none}" half
			[[ ! $state ]] || problems+="$n: recover removed a guard that worked"$'\n'
		else
			killed "${state:-none}"
		fi
		[[ $action == keep ]] || [[ ! -e /sys/fs/bpf/hotproof ]] || problems+="$n: pins are left"$'\n'
		[[ "$(denied in)$(denied out)" == "$state" ]] || problems+="$n: recover changed what is refused"$'\n'
	done
	is "$name: old or new, and recover knows" "$problems" ""
	# In the order of the calls, not of the kills.
	order=$(printf '%s\n' "${kills_found[@]}" | uniq | paste -sd ' ')
	like "$name: the old state, then the new one, once" "$order" "^(${old:-none}( ${new:-none})?|${new:-none})\$"
	if [[ ! $kills_left ]]; then
		is "$name: both were seen" "$order" "${old:-none} ${new:-none}"
		[[ $name == set ]] || ok "$name: some of them left what recover removes" test ${#kills_half[@]} -gt 0
	fi
	kills_end
	$prepare
	run "$hotproof" "$@"
	is "$name: and left alone it comes to its end" "$status $(denied in)$(denied out)" "${ends:-0} $new"
	$hotproof guard remove k >/dev/null 2>&1
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
