-- DDL that changes the values of ledger tables: rows are compared before and after it, and verify finds nothing after each.
SET client_min_messages = warning;
CREATE SCHEMA capture_ddl;
SET search_path = capture_ddl;
-- records of the newest entry; findings
CREATE FUNCTION records() RETURNS TABLE (kind text, relation text, image jsonb, changes jsonb) LANGUAGE sql AS $$
	SELECT r.kind::text, r.relation::text, r.image::jsonb, r.changes::jsonb
	FROM (SELECT * FROM govledger.entry ORDER BY position DESC LIMIT 1) e, govledger.entry_records(e.transaction_id) r ORDER BY r.record $$;
CREATE FUNCTION findings() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws('|', check_name, object, detail, key, column_name, logged, found) FROM govledger.verify() WHERE NOT ok $$;
CREATE TABLE t (id int PRIMARY KEY, a text, b varchar(10), c int, n numeric(6,2));
INSERT INTO t VALUES (1, '1', 'x', 1, 1.5), (2, '22', 'y', 2, 2), (3, '3', NULL, NULL, NULL);
SELECT govledger.protect('t', personal => '{b}');
-- columns that come with values
ALTER TABLE t ADD COLUMN d int DEFAULT 7;
SELECT * FROM records();
ALTER TABLE t ADD COLUMN e float8 DEFAULT random(), ADD COLUMN f int GENERATED ALWAYS AS (id * 2) STORED,
	ADD COLUMN g serial, ADD COLUMN h int GENERATED ALWAYS AS IDENTITY;
SELECT kind, image - 'e' AS image, changes FROM records();
CREATE DOMAIN with_default AS text DEFAULT 'given';
ALTER TABLE t ADD COLUMN i with_default, ADD COLUMN IF NOT EXISTS d int DEFAULT 8;
SELECT kind, image - 'e' AS image, changes FROM records();
ALTER TABLE t DROP COLUMN e, DROP COLUMN f, DROP COLUMN g, DROP COLUMN h, DROP COLUMN i, ADD COLUMN e text DEFAULT 'new';
SELECT * FROM records();
SELECT * FROM findings();
-- types: only what prints otherwise is recorded
ALTER TABLE t ALTER a TYPE int USING a::int + 1;
SELECT * FROM records();
ALTER TABLE t ALTER id TYPE bigint, ALTER c TYPE bigint, ALTER n TYPE numeric(9,2), ALTER b TYPE varchar(20), ALTER e TYPE varchar;
SELECT * FROM records();
ALTER TABLE t ALTER n TYPE numeric, ALTER e TYPE text, ALTER c TYPE bigint;
ALTER TABLE t ALTER n TYPE numeric(6,1), ALTER c TYPE int;
SELECT * FROM records();
ALTER TABLE t ALTER b TYPE text USING 'p' || b;
SELECT * FROM records();
ALTER TABLE t ALTER id TYPE bigint USING id + 1;
SELECT * FROM records();
ALTER TABLE t ALTER id TYPE text;
SELECT * FROM records();
SELECT * FROM findings();
-- a command that fails leaves nothing
SELECT pg_current_wal_insert_lsn() AS start \gset
ALTER TABLE t ADD COLUMN z int DEFAULT 1, ALTER a TYPE text USING (1 / (c - 1))::text;
ALTER TABLE t ALTER nowhere TYPE int;
ALTER TABLE t ALTER e TYPE no_type;
SELECT count(*) FROM govledger.entry WHERE position >= :'start';

