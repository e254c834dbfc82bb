-- Work without a superuser: admins who own some tables, owners who are no admins, callers who change roles, and what none of them can do.
SET client_min_messages = warning;
CREATE SCHEMA roles;
SET search_path = roles;
CREATE ROLE roles_admin IN ROLE govledger_admin; CREATE ROLE roles_other IN ROLE govledger_admin; CREATE ROLE roles_owner; CREATE ROLE roles_app;
GRANT USAGE, CREATE ON SCHEMA roles TO roles_admin, roles_other, roles_owner; GRANT USAGE ON SCHEMA roles TO roles_app;

-- an admin works on what is his, and on nothing else
SET ROLE roles_other; CREATE TABLE others (id int PRIMARY KEY, secret text); INSERT INTO others VALUES (1, 'hidden'); SELECT govledger.protect('others');
SET ROLE roles_admin;
CREATE TABLE mine (id int PRIMARY KEY, note text);
SELECT govledger.protect('mine', personal => '{note}');
INSERT INTO mine VALUES (1, 'a'); UPDATE mine SET note = 'b'; ALTER TABLE mine ADD COLUMN more int; ALTER TABLE mine RENAME more TO less;
SELECT govledger.record_schema('mine'), govledger.note('by an admin'), govledger.seal() IS NULL AS unsigned, govledger.wait_sealed('10s') AS sealed;
SELECT check_name, detail FROM govledger.verify() WHERE NOT ok;
SELECT count(*) > 0 AS status FROM govledger.status;
SELECT image FROM govledger.entry e, govledger.entry_records(transaction_id) WHERE relation = 'roles.others' AND image IS NOT NULL;
SELECT govledger.protect('others'); SELECT govledger.unprotect('others', 'x'); SELECT govledger.record_schema('others'); SELECT govledger.set_visibility('others', 'public', 'x');
SELECT * FROM others;
SELECT govledger.generate_key('relative'); SELECT govledger.rotate_key('file:/nowhere', 'x'); SELECT govledger.adopt('x');
SET govledger.signing_key = 'file:/etc/hostname'; SET govledger.origin = 'mine.example';
ALTER SYSTEM SET govledger.databases = ''; SHOW govledger.signing_key;
-- members of the role do not own what belongs to another member; nobody writes the log
INSERT INTO govledger.checkpoint VALUES (1, now(), 1, 'x'); UPDATE govledger.ledger_table SET visibility = 'public'; DELETE FROM govledger.entry; TRUNCATE govledger.leaf;
SELECT nextval('govledger.table_id_seq'); BEGIN; LOCK TABLE govledger.entry IN EXCLUSIVE MODE; ROLLBACK; CREATE TABLE govledger.x (); DROP TABLE govledger.entry;
CREATE TRIGGER t BEFORE INSERT ON govledger.entry FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE INDEX ON govledger.entry ((record_root || 'x')); CREATE FUNCTION govledger.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
-- our trigger functions are for us to attach and call; the row trigger's can be attached, for the sake of partitions, and does nothing
CREATE TRIGGER t AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION govledger.capture_row(); INSERT INTO mine VALUES (2); DROP TRIGGER t ON mine;
CREATE TABLE plain (id int); CREATE TRIGGER "!govledger" AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION govledger.capture_row(); INSERT INTO plain VALUES (2); DROP TABLE plain;
CREATE TRIGGER t AFTER TRUNCATE ON mine EXECUTE FUNCTION govledger.capture_truncate(); SELECT govledger.capture_row(); SELECT govledger.on_sql_drop();

