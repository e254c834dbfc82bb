#!/usr/bin/env bash
# Text hygiene of everything in the tree.
. test/lint/report.bash

# what pg_regress wrote, vectors of other projects, and pictures are as they are
mapfile -t files < <(find . -type f ! -path './.git/*' ! -path './test/vectors/*' ! -path '*/expected/*.out' \
    -exec grep -lI '' {} + | sort)

rule 'no trailing white space' "mend with: sed -i 's/[[:space:]]*\$//' FILE" \
    "$(grep -nE '[[:space:]]+$' "${files[@]}" || true)"

rule 'a file ends with a line feed' 'add one at the end' \
    "$(for file in "${files[@]}"; do [ -z "$(tail -c 1 "$file")" ] || echo "$file"; done)"

rule 'no absolute paths of one machine' 'use a path relative to the tree, or mktemp' \
    "$(grep -nE '(^|[^[:alnum:]_.])/(tmp|[w]ork|[r]oot|home)/' "${files[@]}" | grep -vE 'TMPDIR|mktemp' || true)"

rule 'nothing left for later' 'do it now, or file an issue and take the note out' \
    "$(grep -nwE 'T[O]DO|F[I]XME|X[X]X|H[A]CK' "${files[@]}" || true)"

end_of_rules
