#!/usr/bin/env bash
# Names: a global symbol begins with gl_, a type with Gl, so that none collides with the server's or another library's.
. test/lint/report.bash

rule 'global functions and variables begin with gl_' \
    'make it static, or call it gl_<feature>_<verb>' \
    "$(nm -A -g --defined-only "$GOVLEDGER_BUILD"/src/{*,*/*}.o |
        grep -vE ' (gl_|pg_finfo_gl_|_PG_init$|_PG_fini$|Pg_magic_func$)' | sed "s|^$GOVLEDGER_BUILD/||" || true)"

# shellcheck disable=SC2016
rule 'types begin with Gl' \
    'call it Gl<Feature><Noun>' \
    "$(perl -0777 -ne '
        s{/\*.*?\*/|//[^\n]*}{ my $c = $&; $c =~ tr/\n//cd; $c }gse;
        while (/\b(?:struct|union|enum)\s+(\w+)\s*\{
              | \btypedef\s+(?:struct|union|enum)\b[^{;]*\{.*?\n\}\s*(\w+)\s*;
              | \btypedef\b[^{};()]*\(\s*\*\s*(\w+)\s*\)
              | \btypedef\b[^{};()]*\b(\w+)\s*(?:\[[^\]]*\]\s*)?;/gsx)
        {
            my ($name) = grep { defined } $1, $2, $3, $4;
            print "$ARGV: $name\n" unless $name =~ /^Gl[A-Z]/;
        }' src/*.c src/*/*.[ch])"

end_of_rules
