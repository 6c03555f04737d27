# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# SIGKILL of a loader that changes functions of an XDP program. Source it behind lib.sh and freplace.sh.
#
# Three are killed: the loader itself; the child that makes its change (it sees that, and undoes or repeats it); and both at the
# same moment, which may leave a half that recover takes away.
# shellcheck disable=SC2154,SC2086,SC2034 # shared with lib.sh and the tests

. "$(dirname "${BASH_SOURCE[0]}")/kill.sh"

# From memory: the shared file system is slow.
cp $hotproof build/tests/helpers/kill-at build/tests/helpers/packets $objects/hp_fix_{two,xdp}.bpf.o "$scratch"
hotproof=$scratch/hotproof kill_at=$scratch/kill-at
send="nsenter --net=/run/netns/peer $scratch/packets 10.9.0.1"
program=$(id_of hp_xdp)

# Which function decides what packets are, and how many functions are replaced: "none 0", "xdp 1", "two 2".
seen=$(packets)
state() {
	local was now class
	read -ra was <<<"$seen"
	$send 3
	seen=$(packets)
	read -ra now <<<"$seen"
	class=none
	((now[1] == was[1])) || class=xdp
	((now[3] == was[3])) || class=two
	((now[0] + now[1] + now[3] == was[0] + was[1] + was[3] + 3)) || class+=-lost
	state="$class $(bpftool link | grep -c 'prog_type ext')"
}

applied() { [[ -e /sys/fs/bpf/hotproof/$1 ]] || $hotproof apply $scratch/$1.bpf.o --prog "id:$program" --for 1ms >/dev/null 2>&1; }
reverted() { [[ ! -e /sys/fs/bpf/hotproof/$1 ]] || $hotproof revert $1 --for 1ms >/dev/null 2>&1; }

# kill_each NAME MODE "NUMBERS" OLD NEW PREPARE COMMAND...: kill it at each of these calls, as long as it has so many. All of the loader
# itself are those that can change anything outside of it (kill-at knows which), of the child's those that it makes.
kill_each() {
	local name=$1 mode=$2 numbers=$3 old=$4 new=$5 prepare=$6 n status ended found half problems=''
	local -a calls=("--$mode")
	if [[ $mode == flock ]]; then
		calls=(--from flock)
		[[ ! ${HOTPROOF_KILLS-} ]] || { calls+=(--only changes) && numbers=$(seq 400); }
	fi
	kills_begin "$name" 12 $numbers
	shift 6
	while next_kill; do
		$prepare
		status=0
		ended=$($kill_at "${calls[@]}" $n $hotproof "$@" 2>&1 >/dev/null) || status=$?
		((status == 3)) && { no_such_call; continue; }
		((status == 0)) || problems+="$n: kill-at ended with $status"$'\n'
		flock /sys/fs/bpf true # the change is made
		state
		half=$state
		if [[ $mode != both ]]; then
			[[ $state == "$old" || $state == "$new" ]] || problems+="$n: $state"$'\n'
			! compgen -G '/sys/fs/bpf/hotproof/~*' >/dev/null || problems+="$n: half pinned"$'\n'
		fi
		# Killed at its exit, it had said what became of it.
		[[ $mode != child || $state == "$new" || ${ended##*$'\n'} == 6 ]] || problems+="$n: the loader ended with $ended"$'\n'
		run $hotproof recover --json
		((status == 0)) || problems+="$n: recover: $status $stderr"$'\n'
		found=$(json '.programs[] | "\(.action) \(.hotfix) \(.done)"')
		if [[ $found == *revert*true* ]]; then
			killed ${half% *} half
			state
		else
			killed ${half% *}
		fi
		case $state in
		"none 0") [[ $found != *keep* && ! -e /sys/fs/bpf/hotproof ]] || problems+="$n: none, and recover says $found"$'\n' ;;
		"xdp 1") [[ $found == "keep hp_fix_xdp false" ]] || problems+="$n: xdp, and recover says $found"$'\n' ;;
		"two 2") [[ $found == "keep hp_fix_two false" ]] || problems+="$n: two, and recover says $found"$'\n' ;;
		*) problems+="$n: after recover: $state"$'\n' ;;
		esac
	done
	is "$name: old or new, and recover knows" "$problems" ""
	kills_end
}

# Of the calls of the loader itself, some: those before it makes the child take nothing but its own descriptors along, and so do
# those behind it. From where it makes the child until it hears of its end, each.
some_of() { # FIRST LAST STEP FROM TO
	{
		seq $1 $3 $2
		seq $4 $5
	} | sort -nu | paste -sd ' '
}
