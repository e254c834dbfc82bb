-- Honest mistakes against a ledger are refused, with the proper way named, and leave nothing half done.
SET client_min_messages = warning;
CREATE SCHEMA capture_guards;
SET search_path = capture_guards;
CREATE TYPE mood AS ENUM ('calm', 'angry');
CREATE ROLE regress_gl_owner;
GRANT ALL ON SCHEMA capture_guards TO regress_gl_owner;
CREATE TABLE t (id int PRIMARY KEY, v text, m mood);
ALTER TABLE t OWNER TO regress_gl_owner;
CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
CREATE TABLE p1a PARTITION OF p1 FOR VALUES FROM (0) TO (50);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);
CREATE TABLE plain (id int PRIMARY KEY, v text);
SELECT govledger.protect('t');
SELECT govledger.protect('p');
INSERT INTO t VALUES (1, 'one', 'calm');
INSERT INTO p VALUES (1, 'one'), (101, 'two');
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION upper_v() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := upper(NEW.v); RETURN NEW; END $$;

-- tables: by themselves, with their schema, owner, type; in a function; by somebody who owns them
DROP TABLE t;
DROP TABLE plain, p CASCADE;
DROP SCHEMA capture_guards CASCADE;
DROP OWNED BY regress_gl_owner;
DROP OWNED BY regress_gl_owner CASCADE;
DROP ROLE regress_gl_owner;
DO $$ BEGIN EXECUTE 'DROP TABLE capture_guards.t'; END $$;
SET ROLE regress_gl_owner;
DROP TABLE t;
ALTER TABLE t DISABLE TRIGGER USER;
DROP TRIGGER "!govledger" ON t;
RESET ROLE;
CREATE TABLE keyed (m mood PRIMARY KEY);
SELECT govledger.protect('keyed');
DROP TYPE mood CASCADE;
SELECT govledger.unprotect('keyed', 'end of test');

-- triggers: every form of the command, on tables and partitions
ALTER TABLE t DISABLE TRIGGER "!govledger";
ALTER TABLE t DISABLE TRIGGER "!govledger_truncate";
ALTER TABLE t DISABLE TRIGGER ALL;
ALTER TABLE t DISABLE TRIGGER USER;
ALTER TABLE t ENABLE TRIGGER "!govledger";
ALTER TABLE t ENABLE TRIGGER ALL;
ALTER TABLE t ENABLE TRIGGER USER;
ALTER TABLE t ENABLE REPLICA TRIGGER "!govledger";
ALTER TABLE t ADD COLUMN extra int, DISABLE TRIGGER "!govledger";
ALTER TABLE p DISABLE TRIGGER "!govledger";
ALTER TABLE ONLY p DISABLE TRIGGER USER;
ALTER TABLE p1 DISABLE TRIGGER USER;
ALTER TABLE ONLY p1a DISABLE TRIGGER ALL;
ALTER TABLE p1a ENABLE REPLICA TRIGGER "!govledger_truncate";
ALTER TRIGGER "!govledger" ON t RENAME TO harmless;
ALTER TRIGGER "!govledger" ON p RENAME TO harmless;
ALTER TRIGGER "!govledger_truncate" ON p1a RENAME TO harmless;
DROP TRIGGER "!govledger" ON t;
DROP TRIGGER "!govledger_truncate" ON p1a;
DROP TRIGGER "!govledger" ON p2;
CREATE OR REPLACE TRIGGER "!govledger" AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE OR REPLACE TRIGGER "!govledger" AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW WHEN (pg_trigger_depth() > 9) EXECUTE FUNCTION govledger.capture_row();
CREATE TRIGGER "!govledger" AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER "!govledger_2" AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER mine AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TRIGGER mine ON plain RENAME TO "!govledger";
CREATE FUNCTION capture_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER "!govledger" AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION capture_row();
CREATE SCHEMA capture_guards_2 CREATE TABLE q (id int) CREATE TRIGGER "!govledger" AFTER INSERT ON capture_guards_2.q EXECUTE FUNCTION capture_guards.nothing();
DO $$ BEGIN EXECUTE 'ALTER TABLE capture_guards.t DISABLE TRIGGER ALL'; END $$;