-- the owner of a table is no admin: somebody who is both, or a superuser, protects it; his DDL and everybody's changes go on
SET ROLE roles_owner;
CREATE TABLE parcel (id int, year int, area numeric, PRIMARY KEY (id, year)) PARTITION BY RANGE (year);
CREATE TABLE parcel_1 PARTITION OF parcel FOR VALUES FROM (0) TO (2000);
INSERT INTO parcel VALUES (1, 1999, 1);
SELECT govledger.protect('parcel');
RESET ROLE;
SELECT govledger.protect('parcel');
SET ROLE roles_owner;
GRANT INSERT, UPDATE, SELECT ON parcel TO roles_app;
CREATE TABLE parcel_2 PARTITION OF parcel FOR VALUES FROM (2000) TO (3000);
CREATE TABLE parcel_3 (id int, year int, area numeric, PRIMARY KEY (id, year)); INSERT INTO parcel_3 VALUES (7, 3001, 7);
ALTER TABLE parcel ATTACH PARTITION parcel_3 FOR VALUES FROM (3000) TO (4000);
ALTER TABLE parcel ADD COLUMN owner text; ALTER TABLE parcel RENAME COLUMN area TO size;
SET ROLE roles_app;
INSERT INTO parcel VALUES (2, 2001, 2), (3, 3002, 3); UPDATE parcel SET size = 5; INSERT INTO parcel VALUES (1, 1999, 1) ON CONFLICT (id, year) DO UPDATE SET owner = 'x';
SET ROLE roles_owner;
ALTER TABLE parcel DETACH PARTITION parcel_3; DROP TABLE parcel_3; TRUNCATE parcel_2;
SELECT govledger.unprotect('parcel', 'x');
-- partitions of another owner
RESET ROLE; ALTER TABLE parcel_1 OWNER TO roles_admin; ALTER TABLE parcel_1 ENABLE ROW LEVEL SECURITY;
SET ROLE roles_admin; SELECT govledger.protect('parcel_1'); SELECT govledger.unprotect('parcel_1', 'x');
UPDATE parcel_1 SET size = 6;
RESET ROLE;
SELECT relation_name, relation IS NULL AS gone FROM govledger.ledger_relation WHERE schema_name = 'roles' ORDER BY table_id, relation_id;
SELECT kind, relation, count(*) FROM govledger.entry, govledger.entry_records(transaction_id) WHERE relation LIKE 'roles.parcel%' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT check_name, detail FROM govledger.verify() WHERE NOT ok;

-- a definer's function lends its owner's rights, no more; the log says both who asked and who did
SET ROLE roles_admin;
CREATE FUNCTION protect_it(target regclass) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT govledger.protect(target) $$;
CREATE TABLE lent (id int PRIMARY KEY);
SET ROLE roles_app;
SELECT protect_it('lent'); SELECT protect_it('others'); SELECT govledger.protect('lent');
-- in a security-restricted operation too, as the owner of what is refreshed
RESET ROLE; GRANT ALL ON SCHEMA roles TO roles_app; SET ROLE roles_app;
CREATE FUNCTION steal() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM govledger.set_visibility('roles.others', 'public', 'x'); RETURN 1; END $$;
CREATE MATERIALIZED VIEW trap AS SELECT steal() WITH NO DATA;
RESET ROLE;
REFRESH MATERIALIZED VIEW trap;
-- names that want to be more than names
SET ROLE roles_admin;
CREATE TABLE "a""; DROP TABLE others; --" (id int PRIMARY KEY, "b""); SELECT (1" text, "Ünï $$ \ %s" int);
SELECT govledger.protect('"a""; DROP TABLE others; --"', visibility => 'public');
ALTER TABLE "a""; DROP TABLE others; --" RENAME COLUMN "b""); SELECT (1" TO "c'); x";
INSERT INTO "a""; DROP TABLE others; --" VALUES (1, 'x', 2);
SELECT govledger.set_visibility('"a""; DROP TABLE others; --"', 'private', $$'; DROP TABLE others; --$$);
SELECT govledger.unprotect('"a""; DROP TABLE others; --"', '$1 %s');
-- objects of the session that have our names
CREATE TEMP TABLE entry (transaction_id xid8); CREATE TEMP TABLE checkpoint (tree_size bigint); CREATE TEMP VIEW ledger AS SELECT 1;
SET search_path = pg_temp, roles; UPDATE mine SET note = 'c'; SELECT govledger.wait_sealed('10s'); SELECT check_name, detail FROM govledger.verify('roles.mine') WHERE NOT ok;
RESET ROLE;
SET search_path = roles;
DROP TABLE pg_temp.entry, pg_temp.checkpoint; DROP VIEW pg_temp.ledger;
SELECT check_name, detail FROM govledger.verify() WHERE NOT ok;
SELECT govledger.unprotect(relation, 'test') FROM govledger.ledger_relation WHERE relation_id = 0 AND schema_name = 'roles' AND relation IS NOT NULL;
SET search_path = public;
DROP SCHEMA roles CASCADE;
DROP ROLE roles_admin, roles_other, roles_owner, roles_app;
