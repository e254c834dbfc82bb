-- Versions of a key in the order in which they happened, whatever order the triggers fired in; truncates and partitions.
SET client_min_messages = warning;
CREATE SCHEMA history_order;
SET search_path = history_order;
CREATE FUNCTION now_and_as_of(which regclass) RETURNS TABLE (side text, part text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM govledger.seal(), govledger.wait_history('30 s');
	RETURN QUERY EXECUTE format('SELECT ''table'', x::text FROM (TABLE %1$s EXCEPT ALL SELECT * FROM govledger.as_of(NULL::%1$s, ''infinity''::timestamptz)) x
		UNION ALL SELECT ''as_of'', x::text FROM (SELECT * FROM govledger.as_of(NULL::%1$s, ''infinity''::timestamptz) EXCEPT ALL TABLE %1$s) x', which);
END $$;
CREATE TABLE t (id integer PRIMARY KEY, v text, n integer DEFAULT 0);
SELECT govledger.protect('t');
-- a trigger before the insert deletes the row that has the key: the delete has the later command, and came first
CREATE FUNCTION make_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM t WHERE id = NEW.id AND ctid <> OLD.ctid; RETURN NEW; END $$;
CREATE FUNCTION make_room_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM t WHERE id = NEW.id; RETURN NEW; END $$;
CREATE TRIGGER room BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION make_room_insert();
CREATE TRIGGER room_update BEFORE UPDATE OF id ON t FOR EACH ROW EXECUTE FUNCTION make_room();
INSERT INTO t VALUES (1, 'first');
INSERT INTO t VALUES (1, 'second');
BEGIN; INSERT INTO t VALUES (1, 'third'); INSERT INTO t VALUES (1, 'fourth'), (2, 'two'), (2, 'two again'); COMMIT;
UPDATE t SET id = 1, v = 'moved' WHERE id = 2;
SELECT id, v FROM t;
SELECT * FROM now_and_as_of('t');
SELECT id, v, ledger_operation, ledger_record FROM t_history ORDER BY ledger_entry, ledger_command, ledger_record, ledger_operation;
DROP TRIGGER room ON t; DROP TRIGGER room_update ON t;
-- a trigger after one row changes a later row of the same statement: that change is captured first, and came last
CREATE FUNCTION next_one() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() = 1 AND NEW.v = 'update' THEN UPDATE t SET v = 'by trigger', n = n + 1 WHERE id = NEW.id + 1; END IF;
	IF pg_trigger_depth() = 1 AND NEW.v = 'delete' THEN DELETE FROM t WHERE id = NEW.id + 1; END IF;
	IF pg_trigger_depth() = 1 AND NEW.v = 'rekey' THEN UPDATE t SET id = id + 100 WHERE id = NEW.id + 1; END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER next_one AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION next_one();
INSERT INTO t SELECT g, 'update' FROM generate_series(10, 14) g;
INSERT INTO t SELECT g, 'delete' FROM generate_series(20, 24) g;
INSERT INTO t SELECT g, 'rekey' FROM generate_series(30, 34) g;
UPDATE t SET v = 'delete' WHERE id BETWEEN 10 AND 14;
UPDATE t SET v = 'update' WHERE id > 14;
SELECT * FROM now_and_as_of('t');
DROP TRIGGER next_one ON t;
-- one entry, many lives of one key; keys that change places; numbers that are equal and print differently
BEGIN;
DELETE FROM t;
INSERT INTO t VALUES (1, 'a'); DELETE FROM t; INSERT INTO t VALUES (1, 'b'); UPDATE t SET v = 'c'; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s;
UPDATE t SET id = 2; INSERT INTO t VALUES (1, 'd'); UPDATE t SET id = id + 10; UPDATE t SET id = id - 10;
COMMIT;
SELECT * FROM now_and_as_of('t');
CREATE TABLE numbers (n numeric PRIMARY KEY, v text);
SELECT govledger.protect('numbers');
INSERT INTO numbers VALUES (1.0, 'a'), (2, 'b');
UPDATE numbers SET n = 1.00 WHERE n = 1;
SELECT * FROM now_and_as_of('numbers');
SELECT n, v, ledger_operation FROM numbers_history ORDER BY ledger_entry, ledger_record, ledger_operation;
DELETE FROM numbers WHERE n = 1;
SELECT * FROM now_and_as_of('numbers');
-- truncate
INSERT INTO t SELECT g, 'x' FROM generate_series(100, 110) g;
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT tree_size AS before FROM govledger.history_status WHERE history = 't_history'::regclass \gset
BEGIN; INSERT INTO t VALUES (500, 'gone'); TRUNCATE t; INSERT INTO t VALUES (100, 'after'), (3, 'new'); COMMIT;
SELECT * FROM now_and_as_of('t');
SELECT * FROM t;
SELECT count(*) FROM govledger.as_of(NULL::t, :before);
SELECT id, v, ledger_operation FROM t_history WHERE ledger_entry >= :before ORDER BY ledger_entry, ledger_command, ledger_record;
TRUNCATE t;
SELECT * FROM now_and_as_of('t');
SELECT * FROM govledger.as_of(NULL::t, now());
-- partitions: one key moves, one partition goes, comes back, is truncated alone
CREATE TABLE sale (region text, id integer, v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE sale_n PARTITION OF sale FOR VALUES IN ('N');
CREATE TABLE sale_s (v text, gone text, id integer NOT NULL, region text NOT NULL);
ALTER TABLE sale_s DROP COLUMN gone;
INSERT INTO sale_s VALUES ('before', 9, 'S');
ALTER TABLE sale ATTACH PARTITION sale_s FOR VALUES IN ('S');
SELECT govledger.protect('sale');
INSERT INTO sale SELECT r, g, 'x' FROM unnest('{N,S}'::text[]) r, generate_series(1, 3) g;
UPDATE sale SET region = 'S', id = 4 WHERE region = 'N' AND id = 1;
SELECT * FROM now_and_as_of('sale');
SELECT tree_size AS all_there FROM govledger.history_status WHERE history = 'sale_history'::regclass \gset
ALTER TABLE sale DETACH PARTITION sale_s;
SELECT * FROM now_and_as_of('sale');
INSERT INTO sale_s (region, id, v) VALUES ('S', 5, 'while away');
SELECT tree_size AS detached FROM govledger.history_status WHERE history = 'sale_history'::regclass \gset
ALTER TABLE sale ATTACH PARTITION sale_s FOR VALUES IN ('S');
SELECT * FROM now_and_as_of('sale');
TRUNCATE sale_n;
SELECT * FROM now_and_as_of('sale');
BEGIN; DROP TABLE sale_s; CREATE TABLE sale_o PARTITION OF sale DEFAULT; INSERT INTO sale VALUES ('S', 1, 'elsewhere'); COMMIT;
SELECT * FROM now_and_as_of('sale');
SELECT * FROM govledger.as_of(NULL::sale, :all_there) ORDER BY 1, 2;
SELECT * FROM govledger.as_of(NULL::sale, :detached) ORDER BY 1, 2;
SELECT region, id, v, ledger_operation, ledger_relation FROM sale_history ORDER BY ledger_entry, ledger_command, ledger_record, ledger_operation;
-- the same again from the log
SELECT govledger.rebuild('t') > 0, govledger.rebuild('sale') > 0, govledger.rebuild('numbers');
SELECT * FROM now_and_as_of('t');
SELECT * FROM now_and_as_of('sale');
SELECT count(*) FROM govledger.as_of(NULL::t, :before);
SELECT check_name, object, ok FROM govledger.verify() WHERE object LIKE 'history_order.%' AND check_name = 'history' OR NOT ok ORDER BY 2;
SELECT govledger.unprotect(t, 'end of test') FROM unnest('{t,numbers,sale}'::regclass[]) t;
DROP SCHEMA history_order CASCADE;
