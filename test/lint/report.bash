# shellcheck shell=bash
# Sourced by the rules in test/lint: TAP from lists of offenders.
. test/lib/environment.sh

rules=0

# rule NAME REMEDY OFFENDERS: one test; it fails if OFFENDERS is not empty.
rule() {
    rules=$((rules + 1))
    if [ -z "$3" ]; then
        echo "ok $rules - $1"
    else
        echo "not ok $rules - $1"
        printf '%s\n' "$3" "-> $2" | sed 's/^/#   /' >&2
    fi
}

end_of_rules() { echo "1..$rules"; }

features() { sed -n 's/^FEATURES *= *//p' Makefile; }
