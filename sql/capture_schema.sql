-- DDL on ledger tables: what can be followed is recorded, the rest refused.
SET client_min_messages = warning;
CREATE SCHEMA capture_schema;
SET search_path = capture_schema;
CREATE TABLE t (id int PRIMARY KEY, a text, b varchar(10), c int);
INSERT INTO t VALUES (1, 'one', 'eins', 1);
SELECT govledger.protect('t');
CREATE VIEW columns AS SELECT column_id, column_name, type_name, dropped FROM govledger.ledger_column
 WHERE table_id = (SELECT max(table_id) FROM govledger.ledger_table) ORDER BY column_id;
-- followed
SELECT pg_current_wal_insert_lsn() AS start \gset
ALTER TABLE t ADD COLUMN d date;
INSERT INTO t VALUES (2, 'two', 'zwei', 2, '2026-01-01');
ALTER TABLE t RENAME COLUMN a TO title;
ALTER TABLE t DROP COLUMN c;
ALTER TABLE t DROP COLUMN d, ADD COLUMN d text;
ALTER TABLE t ALTER COLUMN b TYPE varchar(20);
UPDATE t SET d = 'again' WHERE id = 2;
ALTER TABLE t RENAME TO u;
CREATE SCHEMA capture_schema_2;
ALTER TABLE u SET SCHEMA capture_schema_2;
ALTER SCHEMA capture_schema_2 RENAME TO capture_schema_3;
UPDATE capture_schema_3.u SET title = 'TWO' WHERE id = 2;
SELECT * FROM columns;
SELECT r.kind, r.relation, r.image, r.changes FROM govledger.entry e, govledger.entry_records(e.transaction_id) r
 WHERE e.position >= :'start' ORDER BY e.position, r.record;
-- DDL that changes nothing that is recorded leaves nothing
SELECT pg_current_wal_insert_lsn() AS start \gset
CREATE INDEX ON capture_schema_3.u (title);
ALTER TABLE capture_schema_3.u ADD CHECK (id > 0), ALTER COLUMN title SET DEFAULT 'x';
COMMENT ON TABLE capture_schema_3.u IS 'x';
CLUSTER capture_schema_3.u USING t_pkey;
VACUUM FULL capture_schema_3.u;
SELECT count(*) FROM govledger.entry WHERE position >= :'start';
-- refused
ALTER TABLE capture_schema_3.u ADD COLUMN e regclass;
ALTER TABLE capture_schema_3.u DROP COLUMN id;
ALTER TABLE capture_schema_3.u SET UNLOGGED;
SELECT * FROM columns;
-- a column that goes with its type
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE TYPE pair AS (x mood, y int);
CREATE DOMAIN moods AS mood[];
CREATE TABLE typed (id int PRIMARY KEY DEFERRABLE, m mood, p pair, ms moods);
INSERT INTO typed VALUES (1, 'a', ('b', 1), '{a,b}');
SELECT govledger.protect('typed');
ALTER TYPE mood RENAME TO humour;
DROP TYPE humour CASCADE;
DELETE FROM typed;
SELECT kind, image FROM (SELECT * FROM govledger.entry ORDER BY position DESC LIMIT 1) e, govledger.entry_records(e.transaction_id) ORDER BY record;
SELECT column_name, type_name, dropped FROM columns;
SELECT govledger.unprotect('typed', 'end of test');
-- with the event triggers off, capture notices, and record_schema catches up
SET govledger.guards = off;
ALTER EVENT TRIGGER govledger_ddl_command_end DISABLE;
ALTER TABLE capture_schema_3.u ADD COLUMN f int;
ALTER EVENT TRIGGER govledger_ddl_command_end ENABLE ALWAYS;
RESET govledger.guards;
INSERT INTO capture_schema_3.u (id, f) VALUES (3, 3);
SELECT govledger.record_schema('capture_schema_3.u');
INSERT INTO capture_schema_3.u (id, f) VALUES (3, 3);
SELECT govledger.unprotect('capture_schema_3.u', 'end of test');
ALTER TABLE capture_schema_3.u ADD COLUMN e int DEFAULT 7;
SELECT govledger.protect('capture_schema_3.u');
SELECT kind, image FROM (SELECT * FROM govledger.entry ORDER BY position DESC LIMIT 1) e, govledger.entry_records(e.transaction_id) ORDER BY record;
SELECT govledger.unprotect('capture_schema_3.u', 'end of test');
DROP SCHEMA capture_schema, capture_schema_3 CASCADE;
