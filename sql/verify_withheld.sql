-- What verify() and entry_records() print of a row is what the caller may read of the table; the finding itself is for every auditor.
SET client_min_messages = warning;
-- a superuser who means it
SET govledger.guards = off;
CREATE SCHEMA withheld;
SET search_path = withheld;
CREATE ROLE withheld_auditor IN ROLE govledger_auditor; CREATE ROLE withheld_owner IN ROLE govledger_admin, govledger_auditor;
CREATE ROLE withheld_dumper IN ROLE govledger_auditor, pg_read_all_data; CREATE ROLE withheld_bypass BYPASSRLS IN ROLE govledger_auditor, pg_read_all_data;
GRANT USAGE, CREATE ON SCHEMA withheld TO withheld_owner;
-- change a table while its triggers are off
CREATE FUNCTION behind(target regclass, command text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', target);
	EXECUTE command;
	EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "!govledger"', target);
	EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "!govledger_truncate"', target);
END $$;
CREATE FUNCTION findings(target text) RETURNS TABLE (detail text, key jsonb, "column" text, logged text, found text) LANGUAGE sql AS $$
	SELECT detail, key, column_name, logged, found FROM govledger.verify($1::regclass) WHERE NOT ok AND check_name IN ('rows', 'entry') ORDER BY detail, key, 3 $$;
CREATE TABLE mark (name text PRIMARY KEY, transaction_id xid8); GRANT SELECT ON mark TO PUBLIC;
GRANT EXECUTE ON FUNCTION findings(text) TO PUBLIC;

SET ROLE withheld_owner;
CREATE TABLE patient (id int, ward text, name text, born date, disease text, PRIMARY KEY (id, ward));
INSERT INTO patient VALUES (1, 'a', 'Ada', '1990-01-01', 'flu'), (2, 'a', 'Ben', NULL, NULL), (3, 'b', 'Cid', '1990-01-03', 'cold');
SELECT govledger.protect('patient', personal => '{name}');
RESET ROLE;
BEGIN; INSERT INTO mark SELECT 'update', pg_current_xact_id(); UPDATE patient SET name = 'Eve', disease = NULL WHERE id = 1; COMMIT;
BEGIN; INSERT INTO mark SELECT 'delete', pg_current_xact_id(); DELETE FROM patient WHERE id = 2; COMMIT;
SELECT count(govledger.seal()) >= 0 AS sealed;
SELECT behind('patient', $$UPDATE patient SET name = 'Mallory', disease = 'plague', born = NULL WHERE id = 1$$);
SELECT behind('patient', $$DELETE FROM patient WHERE id = 3$$);
SELECT behind('patient', $$INSERT INTO patient VALUES (9, 'z', 'Ghost', NULL, 'none')$$);

-- the owner sees all; an auditor without a right nothing; with USAGE on the schema missing, nothing; then what was granted
SET ROLE withheld_owner; SELECT * FROM findings('patient');
SET ROLE withheld_auditor; SELECT detail, key, column_name, logged, found FROM govledger.verify() WHERE NOT ok AND object = 'withheld.patient';
RESET ROLE; GRANT SELECT (id, disease) ON patient TO withheld_auditor;
SET ROLE withheld_auditor; SELECT key, column_name, logged, found FROM govledger.verify() WHERE NOT ok AND object = 'withheld.patient' LIMIT 1;
RESET ROLE; GRANT USAGE ON SCHEMA withheld TO withheld_auditor, withheld_dumper, withheld_bypass;
SET ROLE withheld_auditor; SELECT * FROM findings('patient');
RESET ROLE; GRANT SELECT ON patient TO withheld_auditor; REVOKE SELECT (id, disease) ON patient FROM withheld_auditor;
SET ROLE withheld_auditor; SELECT * FROM findings('patient');
-- the records: NULL or not is withheld too, in images; a function's owner decides where it runs with his rights
RESET ROLE; REVOKE SELECT ON patient FROM withheld_auditor; GRANT SELECT (id, ward) ON patient TO withheld_auditor;
SET ROLE withheld_owner; SELECT kind, image, changes FROM mark, govledger.entry_records(transaction_id) ORDER BY name;
SET ROLE withheld_auditor; SELECT kind, image, changes FROM mark, govledger.entry_records(transaction_id) ORDER BY name;
RESET ROLE;
CREATE FUNCTION as_owner() RETURNS TABLE (image jsonb) LANGUAGE sql SECURITY DEFINER SET search_path = withheld, pg_temp
	AS $$ SELECT image FROM mark, govledger.entry_records(transaction_id) ORDER BY name $$;
SET ROLE withheld_auditor; SELECT * FROM as_owner();

-- row security: nothing, for whom it applies
RESET ROLE;
GRANT SELECT ON patient TO withheld_auditor;
ALTER TABLE patient ENABLE ROW LEVEL SECURITY;
CREATE POLICY ward_a ON patient FOR SELECT USING (ward = 'a');
SET ROLE withheld_auditor; SELECT * FROM findings('patient') LIMIT 3;
SELECT kind, image, changes FROM mark, govledger.entry_records(transaction_id) ORDER BY name;
SET row_security = off; SELECT count(*) FROM findings('patient') WHERE logged LIKE '%Eve%'; RESET row_security;
SET ROLE withheld_dumper; SELECT count(*) FROM findings('patient') WHERE logged LIKE '%(not readable by withheld_dumper)%';
SET ROLE withheld_bypass; SELECT logged FROM findings('patient') WHERE "column" = 'name';
SET ROLE withheld_owner; SELECT logged FROM findings('patient') WHERE "column" = 'name';
ALTER TABLE patient FORCE ROW LEVEL SECURITY; SELECT logged FROM findings('patient') WHERE "column" = 'name';
ALTER TABLE patient DISABLE ROW LEVEL SECURITY;

-- a personal value kept beside the log is shown to nobody else either
RESET ROLE;
REVOKE SELECT ON patient FROM withheld_auditor; GRANT SELECT (id) ON patient TO withheld_auditor;
BEGIN;
UPDATE govledger.personal p SET content = overlay(content PLACING 'X'::bytea FROM position('Eve'::bytea IN content)) FROM mark
 WHERE name = 'update' AND p.transaction_id = mark.transaction_id;
SELECT regexp_replace(detail, '\d+', 'N'), column_name, logged, found FROM govledger.verify() WHERE check_name = 'entry' AND NOT ok;
SET ROLE withheld_auditor;
SELECT regexp_replace(detail, '\d+', 'N'), column_name, logged, found FROM govledger.verify() WHERE check_name = 'entry' AND NOT ok;
ROLLBACK;
-- columns and tables that are gone: no right on them can be had any more
RESET ROLE;
GRANT SELECT ON patient TO withheld_auditor;
ALTER TABLE patient DROP COLUMN disease;
SET ROLE withheld_auditor; SELECT kind, image, changes FROM mark, govledger.entry_records(transaction_id) ORDER BY name;
SET ROLE withheld_dumper; SELECT kind, image, changes FROM mark, govledger.entry_records(transaction_id) ORDER BY name;
RESET ROLE;
SELECT govledger.unprotect('patient', 'test');
SET ROLE withheld_auditor; SELECT kind, image, changes FROM mark, govledger.entry_records(transaction_id) ORDER BY name;
SET ROLE withheld_dumper; SELECT kind, image, changes FROM mark, govledger.entry_records(transaction_id) ORDER BY name;
-- the log itself: headers, no contents
SET ROLE withheld_auditor;
SELECT count(e.record_root) = count(*) AS headers FROM govledger.entry e JOIN mark USING (transaction_id);
SELECT content FROM govledger.entry;
SELECT secret FROM govledger.entry;
SELECT * FROM govledger.entry;
SELECT count(*) FROM govledger.record_chunk;
SELECT count(*) FROM govledger.personal;
SELECT count(*) FROM govledger.context;
COPY govledger.personal TO STDOUT;
SET ROLE withheld_owner; SELECT count(*) FROM govledger.personal;
RESET ROLE;

-- code of a table's owner in the way: his domain's check raises what a cancelled query raises, writes, and wants more rights
SET ROLE withheld_owner;
CREATE TABLE trace (what text);
CREATE FUNCTION hostile(value text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('withheld.hostile', true) = 'cancel' THEN
		RAISE EXCEPTION 'canceling statement due to user request' USING ERRCODE = '57014';
	ELSIF current_setting('withheld.hostile', true) = 'write' THEN
		INSERT INTO withheld.trace VALUES (current_user || ' ' || session_user);
		UPDATE withheld.watched SET id = id + 100;
	ELSIF current_setting('withheld.hostile', true) = 'escalate' THEN
		PERFORM set_config('role', session_user, false);
	END IF;
	RETURN true;
END $$;
CREATE DOMAIN watched_text AS text CHECK (withheld.hostile(value));
CREATE TABLE watched (id int PRIMARY KEY, note watched_text);
SELECT govledger.protect('watched');
INSERT INTO watched VALUES (1, 'true');
RESET ROLE;
SELECT behind('watched', $$UPDATE watched SET note = 'false'$$);
SET withheld.hostile = 'cancel';
SELECT * FROM findings('watched');
SET withheld.hostile = 'escalate';
SELECT * FROM findings('watched');
SET withheld.hostile = 'write';
SELECT * FROM findings('watched');
SELECT count(*) FROM trace;
SELECT current_user = session_user AS still_me;
RESET withheld.hostile;
SELECT behind('watched', $$UPDATE watched SET note = 'true'$$);

SELECT govledger.unprotect(relation, 'test') FROM govledger.ledger_relation WHERE relation_id = 0 AND schema_name = 'withheld' AND relation IS NOT NULL;
SET search_path = public;
DROP SCHEMA withheld CASCADE;
DROP ROLE withheld_auditor, withheld_owner, withheld_dumper, withheld_bypass;
