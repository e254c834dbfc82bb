# shellcheck shell=bash
# shellcheck source=lib.sh disable=SC2034,SC2154
# The demo on somebody's own CSV file: $data. Nothing here knows what the file is about.

transactions=50 clerks=4

step "${data##*/} as it is: every column gets a type that keeps each of its values, and a key is looked for."
shell "infer_csv.py ${data##*/} rows.copy"
plan=$("$python" "$here/infer_csv.py" "$data" "$tmp/rows.copy" 2>"$tmp/err") || fail "$(sed "s|^$tmp/||" "$tmp/err")"
table='' create_table='' columns='' key='' rows='' column='' column_name='' column_type='' keys=() key_names=()
eval "$plan"
sql "$create_table;"
shell "psql -c '\\copy $table FROM rows.copy'"
psql -X -q -v ON_ERROR_STOP=1 -c "\\copy $table ($columns) FROM '$tmp/rows.copy'" 2>"$tmp/err" || fail "$(cat "$tmp/err")"
sql "SELECT count(*) AS rows FROM $table;"
expect "$rows" "key: ${key:-none, no column and no pair of columns tells its rows apart}"

set_up_ledger csv.example/log

if [ -n "$key" ]; then
    step 'The table comes under the ledger, rows and all.'
    sql "SELECT govledger.protect('$table');"
else
    step 'The table comes under the ledger, rows and all; without a key it can only grow.'
    sql "SELECT govledger.protect('$table', append_only => true);"
fi
sql 'SELECT sum(records) AS "records in the log" FROM govledger.entry;'
expect "$((rows + 1))" 'one for each row, and one that says what the table is like'

start_sealing

# ---------------------------------------------------------------- lawful work

# changed NAME: SQL that gives another value of the work column's type than NAME has.
changed() {
    case $column_type in
        numeric) echo "coalesce($1, 0) + 1" ;;
        integer | bigint) echo "coalesce($1, 0) # 1" ;;
        text) echo "coalesce($1, '') || '*'" ;;
        date) echo "coalesce($1, '2000-01-01') + 1" ;;
        timestamptz) echo "coalesce($1, '2000-01-01Z') + interval '1 hour'" ;;
        boolean) echo "NOT coalesce($1, false)" ;;
        uuid) echo 'gen_random_uuid()' ;;
    esac
}

# row_of ALIAS: the key of that row.
row_of() {
    local name names=()
    for name in "${keys[@]}"; do names+=("$1.$name"); done
    (IFS=,; echo "(${names[*]})")
}

# Some rows to work on, numbered by a column whose name no CSV file can have.
psql -X -q -v ON_ERROR_STOP=1 -c 'CREATE SCHEMA demo' \
    -c "CREATE TABLE demo.pick AS SELECT row_number() OVER () AS \"#\", * FROM (SELECT ${key:-$columns} FROM $table ${key:+ORDER BY $key} LIMIT 1000) AS p"
picks=$(quietly 'SELECT count(*) FROM demo.pick')

if [ -z "$key" ]; then
    work="INSERT INTO $table ($columns) SELECT $columns FROM demo.pick WHERE \"#\" = :pick;"
elif [ -n "$column" ]; then
    work="UPDATE $table AS r SET $column = $(changed "r.$column") FROM demo.pick AS p WHERE p.\"#\" = :pick AND $(row_of r) = $(row_of p);"
else
    # Nothing but key: each client takes rows of its own out and puts them in again.
    clerks=$((picks < clerks ? picks : clerks))
    work="\\set pick (:pick - 1) / $clerks * $clerks + :client_id + 1
\\set pick case when :pick > $picks then :client_id + 1 else :pick end
DELETE FROM $table AS r USING demo.pick AS p WHERE p.\"#\" = :pick AND $(row_of r) = $(row_of p);
INSERT INTO $table ($columns) SELECT $key FROM demo.pick WHERE \"#\" = :pick;"
fi
step "$clerks clients make $((clerks * transactions)) changes at the same time, and say who they are and why."
cat >"$tmp/work.pgbench" <<END
\\set pick random(1, $picks)
BEGIN;
SET LOCAL govledger.actor = 'clerk :client_id';
SET LOCAL govledger.reason = 'correction of row :pick';
$work
COMMIT;
END
show "$(cat "$tmp/work.pgbench")"
entries=$(quietly 'SELECT count(*) FROM govledger.entry')
shell "pgbench -n -c $clerks -j 2 -t $transactions -f work.pgbench"
pgbench -n -c "$clerks" -j 2 -t "$transactions" -f "$tmp/work.pgbench" --random-seed=1 >"$tmp/pgbench" 2>&1 || fail "$(cat "$tmp/pgbench")"
show "$(grep -E '^(number of transactions actually|latency average|tps)' "$tmp/pgbench")"
sql "SELECT count(*) - $entries AS \"new entries\" FROM govledger.entry;"
expect "$((clerks * transactions))" 'one entry for each transaction'

