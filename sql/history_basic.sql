-- The history of a ledger table, and as_of: what is filled, how it is found, what is refused.
SET client_min_messages = warning;
CREATE SCHEMA history_basic;
SET search_path = history_basic;
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE parcel (id positive PRIMARY KEY, owner varchar(20), area numeric(10,2), m mood, tags text[], at timestamptz, ledger_time text, raw bytea);
INSERT INTO parcel VALUES (1, 'Ada', 1.50, 'glad', '{a,b}', '2026-01-01 00:00:00+02', 'mine', '\x00ff');
INSERT INTO parcel VALUES (2, 'Bob', 2, 'sad');
SELECT govledger.protect('parcel');
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'parcel_history'::regclass AND attnum > 0 ORDER BY attnum;
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'parcel_history'::regclass ORDER BY 1;
SELECT relowner::regrole, relacl FROM pg_class WHERE oid = 'parcel_history'::regclass;
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT tree_size AS start FROM govledger.history_status WHERE history = 'parcel_history'::regclass \gset
BEGIN; SET LOCAL govledger.actor = 'clerk 7'; SET LOCAL govledger.reason = 'deed 4711';
UPDATE parcel SET owner = 'Cora', m = 'sad' WHERE id = 1; COMMIT;
DELETE FROM parcel WHERE id = 2;
INSERT INTO parcel (id, owner) VALUES (3, 'Dora');
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT tree_size AS middle FROM govledger.history_status WHERE history = 'parcel_history'::regclass \gset
UPDATE parcel SET id = 30 WHERE id = 3;
INSERT INTO parcel (id, owner) VALUES (2, 'Bob again');
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT tree_size AS last FROM govledger.history_status WHERE history = 'parcel_history'::regclass \gset
SELECT id, owner, area, m, tags, ledger_time_1, raw, ledger_operation, ledger_record, ledger_relation, ledger_user = current_user AS me, ledger_actor, ledger_reason
  FROM parcel_history ORDER BY ledger_entry, ledger_record, ledger_operation;
SELECT h.ledger_operation, h.ledger_time = e.entry_time AS time FROM parcel_history h, govledger.leaf l, govledger.entry e
 WHERE h.ledger_entry BETWEEN l.first_leaf AND l.first_leaf + cardinality(l.transaction_ids) - 1 AND e.generation = l.generation
   AND e.transaction_id = l.transaction_ids[1 + h.ledger_entry - l.first_leaf] ORDER BY h.ledger_entry, h.ledger_record, h.ledger_operation;
-- by tree size, and by time
SELECT id, owner, area, m, tags, at, ledger_time, raw FROM govledger.as_of(NULL::parcel, :start) ORDER BY id;
SELECT id, owner, m FROM govledger.as_of(NULL::parcel, :middle) ORDER BY id;
SELECT id, owner, m FROM govledger.as_of(NULL::parcel, :last) ORDER BY id;
SELECT count(*) FROM (TABLE parcel EXCEPT SELECT * FROM govledger.as_of(NULL::parcel, now())) x;
SELECT id, owner FROM govledger.as_of(NULL::parcel, (SELECT sealed_at FROM govledger.seal WHERE tree_size = :middle)) ORDER BY id;
-- between two seals the first one counts
SELECT id, owner FROM govledger.as_of(NULL::parcel, (SELECT sealed_at + interval '1 microsecond' FROM govledger.seal WHERE tree_size = :middle)) ORDER BY id;
SELECT id, owner FROM govledger.as_of(NULL::parcel, 'infinity'::timestamptz) ORDER BY id;
-- what cannot be known is an error
\set VERBOSITY terse
SELECT count(*) FROM govledger.as_of(NULL::parcel, 0) WHERE id = 1;
DO $$ BEGIN PERFORM govledger.as_of(NULL::parcel, 1000000000); EXCEPTION WHEN OTHERS THEN RAISE WARNING '% %', SQLSTATE, regexp_replace(SQLERRM, '\d+ leaves', 'N leaves'); END $$;
DO $$ BEGIN PERFORM govledger.as_of(NULL::parcel, -1); EXCEPTION WHEN OTHERS THEN RAISE WARNING '% %', SQLSTATE, regexp_replace(SQLERRM, '\d+ leaves', 'N leaves'); END $$;
SELECT count(*) = 0 FROM govledger.as_of(NULL::parcel, '-infinity'::timestamptz);
\set VERBOSITY default
CREATE TABLE plain (id integer);
SELECT * FROM govledger.as_of(NULL::plain, now());
SELECT * FROM govledger.as_of(1, now());
SELECT * FROM govledger.as_of('x'::text, 7);
-- a condition on the key reaches the index; so does the history of one key
SET enable_seqscan = off; SET enable_bitmapscan = off;
CREATE TABLE many (id bigint PRIMARY KEY, v text);
SELECT govledger.protect('many');
INSERT INTO many SELECT g, 'x' FROM generate_series(1, 1000) g;
SELECT govledger.seal(), govledger.wait_history('30 s');
ANALYZE many_history;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
	IF line ~ 'Scan|Cond' THEN RETURN NEXT regexp_replace(trim(line), '\$\d', '$N', 'g'); END IF; END LOOP; END $$;
