# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# SIGKILL of a loader that changes functions of an XDP program. Source it behind lib.sh and freplace.sh.
#
# Three are killed: the loader itself; the child that makes its change (it sees that, and undoes or repeats it); and both at the
# same moment, which may leave a half that recover takes away.
# shellcheck disable=SC2154,SC2086,SC2034 # shared with lib.sh and the tests

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

# kill_each NAME MODE "NUMBERS" OLD NEW PREPARE COMMAND...: kill it at each of these calls, as long as it has so many.
kill_each() {
	local name=$1 mode=$2 numbers=$3 old=$4 new=$5 prepare=$6 n status ended found problems='' last=1000 left=0 begin=$SECONDS
	local -a found_at=()
	local -i halves=0
	shift 6
	for n in $(spread $numbers); do
		((n < last)) || continue
		if ((${#found_at[@]} >= 4 && SECONDS - begin > ${HOTPROOF_KILL_SECONDS:-12})); then
			((++left))
			continue
		fi
		$prepare
		status=0
		ended=$($kill_at "--${mode/flock/from=flock}" $n $hotproof "$@" 2>&1 >/dev/null) || status=$?
		((status == 3)) && { last=$n; continue; }
		((status == 0)) || problems+="$n: kill-at ended with $status"$'\n'
		flock /sys/fs/bpf true # the change is made
		state
		found_at[n]=${state% *}
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
			halves+=1
			state
		fi
		case $state in
		"none 0") [[ $found != *keep* && ! -e /sys/fs/bpf/hotproof ]] || problems+="$n: none, and recover says $found"$'\n' ;;
		"xdp 1") [[ $found == "keep hp_fix_xdp false" ]] || problems+="$n: xdp, and recover says $found"$'\n' ;;
		"two 2") [[ $found == "keep hp_fix_two false" ]] || problems+="$n: two, and recover says $found"$'\n' ;;
		*) problems+="$n: after recover: $state"$'\n' ;;
		esac
	done
	is "$name: killed ${#found_at[@]} times" "$problems" ""
	((!left)) || skip "$name: at the other calls" "they had their time: HOTPROOF_KILL_SECONDS=500 for more"
	# In the order of the calls, not of the kills.
	diag "$((SECONDS - begin)) s; found: $(printf '%s\n' "${found_at[@]}" | uniq -c | awk '{ printf "%s%s %s", NR == 1 ? "" : ", ", $1, $2 }'); by half $halves times"
	ok "$name: there was something to kill" test ${#found_at[@]} -ge 3
}

# Of the calls of the loader itself, some: those before it makes the child take nothing but its own descriptors along, and so do
# those behind it. From where it makes the child until it hears of its end, each.
some_of() { # FIRST LAST STEP FROM TO
	{
		seq $1 $3 $2
		seq $4 $5
	} | sort -nu | paste -sd ' '
}
