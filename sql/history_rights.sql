-- A history shows what the table would: to its owner, to whom he grants it, by column, by row security; and nobody gets further by it.
SET client_min_messages = warning;
CREATE SCHEMA history_rights;
SET search_path = history_rights;
CREATE ROLE history_owner IN ROLE govledger_admin; CREATE ROLE history_heir IN ROLE govledger_admin; CREATE ROLE history_boss IN ROLE history_owner;
CREATE ROLE history_alice; CREATE ROLE history_bob; CREATE ROLE history_bypass BYPASSRLS; CREATE ROLE history_reader IN ROLE govledger_public;
GRANT USAGE ON SCHEMA history_rights TO PUBLIC; GRANT CREATE ON SCHEMA history_rights TO history_owner, history_heir, history_bob;
ALTER DEFAULT PRIVILEGES IN SCHEMA history_rights GRANT ALL ON TABLES TO PUBLIC, history_bob;
CREATE VIEW rights AS SELECT c.relname, c.relowner::regrole AS owner, a.grantee::regrole, a.grantor::regrole, a.is_grantable FROM pg_class c, aclexplode(c.relacl) a
 WHERE c.relname LIKE '%\_history' AND a.grantee <> c.relowner AND a.privilege_type = 'SELECT';
CREATE TABLE clearance (who name PRIMARY KEY, level int); INSERT INTO clearance VALUES ('history_bob', 2);
REVOKE ALL ON clearance FROM PUBLIC; GRANT SELECT ON clearance TO history_bob;

SET ROLE history_owner;
CREATE TABLE parcel (id int PRIMARY KEY, name text, tenant name, level int);
REVOKE ALL ON parcel FROM PUBLIC, history_bob;
INSERT INTO parcel VALUES (1, 'Ada', 'history_alice', 1), (2, 'Ben', 'history_bob', 3), (3, 'Cid', 'history_alice', 1);
SELECT govledger.protect('parcel', personal => '{name}');
UPDATE parcel SET tenant = 'history_bob' WHERE id = 1; DELETE FROM parcel WHERE id = 3;
RESET ROLE; SELECT govledger.wait_history('60s');

