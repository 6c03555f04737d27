# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# For the tests of hotproof check: keep a report, and ask it.

# shellcheck disable=SC2034 # the tests use it
hotproof=build/hotproof
reports=build/tests/json/check
mkdir -p "$reports"

# check_as NAME COMMAND...: keep the report as $reports/NAME.json; $status is the exit status.
check_as() {
	report=$reports/$1.json
	run "${@:2}"
	# shellcheck disable=SC2154 # run sets it
	printf '%s\n' "$stdout" >"$report"
}

# Ask the last report.
state_of() { gojq -r --arg n "$1" '.features[] | select(.name == $n) | .state' "$report"; }
cause_of() { gojq -r --arg n "$1" '.features[] | select(.name == $n) | .cause | "\(.code) \(.why)"' "$report"; }
fix_of() { gojq -r --arg n "$1" '.features[] | select(.name == $n) | .cause.fix' "$report"; }
ability_of() { gojq -r --arg n "$1" '.abilities[] | select(.name == $n) | .state' "$report"; }
unavailable() { gojq -r '[.features[] | select(.state != "available") | .name] | join(" ")' "$report"; }
