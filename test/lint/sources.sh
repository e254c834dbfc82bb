#!/usr/bin/env bash
# Where code may stand: include direction, version tests, feature directories.
. test/lint/report.bash

own=$(find src -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | paste -sd'|')
allowed='' wrong='' unexplained=''
for feature in $(features); do
    allowed+="${allowed:+|}$feature"
    wrong+=$'\n'$(grep -rnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*\"($own)/" "src/$feature" --include='*.[ch]' |
        grep -vE "\"($allowed)/" || true)
    [ -e "src/$feature/README.md" ] || unexplained+=$'\n'"src/$feature/README.md is missing"
done
rule 'a feature includes only itself and what stands left of it in FEATURES' \
    'move the shared part left, or let the left feature call a hook that the right one registers' "$(grep . <<<"$wrong" || true)"

rule 'src/format includes no server header' \
    'src/format is also linked into a command without a server: pass what it needs as bytes' \
    "$(grep -rnE '^[[:space:]]*#[[:space:]]*include' src/format --include='*.[ch]' |
        grep -E 'include[[:space:]]*("|<(postgres|fmgr|libpq|pg_|c\.h|server/|utils/|access/|catalog/))' |
        grep -v '"format/' || true)"

rule 'PG_VERSION_NUM stands in src/core/compat.[ch] alone' \
    'write a shim there, with the version and the reason, and use that' \
    "$(grep -rn 'PG_VERSION_NUM' src --include='*.[ch]' | grep -v '^src/core/compat\.[ch]:' || true)"

rule 'every feature has a README' 'say on one page what it keeps true and why it is built so' "$(grep . <<<"$unexplained" || true)"

rule 'every directory in src is a feature, cli or upgrade' \
    'name it in FEATURES in the Makefile, at the place that its includes allow' \
    "$(find src -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | grep -vxE "$allowed|cli|upgrade" || true)"

end_of_rules
