-- A history follows the schema of its table.
SET client_min_messages = warning;
SET govledger.guards = off;
CREATE SCHEMA history_schema;
SET search_path = history_schema;
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE TABLE t (id smallint PRIMARY KEY, a text, b varchar(10), c integer, m mood);
INSERT INTO t VALUES (1, 'one', 'eins', 1, 'a');
SELECT govledger.protect('t');
CREATE VIEW columns AS SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute
 WHERE attrelid = 't_history'::regclass AND attnum > 0 AND NOT attisdropped AND attname NOT LIKE 'ledger\_%' ORDER BY attnum;
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT tree_size AS s0 FROM govledger.history_status WHERE history = 't_history'::regclass \gset
ALTER TABLE t ADD COLUMN d date;
ALTER TABLE t RENAME COLUMN a TO title;
ALTER TABLE t ALTER COLUMN b TYPE varchar(20);
INSERT INTO t VALUES (2, 'two', 'zwei ist laenger', 2, 'b', '2026-01-01');
TABLE columns;
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT tree_size AS s1 FROM govledger.history_status WHERE history = 't_history'::regclass \gset
-- names that come again: the old column makes room
ALTER TABLE t DROP COLUMN c;
ALTER TABLE t DROP COLUMN d, ADD COLUMN d text;
ALTER TABLE t ADD COLUMN c text;
ALTER TABLE t RENAME COLUMN title TO ledger_user;
UPDATE t SET d = 'again', c = 'new', ledger_user = 'TWO' WHERE id = 2;
TABLE columns;
SELECT attname FROM pg_attribute WHERE attrelid = 't_history'::regclass AND attname LIKE 'ledger_user%' ORDER BY 1;
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT * FROM govledger.as_of(NULL::t, :s0) ORDER BY id;
SELECT * FROM govledger.as_of(NULL::t, :s1) ORDER BY id;
SELECT * FROM govledger.as_of(NULL::t, 'infinity'::timestamptz) ORDER BY id;
SELECT id, b, c, c_1, d, d_1, m, ledger_operation FROM t_history ORDER BY ledger_entry, ledger_record;
ALTER TABLE t RENAME COLUMN ledger_user TO title;
-- types by name: a renamed one, a renamed table, another schema
ALTER TYPE mood RENAME TO humour;
ALTER TABLE t RENAME TO u;
CREATE SCHEMA history_schema_2;
ALTER TABLE u SET SCHEMA history_schema_2;
ALTER SCHEMA history_schema_2 RENAME TO history_schema_3;
INSERT INTO history_schema_3.u VALUES (3, 'three', NULL, 'b');
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT * FROM govledger.as_of(NULL::history_schema_3.u, 'infinity'::timestamptz) ORDER BY id;
SELECT * FROM history_schema_3.u ORDER BY id;
-- a type that goes takes the column along
DROP TYPE humour CASCADE;
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT * FROM govledger.as_of(NULL::history_schema_3.u, 'infinity'::timestamptz) ORDER BY id;
SELECT id, m FROM t_history ORDER BY ledger_entry, ledger_record;
-- a change of type: what keeps its text keeps its place, what does not gets a new one
CREATE TABLE w (id smallint PRIMARY KEY, n integer, price numeric(8,2), code text);
SELECT govledger.protect('w');
INSERT INTO w VALUES (1, 10, 1.50, '007'), (2, 20, 2.50, '8');
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT tree_size AS w0 FROM govledger.history_status WHERE history = 'w_history'::regclass \gset
ALTER TABLE w ALTER COLUMN id TYPE bigint, ALTER COLUMN n TYPE numeric, ALTER COLUMN code TYPE integer USING code::integer;
INSERT INTO w VALUES (10000000000, 30.5, 3, 9);
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'w_history'::regclass AND attnum > 0 AND attname NOT LIKE 'ledger%' ORDER BY attnum;
SELECT * FROM govledger.as_of(NULL::w, :w0) ORDER BY id;
SELECT * FROM govledger.as_of(NULL::w, 'infinity'::timestamptz) ORDER BY id;
SELECT id, n, price, code, code_1 FROM w_history ORDER BY ledger_entry, ledger_record;
-- a value of old that the type of now cannot hold is an error, not another value
ALTER TABLE w ALTER COLUMN code TYPE text;
INSERT INTO w VALUES (5, 1, 1, 'longer');
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT tree_size AS w1 FROM govledger.history_status WHERE history = 'w_history'::regclass \gset
DELETE FROM w WHERE id > 3;
ALTER TABLE w ALTER COLUMN code TYPE varchar(3);
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT code FROM govledger.as_of(NULL::w, 'infinity'::timestamptz) ORDER BY id;
SELECT code FROM govledger.as_of(NULL::w, :w1) ORDER BY id;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'w_history'::regclass AND attname LIKE 'code%' ORDER BY attnum;
-- anew from the log, also where the history is gone, with the types of long ago
SELECT id, n, price, code, code_2, ledger_operation INTO before FROM w_history;
SELECT govledger.rebuild('w');
SELECT count(*) FROM (TABLE before EXCEPT ALL SELECT id, n, price, code, code_2, ledger_operation FROM w_history) x;
DROP TABLE w_history CASCADE;
SELECT object, detail FROM govledger.verify('w') WHERE check_name = 'history' AND NOT ok;
SELECT govledger.rebuild('w');
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'w_history'::regclass AND attnum > 0 AND attname NOT LIKE 'ledger%' ORDER BY attnum;
SELECT * FROM govledger.as_of(NULL::w, :w0) ORDER BY id;
INSERT INTO w VALUES (6, 6, 6, 'six');
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT * FROM govledger.as_of(NULL::w, 'infinity'::timestamptz) ORDER BY id;
-- personal values; those that are gone are NULL when it is filled anew, and the row of such a key does not come back
CREATE TABLE person (id text PRIMARY KEY, name text, born date);
SELECT govledger.protect('person', personal => '{id,name}');
INSERT INTO person VALUES ('x1', 'Ada', '1815-12-10'), ('x2', NULL, NULL);
UPDATE person SET name = 'Ada L.' WHERE id = 'x1';
UPDATE person SET id = 'x3' WHERE id = 'x2';
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT id, name, born, ledger_operation FROM person_history ORDER BY ledger_entry, ledger_record, ledger_operation;
SELECT * FROM govledger.as_of(NULL::person, 'infinity'::timestamptz) ORDER BY id;
SELECT object, ok FROM govledger.verify() WHERE object LIKE 'history_schema.%' AND check_name = 'history' ORDER BY 1;
BEGIN;
DELETE FROM govledger.personal WHERE (generation, transaction_id) IN (SELECT 1, transaction_id FROM govledger.entry e ORDER BY "position" DESC LIMIT 3);
SELECT govledger.rebuild('person');
SELECT id, name, born, ledger_operation FROM person_history ORDER BY ledger_entry, ledger_record, ledger_operation;
SELECT * FROM govledger.as_of(NULL::person, 'infinity'::timestamptz) ORDER BY id;
ROLLBACK;
-- what DDL takes away, under another key or without one, has the types from before the command
CREATE TABLE moved (id integer PRIMARY KEY, v text);
CREATE TABLE keyless (id integer, v text);
CREATE TABLE seen (id text PRIMARY KEY, who name DEFAULT current_user, v text);
CREATE TABLE keyless_seen (id integer, who name DEFAULT current_user, v text);
INSERT INTO moved VALUES (1, 'a'), (2, 'b');
INSERT INTO keyless VALUES (1, 'a'), (2, 'bb'), (2, 'bb'), (3, '4');
INSERT INTO seen VALUES ('1', DEFAULT, 'a'), ('2', DEFAULT, 'b'), ('3', 'stranger', 'c');
INSERT INTO keyless_seen VALUES (1, DEFAULT, 'a'), (2, 'stranger', 'b');
ALTER TABLE seen ENABLE ROW LEVEL SECURITY; ALTER TABLE seen FORCE ROW LEVEL SECURITY;
ALTER TABLE keyless_seen ENABLE ROW LEVEL SECURITY; ALTER TABLE keyless_seen FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON seen USING (who = current_user);
CREATE POLICY own ON keyless_seen USING (who = current_user);
SELECT govledger.protect('moved'), govledger.protect('keyless', append_only => true), govledger.protect('seen'), govledger.protect('keyless_seen', append_only => true);
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT tree_size AS before FROM govledger.history_status WHERE history = 'moved_history'::regclass \gset
ALTER TABLE moved ALTER id TYPE timestamptz USING to_timestamp(id);
ALTER TABLE keyless ALTER v TYPE integer USING CASE v WHEN '4' THEN 4 ELSE length(v) END;
INSERT INTO keyless VALUES (1, 1);
ALTER TABLE seen ALTER id TYPE integer USING id::integer;
ALTER TABLE keyless_seen ADD COLUMN extra jsonb DEFAULT '{}';
UPDATE seen SET v = 'aa' WHERE id = 1;
-- the first command behind a change of type that changed no value takes a row away
BEGIN; ALTER TABLE seen ALTER id TYPE text USING id::text; ALTER TABLE seen ALTER id TYPE integer USING id::integer; DELETE FROM seen WHERE id = 2; COMMIT;
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT table_name, behind, error FROM govledger.history_status WHERE table_name IN ('moved', 'keyless', 'seen', 'keyless_seen') ORDER BY 1;
SELECT id_1, id AT TIME ZONE 'UTC' AS id, v, ledger_operation FROM moved_history ORDER BY ledger_entry, ledger_record;
SELECT id AT TIME ZONE 'UTC' AS id, v FROM govledger.as_of(NULL::moved, 'infinity'::timestamptz) ORDER BY id;
SELECT * FROM govledger.as_of(NULL::keyless, 'infinity'::timestamptz) ORDER BY id, v;
SELECT count(*) FROM govledger.as_of(NULL::keyless, :before);
SELECT id, v FROM govledger.as_of(NULL::seen, 'infinity'::timestamptz) ORDER BY id;
SELECT id, v FROM govledger.as_of(NULL::seen, :before) ORDER BY id;
SELECT id, v, extra FROM govledger.as_of(NULL::keyless_seen, 'infinity'::timestamptz) ORDER BY id;
CREATE ROLE history_schema_reader;
GRANT USAGE ON SCHEMA history_schema TO history_schema_reader;
GRANT SELECT ON seen_history, keyless_seen_history, seen, keyless_seen TO history_schema_reader;
UPDATE seen SET who = 'history_schema_reader' WHERE id = 3;
SELECT govledger.seal(), govledger.wait_history('30 s');
SET ROLE history_schema_reader;
SELECT id, v FROM govledger.as_of(NULL::seen, 'infinity'::timestamptz) ORDER BY id;
SELECT id, v FROM govledger.as_of(NULL::seen, :before) ORDER BY id;
SELECT id, v FROM govledger.as_of(NULL::keyless_seen, 'infinity'::timestamptz) ORDER BY id;
RESET ROLE;
SELECT govledger.rebuild(t) > 0 AS rebuilt, (SELECT count(*) FROM govledger.verify(t) WHERE NOT ok) AS findings FROM unnest('{moved,keyless,seen,keyless_seen}'::regclass[]) t;
SELECT govledger.unprotect(t, 'end of test') FROM unnest('{moved,keyless,seen,keyless_seen}'::regclass[]) t;
REVOKE ALL ON ALL TABLES IN SCHEMA history_schema FROM history_schema_reader;
REVOKE ALL ON SCHEMA history_schema FROM history_schema_reader;
DROP ROLE history_schema_reader;
-- what a superuser does to a history is found and named
UPDATE w_history SET price = 99 WHERE id = 1;
DELETE FROM w_history WHERE id = 2;
INSERT INTO w_history (id, ledger_operation, ledger_entry, ledger_record) VALUES (77, 'insert', 1, 1);
SELECT object, detail, key, column_name, logged, found FROM govledger.verify('w') WHERE check_name = 'history' AND NOT ok ORDER BY key::text, detail, column_name;
SELECT govledger.rebuild('w');
SELECT count(*) FROM govledger.verify('w') WHERE check_name = 'history' AND NOT ok;
-- a history that is said to be filled less far does not hide what was done to the rest
BEGIN; UPDATE w_history SET price = 98 WHERE id = 1; UPDATE govledger.history_state SET projected = 0;
INSERT INTO govledger.history_progress (table_id, projected, ended) SELECT table_id, 0, false FROM govledger.history_table WHERE history = 'w_history'::regclass
  ON CONFLICT (table_id) DO UPDATE SET projected = 0;