keep_and_check_checkpoint
verify_everything

# ---------------------------------------------------------------- tampering

# row NUMBER: SQL that is true for the picked row with that number, of the table as r.
row() {
    local name conditions=''
    for name in "${keys[@]}"; do
        conditions+="${conditions:+ AND }r.$name = $(quietly "SELECT quote_literal($name) FROM demo.pick WHERE \"#\" = $1")"
    done
    echo "$conditions"
}

# of NUMBER: what the work column of that row holds.
of() { quietly "SELECT format('%s', r.$column) FROM $table r WHERE $(row "$1")"; }

# What verify() must name, in a table: key (of pick) and the column with both its values, or no column.
psql -X -q -v ON_ERROR_STOP=1 -c 'CREATE TABLE demo.expected ("#" bigint, column_name text, logged text, found text)'
will_find() {
    psql -X -q -v ON_ERROR_STOP=1 -v n="$1" -v name="$2" -v logged="$3" -v found="$4" -f - \
        <<<"INSERT INTO demo.expected VALUES (:n, nullif(:'name', ''), nullif(:'logged', ''), nullif(:'found', ''))"
}

missing=$picks
if [ -z "$key" ]; then
    missing=''
elif [ -n "$column" ] && [ "$picks" -gt 1 ]; then
    step "A superuser changes one value behind the ledger's back."
    before=$(of 1)
    asleep "$table" "UPDATE $table AS r SET $column = $(changed "r.$column") WHERE $(row 1)"
    expect_match '(^|'$'\n'')UPDATE 1'
    will_find 1 "$column_name" "$before" "$(of 1)"

    # two other rows with different values, neither empty
    read -r a b <<<"$(quietly "WITH v AS (SELECT \"#\", r.$column AS value FROM $table r JOIN demo.pick p ON $(row_of r) = $(row_of p)
                                WHERE \"#\" > 1 AND \"#\" < $picks AND r.$column::text <> '')
        SELECT a.\"#\" || ' ' || b.\"#\" FROM v a, v b WHERE a.value <> b.value ORDER BY a.\"#\", b.\"#\" LIMIT 1")" || true
    if [ -n "${a:-}" ]; then
        step 'Two values are swapped, so that every count and every sum stays what it was.'
        value_a=$(of "$a") value_b=$(of "$b")
        asleep "$table" "UPDATE $table AS r SET $column = CASE WHEN $(row "$a") THEN q.b ELSE q.a END
  FROM (SELECT (SELECT $column FROM $table r WHERE $(row "$a")) AS a, (SELECT $column FROM $table r WHERE $(row "$b")) AS b) AS q
 WHERE $(row "$a") OR $(row "$b")"
        expect_match '(^|'$'\n'')UPDATE 2'
        will_find "$a" "$column_name" "$value_a" "$value_b"
        will_find "$b" "$column_name" "$value_b" "$value_a"
    fi
fi

step 'A row is deleted, with all triggers asleep.'
if [ -n "$missing" ]; then
    asleep "$table" "DELETE FROM $table AS r WHERE $(row "$missing")"
    will_find "$missing" '' '' ''
else
    asleep "$table" "DELETE FROM $table WHERE ctid = (SELECT min(ctid) FROM $table)"
fi
expect_match '(^|'$'\n'')DELETE 1'

step 'What verification says now: the key, the column, what the log says, what was found.'
sql "CREATE TABLE demo.said AS SELECT * FROM govledger.verify('$table');
SELECT detail, key, column_name, left(logged, 60) AS logged, left(found, 60) AS found FROM demo.said WHERE NOT ok;"
if [ -n "$missing" ]; then
    matches=''
    # a name made by infer_csv.py has neither quotes nor backslashes
    for i in "${!keys[@]}"; do
        matches+=" AND s.key ->> '${key_names[i]}' = p.${keys[i]}::text"
    done
    got=$(quietly "SELECT count(*) FILTER (WHERE NOT EXISTS (SELECT FROM demo.said s WHERE NOT ok $matches
                       AND (e.column_name IS NULL OR (s.column_name, s.logged, s.found) IS NOT DISTINCT FROM (e.column_name, e.logged, e.found))))
                   || ' ' || count(*) - (SELECT count(*) FROM demo.said WHERE NOT ok)
                     FROM demo.expected e JOIN demo.pick p USING (\"#\")")
    expect '0 0' "$(quietly 'SELECT count(*) FROM demo.expected') findings, each with its row"
else
    got=$(quietly "SELECT count(*) FROM demo.said WHERE NOT ok")
    expect 1
fi

tamper_with_log
forge_checkpoint
put_back_backup
