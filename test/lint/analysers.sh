#!/usr/bin/env bash
# clang-tidy with the checks of .clang-tidy, and cppcheck: no finding.
. test/lint/report.bash

mapfile -t sources < <(find src -name '*.c' | sort)

rule 'clang-tidy finds nothing' \
    'clang-tidy FILE -- -Isrc -isystem $(pg_config --includedir-server) tells how it comes to it; a false alarm gets NOLINTNEXTLINE(check) and the reason' \
    "$(printf '%s\n' "${sources[@]}" | xargs -P 2 -n 1 sh -c '
        clang-tidy --quiet "$0" -- -std=gnu11 -D_GNU_SOURCE -Isrc -isystem "$("$PG_CONFIG" --includedir-server)" \
            -I"$("$PG_CONFIG" --includedir)" "-DGL_VERSION=\"0\"" 2>/dev/null || echo "$0: clang-tidy failed"' |
        grep -E ': (warning|error): |failed$' | sed "s|$PWD/||" | sort -u || true)"

rule 'cppcheck finds nothing' 'mend it; a false alarm gets // cppcheck-suppress and its reason' \
    "$(cppcheck --quiet -j 2 --std=c11 --enable=warning,performance,portability --inline-suppr -Isrc \
        "${sources[@]}" 2>&1 || echo 'cppcheck failed')"

end_of_rules