SELECT object, count(*) > 0 AS found, min(detail) AS detail FROM govledger.verify('w') WHERE check_name = 'history' AND NOT ok GROUP BY 1; ROLLBACK;
BEGIN; CREATE TABLE more () INHERITS (w_history);
SELECT object, detail FROM govledger.verify('w') WHERE check_name = 'history' AND NOT ok; ROLLBACK;
BEGIN; CREATE OR REPLACE FUNCTION govledger.as_of(w, bigint) RETURNS SETOF w LANGUAGE sql STABLE AS 'TABLE history_schema.w';
SELECT object, detail FROM govledger.verify('w') WHERE check_name = 'function' AND NOT ok; ROLLBACK;
-- an error of one history is its own
ALTER TABLE w_history DROP COLUMN ledger_reason CASCADE;
INSERT INTO w VALUES (8, 8, 8, 'x');
INSERT INTO history_schema_3.u (id) VALUES (8);
\set VERBOSITY terse
SELECT govledger.seal(), govledger.wait_history('30 s');
\set VERBOSITY default
SELECT table_name, error FROM govledger.history_status WHERE schema_name LIKE 'history\_schema%' AND table_name IN ('w', 'u') ORDER BY 1;
DO $$ BEGIN FOR i IN 1 .. 300 LOOP EXIT WHEN (SELECT behind = 0 FROM govledger.history_status WHERE history = 't_history'::regclass); PERFORM pg_sleep(0.1); END LOOP; END $$;
SELECT id FROM t_history ORDER BY ledger_entry DESC LIMIT 1;
DROP TABLE w_history CASCADE;
SELECT govledger.rebuild('w') > 0;
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT behind, error FROM govledger.history_status WHERE table_name = 'w';
SELECT govledger.unprotect(t, 'end of test') FROM unnest('{history_schema_3.u,w,person}'::regclass[]) t;
DROP SCHEMA history_schema, history_schema_3 CASCADE;
