# shellcheck shell=bash
# shellcheck source=lib.sh disable=SC2154
# The main demo: a land registry, its clerks, and a DBA who is paid to move a title.

seed=${DEMO_SEED:-govledger-1} owners=8000 parcels=12000 transactions=500 clerks=4

step "A land registry as it may stand today: $parcels parcels made from the seed \"$seed\", and no ledger."
shell "psql -v seed='$seed' -v owners=$owners -v parcels=$parcels -f registry.sql"
psql -X -q -v ON_ERROR_STOP=1 -v seed="$seed" -v owners="$owners" -v parcels="$parcels" -f "$here/registry.sql"
sql "SELECT (SELECT count(*) FROM land.owner) AS owners, (SELECT count(*) FROM land.parcel) AS parcels,
       (SELECT count(*) FROM land.transfer) AS transfers, (SELECT count(*) FROM land.mortgage) AS mortgages;"
transfers=$(quietly 'SELECT count(*) FROM land.transfer')
[ "$transfers" -ge 10000 ] || fail "only $transfers transfers"
expect "$owners|$parcels|$transfers|$((parcels / 4))"

set_up_ledger land.example/registry

step 'The tables come under the ledger, rows and all; what names a living person is kept apart, so that it can be erased.'
sql "SELECT govledger.protect('land.owner', personal => '{full_name,national_id,born,address}');
SELECT govledger.protect('land.parcel');
SELECT govledger.protect('land.transfer', append_only => true);
SELECT govledger.protect('land.mortgage');"
sql 'SELECT sum(records) AS "records in the log" FROM govledger.entry;'
# one record for every row, and one schema record for each table
expect "$((owners + parcels + transfers + parcels / 4 + 4))"

start_sealing

step "$clerks clerks register $((clerks * transactions)) sales at the same time. Their program is the old one; it only adds who they are, and why."
show "$(cat "$here/transfer.pgbench")"
discharged=$(quietly 'SELECT count(*) FROM land.mortgage WHERE discharged_on IS NOT NULL')
records=$(quietly 'SELECT sum(records) FROM govledger.entry')
entries=$(quietly 'SELECT count(*) FROM govledger.entry')
shell "pgbench -n -c $clerks -j 2 -t $transactions -D owners=$owners -D sheets=$parcels -f transfer.pgbench"
pgbench -n -c "$clerks" -j 2 -t "$transactions" -D owners="$owners" -D sheets="$parcels" -f "$here/transfer.pgbench" \
    --random-seed=1 >"$tmp/pgbench" 2>&1 || fail "$(cat "$tmp/pgbench")"
show "$(grep -E '^(number of transactions actually|latency average|tps)' "$tmp/pgbench")"
discharged=$(($(quietly 'SELECT count(*) FROM land.mortgage WHERE discharged_on IS NOT NULL') - discharged))
sql "SELECT count(*) - $entries AS \"new entries\", sum(records) - $records AS \"new records\" FROM govledger.entry;"
expect "$((clerks * transactions))|$((2 * clerks * transactions + discharged))" \
    "one entry for each transaction; a transfer and a title each, and $discharged mortgages paid off"

step 'A sale that is called off leaves nothing behind.'
sql "BEGIN;
SELECT land.transfer_title('FEN-000-01', 1, 1000);
ROLLBACK;"
sql "SELECT count(*) - $entries AS \"new entries\" FROM govledger.entry;"
expect "$((clerks * transactions))"

step 'What is registered cannot be taken back: transfers are append-only, for everybody.'
refused "DELETE FROM land.transfer WHERE transfer_id = 1;"
expect_match 'append.only'

keep_and_check_checkpoint
verify_everything

# ---------------------------------------------------------------- the crime

