# shellcheck shell=bash
# What both demos share: steps that print a sentence, a command and its result, and stop when the result is not the
# expected one.
#
#     step 'A sentence that says what is shown.'
#     sql 'SELECT 1'          # prints it and its result; the rows are in $got
#     expect '1'              # one line a row, columns separated by |
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
steps=0 sentence='' got='' fresh=yes
bold='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; fi

python=''
for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import cryptography' 2>/dev/null; then python=$candidate; break; fi
done
[ -n "$python" ] || { echo 'demo: needs python3-cryptography' >&2; exit 1; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

say() { printf '%s\n' "$*"; }
indent() { sed -E 's/^/    /; s/ +$//'; }

step() {
    steps=$((steps + 1)) sentence=$1
    fresh=yes
    printf '\n%s%d. %s%s\n\n' "$bold" "$steps" "$1" "$plain"
}

# show TEXT: a command or a result, a line apart from what came before it in this step.
show() {
    [ "$fresh" = yes ] || say
    fresh=no
    indent <<<"$1"
}

# Show a command that is not SQL.
shell() { show "\$ $*"; }

# rows: of aligned psql output, the rows of the last table, or everything where there is no table.
rows() {
    awk '/^-[-+]*$/ { n = 0; table = 1; next }
         table && /^$/ { table = 0; done = 1 }
         table || !done { line[n++] = $0 }
         END { for (i = 0; i < n; i++) print line[i] }' |
        sed -E 's/ *\| */|/g; s/^ +//; s/ +$//'
}

run_psql() {
    psql -X -P footer=off -P null='∅' -P linestyle=ascii -v ON_ERROR_STOP=1 -f - "$@"
}

# Aligned psql output without the tables of functions that return nothing, and without empty lines.
without_void() {
    awk '/^-[-+]*$/ { rule = $0; next }
         rule != "" { if ($0 !~ /^ *$/) print head "\n" rule "\n" $0; head = rule = ""; next }
         { if (head != "") print head; head = $0 }
         END { if (head != "") print head; if (rule != "") print rule }'
}

# sql TEXT [psql argument]...: print and run it as $PGUSER in $PGDATABASE.
sql() {
    local text=$1 status=0
    shift
    show "$text"
    run_psql "$@" <<<"$text" >"$tmp/out" 2>"$tmp/err" || status=$?
    sed -E 's/^psql:[^:]*:[0-9]+: //' "$tmp/err" >"$tmp/messages"
    without_void <"$tmp/out" | cat - "$tmp/messages" >"$tmp/shown"
    [ ! -s "$tmp/shown" ] || show "$(cat "$tmp/shown")"
    [ "$status" = 0 ] || fail "$(cat "$tmp/messages")"
    got=$(rows <"$tmp/out")
}

# refused TEXT: run SQL that the server must refuse; the message is in $got.
refused() {
    show "$1"
    if run_psql <<<"$1" >"$tmp/out" 2>&1; then
        fail 'the server accepted this'
    fi
    got=$(sed -E 's/^psql:[^:]*:[0-9]+: //' "$tmp/out")
    show "$got"
}

# quietly TEXT: the value of a query that is not part of the show.
quietly() { psql -X -q -A -t -v ON_ERROR_STOP=1 -c "$1"; }

fail() {
    printf '\ndemo: step %d failed: %s\n%s\n' "$steps" "$sentence" "$*" >&2
    exit 1
}

passed() { printf '\n    => as expected%s\n' "${1:+: $1}"; }

# expect ROWS [NOTE]: the result just shown is exactly this.
expect() {
    [ "$got" = "$1" ] || fail "$(printf 'expected:\n%s\nfound:\n%s' "$1" "$got")"
    passed "${2:-}"
}

# expect_match REGULAR-EXPRESSION [NOTE]
expect_match() {
    [[ $got =~ $1 ]] || fail "$(printf 'expected a match of:\n%s\nfound:\n%s' "$1" "$got")"
    passed "${2:-}"
}

# A reload reaches new sessions when the postmaster has read it.
wait_for() {
    for _ in {1..200}; do
        [ "$(quietly "SELECT $1")" != t ] || return 0
        sleep 0.05
    done
    fail "waited in vain for: $1"
}

# ---------------------------------------------------------------- steps that both demos have

set_up_ledger() {
    local key_file=$tmp/signing-key.pem
    step 'The extension, a signing key in a file that only the server can read, and a name for the log.'
    origin=$1
    sql "CREATE EXTENSION govledger;
ALTER SYSTEM SET govledger.origin = '$origin';
ALTER SYSTEM SET govledger.signing_key = 'file:$key_file';
SELECT pg_reload_conf();"
    wait_for "current_setting('govledger.origin') = '$origin'"
    sql "SELECT govledger.generate_key('$key_file') AS \"public key\";"
    verifier_key=$got
    expect_match "^$origin\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+\$"
}

# A copy of the whole database, to be put back at the end; then the worker begins.
start_sealing() {
    backup=${PGDATABASE}_backup
    quietly 'SELECT govledger.seal()' >/dev/null
    psql -X -q -d postgres -v ON_ERROR_STOP=1 -c "CREATE DATABASE $backup TEMPLATE $PGDATABASE"
    step 'From now on a background worker seals and signs the log every second.'
    sql "ALTER SYSTEM SET govledger.databases = '$PGDATABASE';
SELECT pg_reload_conf();"
    expect_match 't'
}

put_back_backup() {
    step "Cleverest of all: the whole database is put back to this morning's copy. All in it is true and complete, and the log says so."
    shell "psql $backup"
    PGDATABASE=$backup sql 'SELECT count(*) AS findings FROM govledger.verify() WHERE NOT ok;'
    expect 0
    step 'But not to somebody who holds a later checkpoint.'
    PGDATABASE=$backup sql "SELECT check_name, object, detail FROM govledger.verify(against => ARRAY[:'checkpoint']) WHERE NOT ok;" \
        -v checkpoint="$(cat "$tmp/checkpoint")"$'\n'
    expect_match '^against\|'
}

keep_and_check_checkpoint() {
    step 'The log is sealed and signed. A journalist, a court and a neighbouring agency keep the five lines.'
    show 'SELECT govledger.seal();'
    quietly 'SELECT govledger.seal()' >"$tmp/checkpoint"
    # a note ends with one line feed; psql adds one
    [ -n "$(tail -n 1 "$tmp/checkpoint")" ] || sed -i '$d' "$tmp/checkpoint"
    got=$(cat "$tmp/checkpoint")
    show "$got"
    expect_match "^$origin"$'\n[0-9]+\n[A-Za-z0-9+/]{43}=\n\n— '"$origin [A-Za-z0-9+/=]+\$"

    step 'A script of a few lines that knows nothing of govledger, on any machine, checks the signature.'
    show "$(grep -v '^#' "$here/check_checkpoint.py")"
    check_checkpoint "$tmp/checkpoint"
    expect_match "^good: signed by $origin at tree size [0-9]+, root "
}

# check_checkpoint FILE: ask the independent script; the last line of what it says is in $got.
check_checkpoint() {
    shell "python3 check_checkpoint.py '$verifier_key' < ${1##*/}"
    got=$("$python" "$here/check_checkpoint.py" "$verifier_key" <"$1" 2>&1 | tail -n 1) || true
    show "$got"
}

verify_everything() {
    local n bad
    step 'Verification reads the log, the tables and the catalog, and compares them with the checkpoint that was kept.'
    sql "SELECT check_name, object, ok, detail FROM govledger.verify(against => ARRAY[:'checkpoint']);" \
        -v checkpoint="$(cat "$tmp/checkpoint")"$'\n'
    n=$(grep -c . <<<"$got") || true
    bad=$(grep -vE '^[^|]*\|[^|]*\|t\|' <<<"$got") || true
    if [ -n "$bad" ] || [ "$n" -lt 5 ]; then fail "these $n checks should all hold"; fi
    passed "$n checks, all hold"
}

# asleep TABLE CHANGE: made by a superuser with all triggers of the table asleep, who then wakes them again.
asleep() {
    sql "BEGIN;
SET LOCAL govledger.guards = off;
ALTER TABLE $1 DISABLE TRIGGER ALL;
$2;
ALTER TABLE $1 ENABLE TRIGGER ALL;
ALTER TABLE $1 ENABLE ALWAYS TRIGGER \"!govledger\";
ALTER TABLE $1 ENABLE ALWAYS TRIGGER \"!govledger_truncate\";
COMMIT;"
}

# findings [ARGUMENTS]: the rows that verify names, one line a finding.
findings() {
    sql "SELECT object, key, column_name, logged, found
  FROM govledger.verify(${1:-})
 WHERE NOT ok AND key IS NOT NULL
 ORDER BY object, key::text, column_name;"
}

tamper_with_log() {
    local entry
    entry=$(quietly "SELECT transaction_id FROM govledger.entry WHERE content IS NOT NULL AND claimed IS NOT NULL ORDER BY \"position\" DESC LIMIT 1")
    step 'So the log itself is edited: one bit of what it recorded.'
    sql "UPDATE govledger.entry
   SET content = set_byte(content, length(content) - 1, get_byte(content, length(content) - 1) # 1)
 WHERE transaction_id = '$entry';"
    expect_match '^UPDATE 1$'
    sql "SELECT check_name, object, detail, entry FROM govledger.verify() WHERE NOT ok AND key IS NULL;"
    expect_match "(^|"$'\n'")entry\|[^|]*$entry"
}

forge_checkpoint() {
    local size
    step 'Who cuts the log instead has to change the checkpoint that others kept, and cannot: the signature no longer fits.'
    size=$(sed -n 2p "$tmp/checkpoint")
    shell "sed '2s/.*/$((size - 1))/' checkpoint > forged"
    sed "2s/.*/$((size - 1))/" "$tmp/checkpoint" >"$tmp/forged"
    check_checkpoint "$tmp/forged"
    expect_match 'InvalidSignature'
}