-- lawful: triggers of the user's own, ENABLE ALWAYS, and those on other tables
CREATE TRIGGER upper_v BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION upper_v();
INSERT INTO t VALUES (2, 'two');
ALTER TABLE t DISABLE TRIGGER upper_v;
ALTER TABLE t ENABLE ALWAYS TRIGGER "!govledger", ENABLE TRIGGER upper_v;
ALTER TRIGGER upper_v ON t RENAME TO lower_v;
DROP TRIGGER lower_v ON t;
ALTER TABLE plain DISABLE TRIGGER ALL;
ALTER TABLE plain ENABLE TRIGGER ALL;
ALTER TRIGGER mine ON plain RENAME TO yours;
DROP TABLE p2;
SELECT v FROM t ORDER BY id;

-- inheritance
CREATE TABLE child () INHERITS (t);
CREATE TABLE later (id int NOT NULL, v text, m mood);
ALTER TABLE later INHERIT t;
CREATE TABLE aunt (id int NOT NULL, v text);
ALTER TABLE t INHERIT aunt;
ALTER TABLE aunt ADD COLUMN also int;
ALTER TABLE aunt RENAME COLUMN v TO w;
INSERT INTO t (id, w, also) VALUES (4, 'four', 4);
SELECT check_name, object, detail FROM govledger.verify('t') WHERE NOT ok;
DROP TABLE aunt CASCADE;
ALTER TABLE aunt RENAME COLUMN w TO v;
ALTER TABLE t NO INHERIT aunt;
CREATE TABLE mother (id int NOT NULL, v text);
CREATE TABLE daughter () INHERITS (mother);
ALTER TABLE p ATTACH PARTITION mother FOR VALUES FROM (200) TO (300);
CREATE TABLE own (LIKE p INCLUDING ALL);
SELECT govledger.protect('own');
ALTER TABLE p ATTACH PARTITION own FOR VALUES FROM (200) TO (300);
SELECT govledger.unprotect('own', 'end of test');
ALTER TABLE t SET UNLOGGED;
ALTER TABLE p1a SET UNLOGGED;

-- the extension: the whole, its members, what it owns
DROP EXTENSION govledger;
DROP EXTENSION govledger CASCADE;
DROP EXTENSION IF EXISTS plpgsql, govledger CASCADE;
DO $$ BEGIN EXECUTE 'DROP EXTENSION govledger CASCADE'; END $$;
DROP SCHEMA govledger CASCADE;
DROP TABLE govledger.entry;
DROP FUNCTION govledger.capture_row() CASCADE;
DROP EVENT TRIGGER govledger_sql_drop;
ALTER EXTENSION govledger DROP FUNCTION govledger.capture_row();
ALTER EXTENSION govledger DROP EVENT TRIGGER govledger_sql_drop;
ALTER EXTENSION govledger ADD TABLE plain;
ALTER EXTENSION govledger SET SCHEMA public;
ALTER SCHEMA govledger RENAME TO old_ledger;
ALTER SCHEMA govledger OWNER TO regress_gl_owner;
ALTER FUNCTION govledger.capture_row() RENAME TO old_row;
ALTER FUNCTION govledger.capture_row() OWNER TO regress_gl_owner;
ALTER FUNCTION govledger.capture_row() SET SCHEMA public;
ALTER FUNCTION govledger.on_sql_drop() SECURITY DEFINER;
ALTER FUNCTION govledger.on_sql_drop() RESET ALL;
ALTER ROUTINE govledger.unprotect(regclass, text) SET search_path = public;
CREATE OR REPLACE FUNCTION govledger.capture_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE OR REPLACE VIEW govledger.status AS SELECT * FROM govledger._status();
ALTER EVENT TRIGGER govledger_sql_drop DISABLE;
ALTER EVENT TRIGGER govledger_ddl_command_end ENABLE REPLICA;
ALTER EVENT TRIGGER govledger_table_rewrite ENABLE;
ALTER EVENT TRIGGER govledger_ddl_command_start RENAME TO harmless;
ALTER EVENT TRIGGER govledger_ddl_command_start OWNER TO regress_gl_owner;
ALTER EVENT TRIGGER govledger_sql_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER nobody_at_all DISABLE;

