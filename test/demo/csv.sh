# shellcheck shell=bash
# The demo on somebody's own CSV file: $data. Nothing here knows what the file is about.

transactions=50 clerks=4

step "${data##*/} as it is: every column gets a type that keeps each of its values, and a key is looked for."
shell "infer_csv.py ${data##*/} rows.copy"
plan=$("$python" "$here/infer_csv.py" "$data" "$tmp/rows.copy" 2>"$tmp/err") || fail "$(sed "s|^$tmp/||" "$tmp/err")"
table='' create_table='' columns='' key='' rows='' column='' column_type=''
eval "$plan"
say
sql "$create_table;"
shell "psql -c '\\copy $table FROM rows.copy'"
psql -X -q -v ON_ERROR_STOP=1 -c "\\copy $table ($columns) FROM '$tmp/rows.copy'" 2>"$tmp/err" || fail "$(cat "$tmp/err")"
say
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
indent <"$tmp/work.pgbench"
say
entries=$(quietly 'SELECT count(*) FROM govledger.entry')
shell "pgbench -n -c $clerks -j 2 -t $transactions -f work.pgbench"
pgbench -n -c "$clerks" -j 2 -t "$transactions" -f "$tmp/work.pgbench" --random-seed=1 >"$tmp/pgbench" 2>&1 || fail "$(cat "$tmp/pgbench")"
grep -E '^(number of transactions actually|latency average|tps)' "$tmp/pgbench" | indent
say
sql "SELECT count(*) - $entries AS \"new entries\" FROM govledger.entry;"
expect "$((clerks * transactions))" 'one entry for each transaction'

keep_and_check_checkpoint
verify_everything

# ---------------------------------------------------------------- tampering

# asleep SQL: what a superuser does with all triggers asleep.
asleep() {
    sql "BEGIN;
ALTER TABLE $table DISABLE TRIGGER ALL;
$1;
ALTER TABLE $table ENABLE TRIGGER ALL;
ALTER TABLE $table ENABLE ALWAYS TRIGGER \"!govledger\";
COMMIT;"
}

# row NUMBER: SQL that is true for the picked row with that number, of the table as r.
row() {
    local name conditions=() value
    for name in "${keys[@]}"; do
        value=$(quietly "SELECT quote_literal($name) FROM demo.pick WHERE \"#\" = $1")
        conditions+=("r.$name = $value")
    done
    (IFS='&'; echo "${conditions[*]}") | sed 's/&r\./ AND r./g'
}

# change NUMBER SQL: run it asleep and note what verify must say of the work column in that row.
change() {
    local n=$1 where
}

if [ -n "$key" ] && [ -n "$column" ]; then
    :
fi
