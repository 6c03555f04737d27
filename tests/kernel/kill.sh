# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the tests share that kill a loader at its system calls: which of them, in which order, and what was found. Source it behind
# lib.sh.
#
# make test has time for some of them. For all, tests/kills runs a file again and again with HOTPROOF_KILLS, a folder in which
# each kill is noted: the next run goes on behind them, and the last one judges all.
#
#	kills_begin NAME SECONDS NUMBER...    kill at these calls, as many as there is time for
#	next_kill                             $n is the next; false: no call or no time is left
#	no_such_call                          the command ended before its n-th
#	killed STATE                          what was found; "half", if recover had something to do
#	kills_end                             passed if something was killed; what was found, in the order of the calls
# shellcheck disable=SC2154,SC2034 # shared with the tests

kill_at=build/tests/helpers/kill-at

kills_begin() {
	local line
	kills_name=$1 kills_last=1000 kills_now=0 kills_left=''
	# All of a whole run's parts end in time to be gone on with; of a short one each has its share.
	[[ ${HOTPROOF_KILLS-} ]] && kills_until=${HOTPROOF_KILL_SECONDS:-400} || kills_until=$((SECONDS + ${HOTPROOF_KILL_SECONDS:-$2}))
	kills_file=${HOTPROOF_KILLS:-$scratch}/$test_name.${1//[^a-z]/-}
	mapfile -t kills_todo < <(spread "${@:3}")
	kills_found=() kills_half=()
	touch "$kills_file"
	while read -ra line; do
		case ${line[1]} in
		end) kills_last=${line[0]} ;;
		half) kills_half[line[0]]=1 ;;
		*) kills_found[line[0]]=${line[1]} ;;
		esac
	done <"$kills_file"
}

next_kill() {
	while ((${#kills_todo[@]})); do
		n=${kills_todo[0]}
		kills_todo=("${kills_todo[@]:1}")
		((n < kills_last)) && [[ ! ${kills_found[n]-} ]] || continue
		((SECONDS < kills_until)) || [[ ! ${HOTPROOF_KILLS-} && $kills_now -lt 4 ]] || {
			kills_left=1
			return 1
		}
		return 0
	done
	return 1
}

no_such_call() {
	kills_last=$n
	echo "$n end" >>"$kills_file"
}

killed() {
	((++kills_now))
	kills_found[n]=$1
	[[ ${2-} != half ]] || kills_half[n]=1
	printf "$n %s\n" ${2:+"$2"} "$1" >>"$kills_file"
}

# shellcheck disable=SC2046 # words
kills_end() {
	if [[ $kills_left ]]; then
		skip "$kills_name: at the other calls" "they had their time: tests/kills for all"
	fi
	diag "$kills_name: at $(echo "${!kills_found[@]}" | wc -w) calls; found: $(printf '%s\n' "${kills_found[@]}" | uniq -c |
		awk '{ printf "%s%s %s", NR == 1 ? "" : ", ", $1, $2 }'); recover had work ${#kills_half[@]} times"
	[[ ${HOTPROOF_KILLS-} && $kills_left ]] || ok "$kills_name: there was something to kill" test ${#kills_found[@]} -ge 3
	[[ ! ${HOTPROOF_KILLS-} || $kills_left ]] || ok "$kills_name: to the last of its calls" test $kills_last -lt 1000
}