-- types of values that are somewhere inside a column
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE TYPE pair AS (x mood, y int);
CREATE DOMAIN moods AS mood[];
CREATE DOMAIN one_mood AS mood;
CREATE TYPE mood_range AS RANGE (subtype = mood);
CREATE TABLE other (m mood, z int);
CREATE VIEW view AS SELECT 1 AS one;
CREATE TABLE typed (id int PRIMARY KEY, m mood, p pair, ms moods, d one_mood, r mood_range, o other, ps pair[], v view);
INSERT INTO typed VALUES (1, 'a', ('b', 1), '{a,b}', 'a', '[a,b]', ('a', 1), ARRAY[('a', 2)::pair], ROW(1)), (2, 'b', ('b', 1), '{}', NULL, 'empty', NULL, NULL, NULL);
CREATE TABLE rows (what text, d one_mood);
INSERT INTO rows VALUES ('x', 'a'), ('x', 'a'), ('y', 'b'), ('z', NULL);
CREATE TABLE part (id int, m mood, PRIMARY KEY (id, m)) PARTITION BY LIST (m);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b (m mood NOT NULL, gone int, id int NOT NULL);
ALTER TABLE part_b DROP gone;
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN ('b');
INSERT INTO part VALUES (1, 'a'), (2, 'b');
SELECT govledger.protect('typed'), govledger.protect('rows', append_only => true), govledger.protect('part');
ALTER TYPE mood RENAME VALUE 'a' TO 'aa';
SELECT kind, relation, image, changes FROM records() ORDER BY relation, kind, image;
ALTER TYPE mood ADD VALUE 'c' BEFORE 'b';
-- how an attribute prints may depend on settings that nobody had to pin before
UPDATE typed SET m = m;
ALTER TYPE pair ADD ATTRIBUTE z timestamptz;
SELECT kind, relation, changes FROM records();
SET timezone = 'America/New_York';
UPDATE typed SET p = ROW('b', 1, '2026-01-01 00:00+00');
SELECT kind, relation, image -> 'p' AS p, changes FROM records();
SELECT * FROM findings();
ALTER TYPE pair DROP ATTRIBUTE y;
SELECT kind, relation, image -> 'p' AS p, changes FROM records();
ALTER TYPE pair RENAME ATTRIBUTE z TO zz;
ALTER TABLE other ADD COLUMN q int;
ALTER TABLE other DROP COLUMN z;
SELECT kind, relation, image -> 'o' AS o, changes FROM records();
CREATE OR REPLACE VIEW view AS SELECT 1 AS one, 2 AS two;
SELECT kind, relation, image -> 'v' AS v, changes FROM records();
SELECT * FROM findings();
-- names of types
CREATE SCHEMA capture_ddl_2;
ALTER TYPE mood RENAME TO humour;
ALTER DOMAIN one_mood RENAME TO one;
ALTER TABLE other RENAME TO another;
ALTER TYPE pair SET SCHEMA capture_ddl_2;
SELECT * FROM findings();
ALTER SCHEMA capture_ddl_2 RENAME TO capture_ddl_3;
ALTER DOMAIN one SET DEFAULT 'b';
ALTER DOMAIN one ADD CONSTRAINT no_c CHECK (VALUE <> 'c') NOT VALID;
ALTER DOMAIN one VALIDATE CONSTRAINT no_c;
ALTER DOMAIN one DROP CONSTRAINT no_c;
SELECT * FROM findings();
-- refused: what a ledger cannot hold, what is not seen to change, whose rows are being written
ALTER TYPE capture_ddl_3.pair ADD ATTRIBUTE c regclass;
ALTER TYPE capture_ddl_3.pair ALTER ATTRIBUTE zz TYPE text;
CREATE FUNCTION rename_it() RETURNS int LANGUAGE plpgsql AS $$ BEGIN ALTER TYPE humour RENAME VALUE 'b' TO 'bb'; RETURN 9; END $$;
INSERT INTO typed (id, m) SELECT CASE g WHEN 2 THEN rename_it() ELSE g + 7 END, 'b' FROM generate_series(1, 2) g;
DROP TYPE humour CASCADE;
-- an attribute goes with its type
ALTER TABLE typed DROP COLUMN ps;
CREATE DOMAIN soon_gone AS int;
ALTER TYPE capture_ddl_3.pair ADD ATTRIBUTE g soon_gone;
DROP DOMAIN soon_gone CASCADE;
SELECT kind, relation, image -> 'p' AS p, changes FROM records();
SELECT * FROM findings();

