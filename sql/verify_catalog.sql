-- What capture stands on in the catalog: triggers, functions, partitions, columns, and the ledger's own catalog.
SET client_min_messages = warning;
-- a superuser who means it
SET govledger.guards = off;
CREATE SCHEMA verify_catalog;
SET search_path = verify_catalog;
CREATE VIEW finding AS SELECT check_name, regexp_replace(object, 'table \d+', 'table N') AS object, regexp_replace(detail, '\d+', 'N') AS detail, column_name, logged, found
  FROM govledger.verify() WHERE NOT ok AND check_name IN ('catalog', 'trigger', 'function')
 ORDER BY check_name COLLATE "C", object COLLATE "C", detail COLLATE "C";
CREATE TABLE t (id int PRIMARY KEY, v varchar(10));
INSERT INTO t VALUES (1, 'one');
SELECT govledger.protect('t');
CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);
SELECT govledger.protect('p');
INSERT INTO p VALUES (1, 'a'), (101, 'b');
SELECT * FROM finding;
SELECT check_name, object, ok FROM govledger.verify() WHERE object LIKE 'verify_catalog.%' ORDER BY 1, 2;

-- triggers: disabled, weakened, dropped, renamed, bent
BEGIN; ALTER TABLE t DISABLE TRIGGER "!govledger"; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER TABLE t ENABLE TRIGGER "!govledger"; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER TABLE t ENABLE REPLICA TRIGGER "!govledger_truncate"; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER TABLE ONLY p1 DISABLE TRIGGER ALL; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER EVENT TRIGGER govledger_sql_drop DISABLE; DROP TRIGGER "!govledger" ON p; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER TRIGGER "!govledger" ON t RENAME TO harmless; SELECT * FROM finding; ROLLBACK;
BEGIN; DELETE FROM pg_trigger WHERE tgrelid = 't'::regclass AND tgname = '!govledger_truncate'; SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE pg_trigger SET tgtype = 5 WHERE tgrelid = 't'::regclass AND tgname = '!govledger'; SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE pg_trigger SET tgattr = '1' WHERE tgrelid = 't'::regclass AND tgname = '!govledger'; SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE pg_class SET relhastriggers = false WHERE oid = 't'::regclass; SELECT * FROM finding; ROLLBACK;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
BEGIN; UPDATE pg_trigger SET tgfoid = 'nothing'::regproc WHERE tgrelid = 't'::regclass AND tgname = '!govledger'; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER EVENT TRIGGER govledger_sql_drop DISABLE; DROP TRIGGER "!govledger" ON t;
CREATE TRIGGER "!govledger" AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW WHEN (pg_trigger_depth() > 9) EXECUTE FUNCTION govledger.capture_row();
ALTER TABLE t ENABLE ALWAYS TRIGGER "!govledger"; ALTER EVENT TRIGGER govledger_sql_drop ENABLE ALWAYS; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER EVENT TRIGGER govledger_sql_drop DISABLE; DROP TRIGGER "!govledger" ON t;
CREATE TRIGGER "!govledger" AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE t ENABLE ALWAYS TRIGGER "!govledger"; ALTER EVENT TRIGGER govledger_sql_drop ENABLE ALWAYS; SELECT * FROM finding; ROLLBACK;

-- functions and event triggers
BEGIN; UPDATE pg_proc SET prosrc = 'gl_capture_truncate' WHERE oid = 'govledger.capture_row'::regproc; SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE pg_proc SET probin = '$libdir/other' WHERE oid = 'govledger.capture_row'::regproc; SELECT * FROM finding; ROLLBACK;
BEGIN; CREATE OR REPLACE FUNCTION govledger.capture_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER FUNCTION govledger.capture_truncate() RENAME TO old; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER FUNCTION govledger.protect(regclass, boolean, text, name[], name[], boolean, name) RESET ALL; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER FUNCTION govledger.on_sql_drop() SECURITY DEFINER; SELECT * FROM finding; ROLLBACK;
BEGIN; CREATE FUNCTION govledger.helper() RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER EVENT TRIGGER govledger_ddl_command_end DISABLE; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER EVENT TRIGGER govledger_table_rewrite ENABLE; SELECT * FROM finding; ROLLBACK;
BEGIN; DELETE FROM pg_event_trigger WHERE evtname = 'govledger_sql_drop'; SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE pg_event_trigger SET evttags = '{"CREATE TABLE"}' WHERE evtname = 'govledger_ddl_command_end'; SELECT * FROM finding; ROLLBACK;