-- it belongs to the owner of the log; default privileges and membership in govledger_admin are no way to it
SELECT * FROM rights;
SELECT DISTINCT h.relowner = l.relowner AS ours FROM pg_class h, pg_class l WHERE h.relname = 'parcel_history' AND l.oid = 'govledger.entry'::regclass;
SET ROLE history_heir; SELECT count(*) FROM parcel_history; SELECT count(*) FROM govledger.as_of(NULL::parcel, now());
SET ROLE history_bob; SELECT count(*) FROM parcel_history;
-- its reader cannot change it, or have code of his run where it is filled
SET ROLE history_boss;
SELECT id, tenant, ledger_operation FROM parcel_history ORDER BY ledger_entry, id;
SELECT id, tenant FROM govledger.as_of(NULL::parcel, now()) ORDER BY id;
UPDATE parcel_history SET tenant = NULL; DELETE FROM parcel_history; TRUNCATE parcel_history;
CREATE FUNCTION evil(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'ran as %', current_user; RETURN $1; END $$;
CREATE INDEX ON parcel_history (evil(tenant)); CREATE STATISTICS s ON evil(tenant), id FROM parcel_history;
CREATE TRIGGER t BEFORE INSERT ON parcel_history FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE RULE r AS ON INSERT TO parcel_history DO INSTEAD NOTHING; CREATE POLICY p ON parcel_history USING (true);
ALTER TABLE parcel_history DISABLE ROW LEVEL SECURITY; ALTER TABLE parcel_history OWNER TO history_boss; DROP TABLE parcel_history;

-- column grants: of what is not granted nothing is read, and as_of needs them all
SET ROLE history_owner;
GRANT SELECT (id, tenant) ON parcel TO history_alice; GRANT SELECT (id, tenant, ledger_operation, ledger_entry) ON parcel_history TO history_alice;
SET ROLE history_alice;
SELECT id, tenant, ledger_operation FROM parcel_history ORDER BY ledger_entry, id;
SELECT name FROM parcel_history; SELECT count(ledger_user) FROM parcel_history; SELECT id FROM govledger.as_of(NULL::parcel, now());

-- row security: of each version what the policies let through, and as of a time only versions that nothing followed
SET ROLE history_owner;
GRANT SELECT ON parcel, parcel_history TO history_alice, history_bob, history_bypass;
ALTER TABLE parcel ENABLE ROW LEVEL SECURITY; CREATE POLICY tenants ON parcel USING (tenant = current_user);
SET ROLE history_alice;
SELECT id, ledger_operation FROM parcel_history ORDER BY ledger_entry, id;
SELECT id FROM govledger.as_of(NULL::parcel, now()) ORDER BY id;
SET ROLE history_bob;
SELECT id, ledger_operation FROM parcel_history ORDER BY ledger_entry, id;
SELECT id FROM govledger.as_of(NULL::parcel, now()) ORDER BY id;
-- a leaky function sees no more than the policies let through
CREATE FUNCTION leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE WARNING 'seen: %', $1; RETURN true; END $$;
SELECT id FROM parcel_history WHERE leak(name) ORDER BY id;
SELECT id FROM govledger.as_of(NULL::parcel, now()) WHERE leak(name) ORDER BY id;
-- views read with their owner's rights, barriers or not; those who bypass row security do so here too
CREATE VIEW bobs AS SELECT id, name FROM parcel_history; GRANT SELECT ON bobs TO history_alice;
SET ROLE history_alice; SELECT id FROM bobs ORDER BY id;
SET ROLE history_bypass; SELECT count(*) FROM parcel_history; SELECT id FROM govledger.as_of(NULL::parcel, now()) ORDER BY id;
SET row_security = off; SELECT count(*) FROM parcel_history;
SET ROLE history_alice; SELECT count(*) FROM parcel_history; RESET row_security;
-- whom the row security of the table does not concern: its owner, unless forced
SET ROLE history_boss; SELECT count(*) FROM parcel_history; SELECT id FROM govledger.as_of(NULL::parcel, now()) ORDER BY id;
SET ROLE history_owner; ALTER TABLE parcel FORCE ROW LEVEL SECURITY; SELECT count(*) FROM parcel_history; SELECT count(*) FROM govledger.as_of(NULL::parcel, now());
ALTER TABLE parcel NO FORCE ROW LEVEL SECURITY;
-- policies that change, with sub-queries (asked with the reader's rights), for some roles, restrictive
ALTER POLICY tenants ON parcel TO history_alice, history_bob; SET ROLE history_bypass; SET row_security = on; SELECT count(*) FROM parcel_history; RESET row_security;
SET ROLE history_owner;
CREATE POLICY cleared ON parcel AS RESTRICTIVE FOR SELECT USING (level <= (SELECT c.level FROM clearance c WHERE c.who = current_user));
SET ROLE history_bob; SELECT id FROM parcel_history ORDER BY id; SELECT id FROM govledger.as_of(NULL::parcel, now());
SET ROLE history_alice; SELECT id FROM parcel_history;
SET ROLE history_owner; DROP POLICY cleared ON parcel;
CREATE POLICY writers ON parcel FOR UPDATE USING (true);
SET ROLE history_alice; SELECT id, ledger_operation FROM parcel_history ORDER BY ledger_entry, id;
-- a truncate is seen by all who may read the history, or as_of would bring the rows back; nothing of the rows with it
SET ROLE history_owner; TRUNCATE parcel; INSERT INTO parcel VALUES (9, 'Eve', 'history_bob', 1);
RESET ROLE; SELECT govledger.wait_history('60s');
SET ROLE history_bob; SELECT id FROM govledger.as_of(NULL::parcel, now()) ORDER BY id;
SET ROLE history_alice; SELECT id, name, ledger_operation FROM parcel_history ORDER BY ledger_entry, id; SELECT count(*) FROM govledger.as_of(NULL::parcel, now());
-- what a history cannot be asked hides it, and says so
SET ROLE history_owner;
CREATE FUNCTION whole(parcel) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE POLICY system ON parcel AS RESTRICTIVE USING (tableoid <> 0);
SET ROLE history_bob; SELECT count(*) FROM parcel_history; SET ROLE history_owner; SELECT count(*) FROM parcel_history; DROP POLICY system ON parcel;
CREATE POLICY whole ON parcel USING (whole(parcel));
SET ROLE history_bob; SELECT count(*) FROM parcel_history; SET ROLE history_owner; DROP POLICY whole ON parcel;
CREATE POLICY deep ON parcel USING (EXISTS (SELECT FROM clearance c WHERE c.level = parcel.level AND parcel.ctid IS NOT NULL));
SET ROLE history_bob; SELECT count(*) FROM parcel_history; SET ROLE history_owner; DROP POLICY deep ON parcel;
SET ROLE history_bob; SELECT id FROM parcel_history ORDER BY ledger_entry, id;
-- names and literals stay names and literals, whatever is in them
SET ROLE history_owner;
CREATE POLICY U&"x\0001ALTER ROLE history_owner SUPERUSER --" ON parcel USING (name <> E'\001ALTER ROLE history_owner SUPERUSER --' OR name = E'''; ALTER ROLE history_owner SUPERUSER; --');
SELECT rolsuper FROM pg_roles WHERE rolname = 'history_owner';
SELECT count(*) FROM pg_policies WHERE tablename = 'parcel_history';
DROP POLICY U&"x\0001ALTER ROLE history_owner SUPERUSER --" ON parcel;
ALTER TABLE parcel DISABLE ROW LEVEL SECURITY; SET ROLE history_alice; SELECT count(*) FROM parcel_history;
-- a version may be asked about by those who may read its history
\set VERBOSITY sqlstate
SET ROLE history_heir; SELECT govledger.history_is_latest('parcel_history'::regclass, '(0,1)', 1); SELECT govledger.history_is_latest('govledger.personal'::regclass, '(0,1)', 1);
\set VERBOSITY default
SELECT govledger.rebuild('parcel') > 0 AS rebuilt;
\set VERBOSITY sqlstate
SELECT govledger.history_value('x'::text, 'parcel'::regclass, NULL::int);
\set VERBOSITY default
SELECT govledger.history_value(1, 'parcel_history'::regclass, NULL::text);
SET ROLE history_bob; SELECT govledger.rebuild('parcel');
RESET ROLE; SELECT * FROM rights ORDER BY 3;
-- a new owner; what the former one granted goes with him
ALTER TABLE parcel OWNER TO history_heir; SELECT * FROM rights;
SET ROLE history_owner; SELECT count(*) FROM parcel_history; SET ROLE history_heir; SELECT count(*) > 0 AS more FROM parcel_history;
RESET ROLE; REASSIGN OWNED BY history_heir TO history_owner; SELECT * FROM rights; REASSIGN OWNED BY history_owner TO history_heir; SELECT * FROM rights;
REVOKE CREATE ON SCHEMA history_rights FROM history_bob;

-- public: the columns that can be read in the table, what happened and when; not who and why, and not what is personal
SELECT govledger.set_visibility('parcel', 'public', 'test');
SET ROLE history_reader;
SELECT schema_name, table_name, history_schema, history_name FROM govledger.published_table;
SELECT id, tenant, level, ledger_operation, ledger_relation, ledger_time < now() AS past FROM parcel_history WHERE ledger_entry = (SELECT max(ledger_entry) FROM parcel_history);
SELECT name FROM parcel_history; SELECT ledger_user FROM parcel_history; SELECT ledger_actor FROM parcel_history; SELECT ledger_reason FROM parcel_history;
SELECT table_name, string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_schema = 'history_rights' GROUP BY 1 ORDER BY 1;
SET ROLE history_heir;
ALTER TABLE parcel ADD COLUMN zone text; ALTER TABLE parcel RENAME level TO grade; ALTER TABLE parcel DROP COLUMN tenant;
SET ROLE history_reader;
SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'parcel_history';
RESET ROLE; SELECT govledger.set_visibility('parcel', 'private', 'test');
SET ROLE history_reader; SELECT id FROM parcel_history;
-- without personal columns as_of is for everybody too; what was dropped is in nobody's way
RESET ROLE;
CREATE TABLE rate (id int PRIMARY KEY, old text, value numeric); INSERT INTO rate VALUES (1, 'x', 5); SELECT govledger.protect('rate', visibility => 'public', history_name => 'rates_of_old');
ALTER TABLE rate DROP COLUMN old; UPDATE rate SET value = 6; SELECT govledger.wait_history('60s');
SET ROLE history_reader; SELECT * FROM govledger.as_of(NULL::rate, now()); SELECT value, ledger_operation FROM rates_of_old ORDER BY ledger_entry; SELECT old FROM rates_of_old;
RESET ROLE; SELECT govledger.unprotect('rate', 'test'); SET ROLE history_reader; SELECT value FROM rates_of_old; RESET ROLE;

-- a superuser who reads the past runs no code of the table's owner with rights of his own
SET ROLE history_owner;
CREATE FUNCTION watch(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'text % as %', $1, current_user; RETURN true; END $$;
CREATE FUNCTION watch(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'int % as %', $1, current_user; RETURN true; END $$;
CREATE DOMAIN watched_text AS text CHECK (watch(VALUE)); CREATE DOMAIN watched_int AS int CHECK (watch(VALUE));
CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a watched_int, b mood);
CREATE TABLE trap (id watched_int PRIMARY KEY, t watched_text, p pair, m mood[], d date[]);
INSERT INTO trap VALUES (1, 'x', '(2,ok)', '{sad,ok}', '{2026-02-01}'); SELECT govledger.protect('trap');
GRANT SELECT ON trap_history TO history_alice;
RESET ROLE; SELECT govledger.wait_history('60s');
SET DateStyle = 'SQL, DMY';
SELECT * FROM govledger.as_of(NULL::trap, now()); SELECT * FROM govledger.as_of(NULL::trap, now()) WHERE m = '{sad,ok}' AND id = 1;
SET ROLE history_alice; SELECT t FROM govledger.as_of(NULL::trap, now());
RESET ROLE; RESET DateStyle;

SELECT check_name, object, detail FROM govledger.verify() WHERE NOT ok;
SELECT govledger.unprotect(relation, 'test') FROM govledger.ledger_relation WHERE relation_id = 0 AND schema_name = 'history_rights' AND relation IS NOT NULL;
SET search_path = public;
DROP SCHEMA history_rights CASCADE;
DROP ROLE history_owner, history_heir, history_boss, history_alice, history_bob, history_bypass, history_reader;