-- the log tables
TRUNCATE govledger.entry;
TRUNCATE plain, govledger.seal CASCADE;
ALTER TABLE govledger.entry ADD COLUMN mine int;
ALTER TABLE govledger.entry DROP COLUMN claimed;
ALTER TABLE govledger.entry RENAME COLUMN claimed TO mine;
ALTER TABLE govledger.entry RENAME TO old_entry;
ALTER TABLE govledger.entry SET SCHEMA public;
ALTER TABLE govledger.entry SET UNLOGGED;
ALTER TABLE govledger.entry OWNER TO regress_gl_owner;
ALTER TABLE govledger.entry DROP CONSTRAINT entry_pkey;
ALTER TABLE govledger.entry ENABLE ROW LEVEL SECURITY;
ALTER INDEX govledger.entry_pkey RENAME TO old_pkey;
DROP INDEX govledger.entry_pkey;
DROP INDEX govledger.ledger_relation_relation_idx;
DROP INDEX CONCURRENTLY govledger.ledger_relation_relation_idx;
ALTER INDEX govledger.ledger_relation_relation_idx RENAME TO mine;
ALTER TABLE govledger.ledger RENAME TO mine;
ALTER TABLE govledger.ledger_relation SET SCHEMA public;
CREATE INDEX ON govledger.entry (context_id);
CREATE TRIGGER mine BEFORE INSERT ON govledger.entry FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE RULE mine AS ON INSERT TO govledger.entry DO INSTEAD NOTHING;
CREATE POLICY mine ON govledger.entry;
CREATE TABLE child () INHERITS (govledger.entry);
ALTER SEQUENCE govledger.context_id_seq RESTART;
ALTER VIEW govledger.status RENAME TO old_status;
-- lawful: how they are stored, who may read them, what is written about them
ALTER TABLE govledger.entry SET (autovacuum_vacuum_scale_factor = 0.1, fillfactor = 100);
ALTER TABLE govledger.entry RESET (autovacuum_vacuum_scale_factor, fillfactor);
ALTER TABLE govledger.entry ALTER COLUMN context_id SET STATISTICS 1000;
ALTER TABLE govledger.entry ALTER COLUMN context_id SET STATISTICS -1;
ALTER TABLE govledger.ledger_table SET TABLESPACE pg_default;
ALTER INDEX govledger.entry_pkey SET (fillfactor = 90);
ALTER INDEX govledger.entry_pkey RESET (fillfactor);
GRANT SELECT ON govledger.entry TO regress_gl_owner;
REVOKE SELECT ON govledger.entry FROM regress_gl_owner;
COMMENT ON EXTENSION govledger IS 'tamper-evident ledger tables: signed Merkle log, receipts, verification';
CREATE STATISTICS mine ON transaction_id, generation FROM govledger.entry;
DROP STATISTICS mine;
REINDEX TABLE govledger.entry;
REINDEX INDEX CONCURRENTLY govledger.ledger_relation_relation_idx;
ALTER EXTENSION govledger UPDATE;

-- nothing of all this happened
SELECT * FROM govledger.verify() WHERE NOT ok AND check_name IN ('catalog', 'trigger', 'function');
INSERT INTO t VALUES (3, 'three');
SELECT kind, image FROM (SELECT * FROM govledger.entry ORDER BY position DESC LIMIT 1) e, govledger.entry_records(e.transaction_id);

-- only a superuser may switch the guards off, and only for a session
SET ROLE regress_gl_owner;
SET govledger.guards = off;
RESET ROLE;
ALTER SYSTEM SET govledger.guards = off;
BEGIN;
SET LOCAL govledger.guards = off;
ALTER TABLE t DISABLE TRIGGER "!govledger";
SELECT check_name, object, detail FROM govledger.verify() WHERE NOT ok AND check_name = 'trigger';
ROLLBACK;
-- a table that is gone stays named, and does not stand in the way of other work
BEGIN;
SET LOCAL govledger.guards = off;
DROP TABLE keyed, t;
SET LOCAL govledger.guards = on;
SELECT check_name, object, detail FROM govledger.verify() WHERE NOT ok AND check_name = 'catalog' AND object LIKE 'capture%';
ALTER TYPE mood RENAME VALUE 'calm' TO 'quiet';
ALTER TABLE p ADD COLUMN more int;
ALTER SCHEMA capture_guards RENAME TO other;
ROLLBACK;

-- the proper way
SELECT govledger.unprotect('t', 'end of test');
SELECT govledger.unprotect('p', 'end of test');
ALTER TABLE t DISABLE TRIGGER ALL;
DROP SCHEMA capture_guards CASCADE;
DROP ROLE regress_gl_owner;