-- somewhere else in the family: parents, typed tables, partitions
CREATE TABLE parent (id int, v text);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
INSERT INTO child VALUES (1, 'x');
SELECT govledger.protect('child');
ALTER TABLE parent ADD COLUMN w int DEFAULT 5;
SELECT * FROM records();
ALTER TABLE parent RENAME v TO value;
CREATE TABLE grandchild () INHERITS (child);
CREATE TYPE row_type AS (id int, v int);
CREATE TABLE of_type OF row_type (PRIMARY KEY (id));
INSERT INTO of_type VALUES (1, 1);
SELECT govledger.protect('of_type');
ALTER TYPE row_type ADD ATTRIBUTE n int CASCADE;
ALTER TYPE row_type ALTER ATTRIBUTE v TYPE numeric(5,1) CASCADE;
SELECT * FROM records();
ALTER TYPE row_type RENAME ATTRIBUTE v TO value CASCADE;
ALTER TYPE row_type DROP ATTRIBUTE n CASCADE;
ALTER TABLE of_type NOT OF;
SELECT * FROM findings();
CREATE TABLE parted (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 (v int, id int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE parted_2d PARTITION OF parted_2 DEFAULT;
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (10) TO (20);
INSERT INTO parted SELECT g, g FROM generate_series(8, 12) g;
SELECT govledger.protect('parted');
ALTER TABLE parted ALTER v TYPE text USING v || 'x', ADD COLUMN n int GENERATED ALWAYS AS (id * 2) STORED;
SELECT * FROM records();
ALTER TABLE parted_1 ALTER v SET DEFAULT 'x', ALTER v SET NOT NULL, ADD CHECK (id >= 0);
ALTER TABLE parted_1 SET UNLOGGED;
ALTER TABLE parted_2d SET UNLOGGED;
DROP TABLE parted_1;
ALTER TABLE parted_2 DETACH PARTITION parted_2d;
ALTER TABLE parted_2d ALTER v TYPE varchar(3);
ALTER TABLE parted_2 ATTACH PARTITION parted_2d DEFAULT;
ALTER TABLE parted_2d ALTER v TYPE text;
ALTER TABLE parted_2 ATTACH PARTITION parted_2d DEFAULT;
SELECT * FROM findings();

-- what makes the key a key
CREATE TABLE keyed (id int NOT NULL, b int NOT NULL, v text, UNIQUE (id, b));
CREATE UNIQUE INDEX keyed_2 ON keyed (b, id);
SELECT govledger.protect('keyed', key => '{id,b}');
ALTER TABLE keyed ALTER id DROP NOT NULL;
ALTER TABLE keyed DROP CONSTRAINT keyed_id_b_key;
DROP INDEX keyed_2;
DROP INDEX CONCURRENTLY keyed_2;
ALTER INDEX keyed_2 RENAME TO keyed_3;
REINDEX INDEX CONCURRENTLY keyed_3;
ALTER TABLE keyed ADD PRIMARY KEY (id, b);
CREATE UNIQUE INDEX keyed_4 ON keyed (b, id);
DROP INDEX keyed_3;
ALTER TABLE keyed DROP CONSTRAINT keyed_pkey;
CREATE UNIQUE INDEX keyed_3 ON keyed (b, id);
DROP INDEX keyed_3, keyed_4;
ALTER TABLE keyed ADD PRIMARY KEY (id, b);
DROP INDEX keyed_3, keyed_4;
ALTER TABLE keyed DROP CONSTRAINT keyed_pkey;
-- what changes nothing that is recorded
SELECT pg_current_wal_insert_lsn() AS start \gset
ALTER TABLE keyed ADD CONSTRAINT positive CHECK (id > 0) NOT VALID, ALTER v SET STORAGE EXTERNAL, ALTER v SET STATISTICS 100,
	ALTER v SET COMPRESSION pglz, REPLICA IDENTITY USING INDEX keyed_pkey, SET (fillfactor = 50), SET LOGGED, CLUSTER ON keyed_pkey;
ALTER TABLE keyed VALIDATE CONSTRAINT positive;
ALTER TABLE keyed DROP CONSTRAINT positive, SET TABLESPACE pg_default, ALTER b ADD GENERATED ALWAYS AS IDENTITY;
CREATE RULE r AS ON UPDATE TO keyed DO ALSO NOTHING;
CREATE OR REPLACE RULE r AS ON UPDATE TO keyed DO ALSO SELECT 1;
CREATE OR REPLACE TRIGGER tr BEFORE UPDATE ON keyed FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CLUSTER keyed;
VACUUM FULL keyed;
REINDEX TABLE keyed;
SELECT count(*) FROM govledger.entry WHERE position >= :'start';
-- and what is refused
ALTER TABLE keyed SET UNLOGGED;
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
ALTER TABLE keyed SET ACCESS METHOD heap2;
DROP ACCESS METHOD heap2;
CREATE OR REPLACE TRIGGER "!govledger" AFTER INSERT ON keyed FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT * FROM findings();

-- several commands, savepoints, functions, rows of the same transaction
CREATE TABLE n (id int PRIMARY KEY, v text);
INSERT INTO n VALUES (1, '1'), (2, '2');
SELECT govledger.protect('n');
BEGIN;
INSERT INTO n VALUES (3, '3');
ALTER TABLE n ADD COLUMN w int DEFAULT 1;
UPDATE n SET w = 2 WHERE id = 3;
ALTER TABLE n ALTER v TYPE int USING v::int * 10;
SAVEPOINT a;
ALTER TABLE n ADD COLUMN x text DEFAULT 'x', ALTER v TYPE text USING v || 'y';
ROLLBACK TO a;
ALTER TABLE n RENAME w TO ww;
INSERT INTO n VALUES (4, 4, 4);
COMMIT;
SELECT * FROM records();
CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE n SET v = v + 1;
	ALTER TABLE n ADD COLUMN y int DEFAULT 9;
	BEGIN
		ALTER TABLE n ALTER v TYPE text USING (1 / (id - 3))::text;
	EXCEPTION WHEN division_by_zero THEN
		UPDATE n SET y = 10 WHERE id = 4;
	END;
	ALTER TABLE n ALTER y TYPE text USING 'y' || y;
END $$;
SELECT f();
SELECT kind, image, changes FROM records();
SELECT * FROM findings();
-- event triggers of others that write to the table or alter it meanwhile
CREATE FUNCTION meddle() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('meddle.how') = 'write' THEN
		UPDATE n SET ww = ww + 1;
	ELSIF current_setting('meddle.how') = 'alter' THEN
		SET meddle.how = 'no';
		ALTER TABLE n ALTER ww TYPE int USING ww + 2;
	END IF;
END $$;
CREATE EVENT TRIGGER zz_start ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION meddle();
SET meddle.how = 'write';
ALTER TABLE n ALTER ww TYPE int USING ww + 1;
SET meddle.how = 'alter';
ALTER TABLE n ALTER ww TYPE int USING ww + 1;
DROP EVENT TRIGGER zz_start;
CREATE EVENT TRIGGER aa_end ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION meddle();
SET meddle.how = 'write';
ALTER TABLE n ALTER ww TYPE int USING ww + 1;
ALTER EVENT TRIGGER aa_end RENAME TO zz_end;
ALTER TABLE n ALTER ww TYPE int USING ww + 1;
SELECT kind, image -> 'ww' AS ww, changes FROM records();
DROP EVENT TRIGGER zz_end;
SELECT * FROM findings();
-- a silent edit before such a command is still named after it
SET govledger.guards = off;
BEGIN;
ALTER TABLE n DISABLE TRIGGER "!govledger";
UPDATE n SET v = 777 WHERE id = 2;
DELETE FROM n WHERE id = 1;
INSERT INTO n VALUES (55, 1);
ALTER TABLE n ENABLE ALWAYS TRIGGER "!govledger";
ALTER TABLE n ALTER v TYPE text USING 'v' || v, ADD COLUMN z int DEFAULT 3;
COMMIT;
SELECT * FROM findings();
SELECT govledger.unprotect('n', 'forged');
-- also one that the new type cannot tell from what was there
CREATE TABLE s (id int PRIMARY KEY, v text, w text);
INSERT INTO s VALUES (1, '01', '01'), (2, '2', '2');
SELECT govledger.protect('s');
BEGIN;
ALTER TABLE s DISABLE TRIGGER "!govledger";
UPDATE s SET v = '1', w = '001' WHERE id = 1;
ALTER TABLE s ENABLE ALWAYS TRIGGER "!govledger";
COMMIT;
ALTER TABLE s ALTER v TYPE int USING v::int, ALTER w TYPE int USING w::int;
SELECT * FROM findings();
SELECT govledger.unprotect('s', 'forged');

-- event triggers off: later commands and writers notice
CREATE TABLE o (id int PRIMARY KEY, v int, m humour);
INSERT INTO o VALUES (1, 1, 'b');
SELECT govledger.protect('o');
ALTER EVENT TRIGGER govledger_ddl_command_start DISABLE;
ALTER TABLE o ADD COLUMN w int DEFAULT 1;
ALTER TABLE o ALTER v TYPE text USING v || '';
ALTER TYPE humour RENAME VALUE 'b' TO 'bb';
ALTER EVENT TRIGGER govledger_ddl_command_end DISABLE;
ALTER TABLE o ADD COLUMN w int DEFAULT 1;
SELECT * FROM findings();
ALTER EVENT TRIGGER govledger_ddl_command_start ENABLE ALWAYS;
ALTER EVENT TRIGGER govledger_ddl_command_end ENABLE ALWAYS;
SELECT govledger.record_schema('o');
INSERT INTO o VALUES (2, 2, 'b');
ALTER TABLE o DROP COLUMN w;
ALTER TABLE o ADD COLUMN w int DEFAULT 1;
SELECT * FROM findings();
-- another's type, another's table: the command says no, and nothing is locked
CREATE ROLE capture_ddl_user;
GRANT USAGE ON SCHEMA capture_ddl TO capture_ddl_user;
SET ROLE capture_ddl_user;
BEGIN;
ALTER TYPE humour RENAME VALUE 'b' TO 'bb';
ROLLBACK;
BEGIN;
ALTER TABLE o ADD COLUMN x int DEFAULT 1;
ROLLBACK;
RESET ROLE;
REVOKE USAGE ON SCHEMA capture_ddl FROM capture_ddl_user;
DROP ROLE capture_ddl_user;
SELECT govledger.unprotect(relation, 'end of test') FROM govledger.ledger_relation WHERE relation_id = 0 AND relation IS NOT NULL AND schema_name = 'capture_ddl';
DROP SCHEMA capture_ddl, capture_ddl_3 CASCADE;
