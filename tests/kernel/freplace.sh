# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# An XDP program on one end of a veth pair, loaded and attached by ip, and packets from the other end. Source it behind lib.sh.
# shellcheck disable=SC2154,SC2086,SC2034 # shared with lib.sh and the tests

objects=$fixtures/bpf
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf

tear_down() {
	ip link set dev hp0 xdpgeneric off
	ip link del hp0
	ip netns del peer
}
tear_down 2>/dev/null # of a file that came to no end

# A veth pair whose other end is in a namespace of its own. Nothing but what send() sends goes through it: no IPv6, no ARP.
ip netns add peer
ip link add hp0 type veth peer name hp1 netns peer
echo 1 >/proc/sys/net/ipv6/conf/hp0/disable_ipv6
ip netns exec peer sh -c 'echo 1 >/proc/sys/net/ipv6/conf/hp1/disable_ipv6'
ip addr add 10.9.0.1/24 dev hp0
ip -n peer addr add 10.9.0.2/24 dev hp1
ip link set hp0 up
ip -n peer link set hp1 up
ip -n peer neigh add 10.9.0.1 dev hp1 nud permanent lladdr "$(cat /sys/class/net/hp0/address)"
ip neigh add 10.9.0.2 dev hp0 nud permanent lladdr "$(ip netns exec peer cat /sys/class/net/hp1/address)"
ip link set dev hp0 xdpgeneric obj $objects/xdp_target.bpf.o sec xdp

# exactly N packets
send="nsenter --net=/run/netns/peer build/tests/helpers/packets 10.9.0.1"

# What the program itself counted, class by class.
packets() {
	bpftool -j map dump name hp_packets | gojq -r '[.[].formatted.value] | join(" ")'
}

# flood: packets without a pause, until no_more; who falls behind drops them in front of the program, and counts them.
flood() {
	counted=$(all_packets) dropped=$(drops)
	$send 0 >"$scratch/flood" &
	load=$!
}
# no_more: ends the flood. $lost of its packets neither came to the program nor were dropped in front of it.
no_more() {
	local _
	kill $load
	wait $load
	for _ in {1..300}; do
		lost=$(($(<"$scratch/flood") - ($(all_packets) - counted) - ($(drops) - dropped)))
		((lost)) || break
		sleep 0.1
	done
}
# The classes 0, 1 and 3: each packet is in one of them, whoever classifies it.
all_packets() { packets | awk '{ print $1 + $2 + $4 }'; }
drops() {
	local column sum=0
	while read -r _ column _; do
		((sum += 16#$column))
	done </proc/net/softnet_stat
	echo $sum
}
id_of() { bpftool -j prog show name "$1" | gojq -r 'if type == "array" then .[-1].id else .id end'; }
target() { json "(.verification // .).targets[] | select(.symbol == \"$1\") | $2"; }