-- partitions that escaped, came, went, while nobody followed
BEGIN; ALTER EVENT TRIGGER govledger_ddl_command_end DISABLE;
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (200) TO (300); SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER EVENT TRIGGER govledger_ddl_command_end DISABLE;
ALTER TABLE p DETACH PARTITION p2; SELECT * FROM finding; ROLLBACK;
BEGIN; DELETE FROM govledger.ledger_relation WHERE relation = 'p2'::regclass; SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.ledger_relation SET relation = NULL WHERE relation = 'p2'::regclass; SELECT * FROM finding; ROLLBACK;
-- columns and names
BEGIN; ALTER EVENT TRIGGER govledger_ddl_command_end DISABLE; ALTER TABLE t RENAME v TO w; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER EVENT TRIGGER govledger_ddl_command_end DISABLE; ALTER TABLE t ADD more int; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER EVENT TRIGGER govledger_ddl_command_end DISABLE; ALTER TABLE t ALTER v TYPE varchar(20); SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER EVENT TRIGGER govledger_ddl_command_end DISABLE; ALTER TABLE t RENAME TO u; SELECT * FROM finding; ROLLBACK;
BEGIN; ALTER EVENT TRIGGER govledger_sql_drop DISABLE; ALTER EVENT TRIGGER govledger_ddl_command_end DISABLE;
DROP TABLE t; SELECT * FROM finding; ROLLBACK;
-- the ledger's own catalog against the log
BEGIN; UPDATE govledger.ledger_table SET append_only = true, visibility = 'public', history = false WHERE table_id = (SELECT table_id FROM govledger.ledger_relation WHERE relation = 't'::regclass);
SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.ledger_table SET unprotected_at = now() WHERE table_id = (SELECT table_id FROM govledger.ledger_relation WHERE relation = 't'::regclass);
SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.ledger_column SET key_ordinal = NULL, personal = true FROM govledger.ledger_relation r
 WHERE r.relation = 't'::regclass AND ledger_column.table_id = r.table_id AND column_name = 'id'; SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.ledger_column SET dropped = true FROM govledger.ledger_relation r
 WHERE r.relation = 't'::regclass AND ledger_column.table_id = r.table_id AND column_name = 'v'; SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.ledger_column SET type_name = 'text' FROM govledger.ledger_relation r
 WHERE r.relation = 't'::regclass AND ledger_column.table_id = r.table_id AND column_name = 'v'; SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.ledger_relation SET schema_name = 'other' WHERE relation = 't'::regclass; SELECT * FROM finding; ROLLBACK;
SELECT table_id FROM govledger.ledger_relation WHERE relation = 't'::regclass \gset
BEGIN; DELETE FROM govledger.ledger_column WHERE table_id = :table_id; DELETE FROM govledger.ledger_relation WHERE table_id = :table_id;
DELETE FROM govledger.ledger_table WHERE table_id = :table_id; SELECT * FROM finding; ROLLBACK;
BEGIN; INSERT INTO govledger.ledger_table VALUES (9999, 'public', true, true); SELECT * FROM finding; ROLLBACK;
BEGIN; DELETE FROM govledger.ledger_relation WHERE table_id = :table_id; SELECT * FROM finding; ROLLBACK;
SELECT * FROM finding;
SELECT govledger.unprotect(relation, 'test') FROM govledger.ledger_relation WHERE relation_id = 0 AND schema_name = 'verify_catalog' AND relation IS NOT NULL;
DROP SCHEMA verify_catalog CASCADE;