victim=$(quietly "SELECT parcel_id FROM land.parcel WHERE land_use = 'dwelling' ORDER BY assessed_value DESC, parcel_id LIMIT 1")
owner=$(quietly "SELECT owner_id FROM land.parcel WHERE parcel_id = '$victim'")
thief=$(quietly "SELECT min(owner_id) FROM land.owner WHERE kind = 'company' AND owner_id <> $owner")
step "A superuser switches the triggers off, moves the title of $victim from owner $owner to owner $thief, and switches them on again."
asleep land.parcel "UPDATE land.parcel SET owner_id = $thief WHERE parcel_id = '$victim'"
findings "'land.parcel'"
expect "land.parcel|{\"parcel_id\": \"$victim\"}|owner_id|$owner|$thief" 'the parcel, its true owner, and who is written there now'

read -r first second <<<"$(quietly "SELECT string_agg(parcel_id, ' ' ORDER BY parcel_id) FROM (SELECT parcel_id FROM land.parcel WHERE parcel_id <> '$victim' ORDER BY parcel_id LIMIT 2) AS two")"
value_1=$(quietly "SELECT assessed_value FROM land.parcel WHERE parcel_id = '$first'")
value_2=$(quietly "SELECT assessed_value FROM land.parcel WHERE parcel_id = '$second'")
step 'A cleverer edit: two assessed values are swapped, so that every count and every sum stays what it was.'
total=$(quietly 'SELECT sum(assessed_value) FROM land.parcel')
asleep land.parcel "UPDATE land.parcel p SET assessed_value = q.assessed_value
  FROM land.parcel q
 WHERE (p.parcel_id, q.parcel_id) IN (('$first', '$second'), ('$second', '$first'))"
sql 'SELECT count(*), sum(assessed_value) FROM land.parcel;'
expect "$parcels|$total"

mortgage=$(quietly 'SELECT mortgage_id FROM land.mortgage WHERE discharged_on IS NULL ORDER BY principal DESC, mortgage_id LIMIT 1')
debt=$(quietly "SELECT format('mortgage_id: %s, parcel_id: %s, lender: %s, principal: %s, rate: %s, signed_on: %s', mortgage_id, parcel_id, lender, principal, rate, signed_on)
                  FROM land.mortgage WHERE mortgage_id = $mortgage")
step "A debt disappears: mortgage $mortgage is deleted, with all triggers asleep."
asleep land.mortgage "DELETE FROM land.mortgage WHERE mortgage_id = $mortgage"
expect_match 'DELETE 1'

covered=$(quietly "SELECT mortgage_id FROM land.mortgage WHERE discharged_on IS NULL AND mortgage_id <> $mortgage ORDER BY principal DESC, mortgage_id LIMIT 1")
principal=$(quietly "SELECT principal FROM land.mortgage WHERE mortgage_id = $covered")
step "Another is made small, and the bank's own program, lawfully, writes the row again the next day."
asleep land.mortgage "UPDATE land.mortgage SET principal = 1000 WHERE mortgage_id = $covered"
sql "UPDATE land.mortgage SET rate = rate + 0.250 WHERE mortgage_id = $covered;"
expect_match 'UPDATE 1'

step 'What verification says now, row by row: table, key, column, what the log says, what was found.'
findings
expect "$(sort <<END
land.mortgage|{"mortgage_id": $covered}|principal|$principal|1000.00
land.mortgage|{"mortgage_id": $mortgage}|∅|$debt|∅
land.parcel|{"parcel_id": "$first"}|assessed_value|$value_1|$value_2
land.parcel|{"parcel_id": "$second"}|assessed_value|$value_2|$value_1
land.parcel|{"parcel_id": "$victim"}|owner_id|$owner|$thief
END
)"

step 'A trigger that is left switched off is named as well.'
sql "SET govledger.guards = off;
ALTER TABLE land.owner DISABLE TRIGGER \"!govledger\";"
sql "SELECT check_name, object, detail FROM govledger.verify('land.owner') WHERE NOT ok;"
expect_match '(^|'$'\n'')[^|]*\|[^|]*land.owner[^|]*\|[^|]*disabled'
sql "ALTER TABLE land.owner ENABLE ALWAYS TRIGGER \"!govledger\";"

tamper_with_log
forge_checkpoint
put_back_backup