SELECT plan_of('SELECT * FROM govledger.as_of(NULL::many, now()) WHERE id = 17');
SELECT plan_of('SELECT * FROM many_history WHERE id = 17 ORDER BY ledger_entry DESC');
SELECT plan_of('SELECT * FROM many_history WHERE ledger_entry >= 7 AND ledger_operation IN (''truncate'', ''removed'')');
RESET enable_seqscan; RESET enable_bitmapscan;
SELECT * FROM govledger.as_of(NULL::many, now()) WHERE id = 17;
-- names
CREATE TABLE taken (id integer PRIMARY KEY);
CREATE VIEW taken_history AS SELECT 1;
SELECT govledger.protect('taken');
SELECT govledger.protect('taken', history_name => '');
SELECT govledger.protect('taken', history_name => 'past', history => false);
SELECT govledger.protect('taken', history_name => 'Past of "taken"');
INSERT INTO taken VALUES (5);
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT id, ledger_operation FROM "Past of ""taken""";
CREATE TABLE a23456789012345678901234567890123456789012345678901234567890 (id integer PRIMARY KEY);
SELECT govledger.protect('a23456789012345678901234567890123456789012345678901234567890');
SELECT govledger.protect('a23456789012345678901234567890123456789012345678901234567890', history => false);
SELECT * FROM govledger.as_of(NULL::a23456789012345678901234567890123456789012345678901234567890, now());
SELECT govledger.rebuild('a23456789012345678901234567890123456789012345678901234567890');
-- no key
CREATE TABLE entries (what text, n integer);
SELECT govledger.protect('entries', append_only => true);
INSERT INTO entries VALUES ('a', 1), ('a', 1), (NULL, 2);
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT * FROM govledger.as_of(NULL::entries, now()) ORDER BY n;
-- rights: as_of needs those on the history, and nobody writes there
CREATE ROLE history_basic_reader;
CREATE ROLE history_basic_admin IN ROLE govledger_admin;
GRANT USAGE ON SCHEMA history_basic TO history_basic_reader, history_basic_admin;
GRANT SELECT ON many TO history_basic_reader;
SET ROLE history_basic_reader;
SELECT * FROM govledger.as_of(NULL::many, now()) WHERE id = 17;
RESET ROLE;
GRANT SELECT (id, ledger_operation, ledger_entry, ledger_command, ledger_record, ledger_relation) ON many_history TO history_basic_reader;
SET ROLE history_basic_reader;
-- as_of gives whole rows
SELECT id FROM govledger.as_of(NULL::many, now()) WHERE id = 17;
SELECT DISTINCT ON (id) id, ledger_operation FROM many_history WHERE id = 17 ORDER BY id, ledger_entry DESC;
SELECT id, v FROM govledger.as_of(NULL::many, now()) WHERE id = 17;
SET ROLE history_basic_admin;
SELECT * FROM govledger.as_of(NULL::many, now()) WHERE id = 17;
UPDATE many_history SET v = 'y';
DELETE FROM many_history;
INSERT INTO many_history DEFAULT VALUES;
TRUNCATE many_history;
-- nobody but the owner of the log can hang anything on a history, where it would be run with his rights
CREATE INDEX ON many_history (upper(v));
RESET ROLE;
-- and what a superuser hangs on it does not stop us
CREATE INDEX ON many_history (upper(v));
CREATE UNIQUE INDEX ON many_history (id) WHERE v = 'unique';
INSERT INTO many VALUES (2000, 'unique');
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT * FROM govledger.verify('many') WHERE NOT ok;
CREATE FUNCTION history_basic.told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER told BEFORE TRUNCATE ON many_history FOR EACH STATEMENT EXECUTE FUNCTION history_basic.told();
SELECT govledger.rebuild('many');
DROP TRIGGER told ON many_history;
SELECT govledger.rebuild('many');
-- the end: the history stays, as_of goes
SELECT govledger.unprotect('many', 'done');
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT ended, error FROM govledger.history_status WHERE history = 'many_history'::regclass;
SELECT * FROM govledger.as_of(NULL::many, now());
SELECT count(*) FROM many_history;
-- protected again: another history, whose name has a number
SELECT govledger.protect('many');
SELECT history FROM govledger.history_status WHERE table_name = 'many' ORDER BY history::text;
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT count(*) FROM govledger.as_of(NULL::many, now());
SELECT check_name, object, ok FROM govledger.verify() WHERE object LIKE 'history_basic.%' AND check_name = 'history' OR NOT ok ORDER BY 2;
DROP OWNED BY history_basic_reader, history_basic_admin CASCADE;
DROP ROLE history_basic_reader, history_basic_admin;
SELECT govledger.unprotect(t, 'end of test') FROM unnest('{parcel,many,taken,entries,a23456789012345678901234567890123456789012345678901234567890}'::regclass[]) t;
DROP SCHEMA history_basic CASCADE;
