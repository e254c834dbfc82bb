-- Visibility public is a grant on columns: it comes with protect(), follows the table, and goes with unprotect().
SET client_min_messages = warning;
CREATE SCHEMA visibility;
SET search_path = visibility;
CREATE ROLE visibility_clerk IN ROLE govledger_admin; CREATE ROLE visibility_reader IN ROLE govledger_public; CREATE ROLE visibility_other IN ROLE govledger_admin;
ALTER SCHEMA visibility OWNER TO visibility_clerk;
CREATE FUNCTION rights(target regclass) RETURNS TABLE (column_name name, rights aclitem[]) LANGUAGE sql AS $$
	SELECT attname, attacl FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
	UNION ALL SELECT '(table)', array_agg(a) FROM unnest((SELECT relacl FROM pg_class WHERE oid = $1)) a WHERE a::text LIKE 'govledger_public%' $$;
CREATE VIEW visibility_log AS SELECT t.table_id, t.visibility FROM govledger.ledger_table t JOIN govledger.ledger_relation USING (table_id) WHERE relation_name = 'parcel' AND schema_name = 'visibility';
GRANT SELECT ON visibility_log TO visibility_clerk;

SET ROLE visibility_clerk;
CREATE TABLE parcel (id int PRIMARY KEY, owner text, area numeric, "Odd ""name"", x" text);
INSERT INTO parcel VALUES (1, 'Ada', 10, 'x'), (2, 'Ben', 20, 'y');
SET client_min_messages = notice;
\set VERBOSITY terse
SELECT govledger.protect('parcel', visibility => 'public', personal => '{owner}');
\set VERBOSITY default
SELECT * FROM rights('parcel');
-- a new column is public too, and that is said; renamed and dropped ones need nothing
ALTER TABLE parcel ADD COLUMN remark text;
ALTER TABLE parcel RENAME COLUMN remark TO note;
ALTER TABLE parcel DROP COLUMN "Odd ""name"", x";
SELECT * FROM rights('parcel');
SET client_min_messages = warning;
-- the schema is its owner's to open
SET ROLE visibility_reader;
SELECT id FROM visibility.parcel;
SET ROLE visibility_clerk;
GRANT USAGE ON SCHEMA visibility TO govledger_public;
SET ROLE visibility_reader;
SELECT id, area, note FROM parcel ORDER BY id;
SELECT count(*) FROM parcel;
SELECT owner FROM parcel;
SELECT * FROM parcel;
SELECT id FROM parcel FOR UPDATE;
UPDATE parcel SET area = 0;
SELECT schema_name, table_name, append_only, protected_at IS NOT NULL AS protected, jsonb_pretty(columns) FROM govledger.published_table WHERE schema_name = 'visibility';
SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'visibility' ORDER BY 1;
-- a function in WHERE sees no table that is not public
CREATE FUNCTION pg_temp.leak(name, text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'seen: %.%', $1, $2; RETURN true; END $$;
RESET ROLE;
CREATE TABLE secret (id int PRIMARY KEY); SELECT govledger.protect('secret');
SET ROLE visibility_reader;
SET client_min_messages = notice;
SELECT count(*) FROM govledger.published_table WHERE pg_temp.leak(schema_name, table_name);
SET client_min_messages = warning;

-- changed with a record of it
SET ROLE visibility_clerk;
SELECT govledger.set_visibility('parcel', 'private', 'withdrawn');
SELECT * FROM rights('parcel');
SELECT visibility FROM visibility_log;
SET ROLE visibility_reader;
SELECT id FROM parcel;
SELECT count(*) FROM govledger.published_table WHERE schema_name = 'visibility';
SET ROLE visibility_clerk;
SELECT govledger.set_visibility('parcel', 'peers', 'shared');
SELECT visibility FROM visibility_log;
SELECT count(*) FROM rights('parcel') WHERE rights IS NOT NULL;
SELECT govledger.set_visibility('parcel', 'public', 'back');
-- rolled back is rolled back
BEGIN; SELECT govledger.set_visibility('parcel', 'private', 'no'); ROLLBACK;
SELECT * FROM rights('parcel');
-- what somebody granted or took by hand is put right when asked for, without a new record
GRANT SELECT ON parcel TO govledger_public WITH GRANT OPTION; REVOKE SELECT (id) ON parcel FROM govledger_public;
SET ROLE visibility_reader; GRANT SELECT ON parcel TO PUBLIC; SET ROLE visibility_clerk;
SELECT govledger.set_visibility('parcel', 'public', 'repair');
SELECT * FROM rights('parcel');
RESET ROLE;
SELECT grantee::regrole FROM aclexplode((SELECT relacl FROM pg_class WHERE oid = 'parcel'::regclass)) WHERE privilege_type = 'SELECT';
SELECT count(*) FROM govledger.entry e, govledger.entry_records(e.transaction_id) WHERE kind = 'schema' AND relation = 'visibility.parcel';
SELECT check_name, detail FROM govledger.verify() WHERE NOT ok;
-- grants follow a new owner
ALTER TABLE parcel OWNER TO visibility_other;
SELECT * FROM rights('parcel') LIMIT 1;
SET ROLE visibility_clerk; SELECT govledger.set_visibility('parcel', 'private', 'not mine any more');
RESET ROLE; GRANT USAGE, CREATE ON SCHEMA visibility TO visibility_other;
SET ROLE visibility_other; SELECT govledger.set_visibility('parcel', 'private', 'mine now'); SELECT count(*) FROM rights('parcel') WHERE rights IS NOT NULL;
SELECT govledger.set_visibility('parcel', 'public', 'public again');

-- refused
SELECT govledger.set_visibility('parcel', 'secret', 'x');
SELECT govledger.set_visibility('parcel', 'private', E' \t');
SELECT govledger.set_visibility('rights', 'private', 'x');
SELECT govledger.set_visibility('secret', 'public', 'not mine');
SELECT govledger.set_visibility('pg_class', 'public', 'x');
SET ROLE visibility_reader; SELECT govledger.set_visibility('parcel', 'public', 'x');
RESET ROLE;

-- partitions are reached through the table; a personal key stays personal; nothing public, nothing granted
CREATE TABLE tax (year int, id int, amount numeric, PRIMARY KEY (year, id)) PARTITION BY LIST (year);
CREATE TABLE tax_2025 PARTITION OF tax FOR VALUES IN (2025);
SELECT govledger.protect('tax', visibility => 'public', personal => '{id}');
CREATE TABLE tax_2026 PARTITION OF tax FOR VALUES IN (2026);
ALTER TABLE tax ADD COLUMN paid boolean;
INSERT INTO tax VALUES (2025, 1, 5), (2026, 1, 7);
SELECT 'tax', * FROM rights('tax') UNION ALL SELECT 'tax_2026', * FROM rights('tax_2026');
SET ROLE visibility_reader;
SELECT year, amount, paid FROM tax ORDER BY year;
SELECT year FROM tax_2026;
SELECT count(*) FROM tax WHERE id = 1;
RESET ROLE;
CREATE TABLE person (id int PRIMARY KEY); SELECT govledger.protect('person', visibility => 'public', personal => '{id}');
SELECT * FROM rights('person');
SELECT table_name, columns FROM govledger.published_table WHERE table_name = 'person' AND schema_name = 'visibility';
-- row security is PostgreSQL's own
ALTER TABLE tax ENABLE ROW LEVEL SECURITY;
SET ROLE visibility_reader; SELECT count(year) FROM tax; RESET ROLE;
CREATE POLICY open_years ON tax FOR SELECT TO govledger_public USING (year < 2026);
SET ROLE visibility_reader; SELECT year FROM tax; RESET ROLE;
-- the end of protection is the end of the grant
SELECT govledger.unprotect('tax', 'test');
SELECT count(*) FROM rights('tax') WHERE rights IS NOT NULL;
SELECT count(*) FROM govledger.published_table WHERE schema_name = 'visibility' AND table_name = 'tax';
-- private tables: what was granted by hand is the DBA's
GRANT SELECT ON secret TO govledger_public; ALTER TABLE secret ADD COLUMN more int; SELECT govledger.unprotect('secret', 'test');
SELECT * FROM rights('secret') WHERE column_name = '(table)';

SELECT govledger.unprotect(relation, 'test') FROM govledger.ledger_relation WHERE relation_id = 0 AND schema_name = 'visibility' AND relation IS NOT NULL;
SELECT check_name, detail FROM govledger.verify() WHERE NOT ok;
DROP FUNCTION pg_temp.leak(name, text);
SET search_path = public;
DROP SCHEMA visibility CASCADE;
DROP ROLE visibility_clerk, visibility_reader, visibility_other;
