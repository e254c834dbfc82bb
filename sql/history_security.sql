-- Row security of the table holds for its history and for as_of.
SET client_min_messages = warning;
CREATE SCHEMA history_security;
SET search_path = history_security;
CREATE ROLE history_security_a; CREATE ROLE history_security_b; CREATE ROLE history_security_owner; CREATE ROLE history_security_admin IN ROLE govledger_admin;
GRANT ALL ON SCHEMA history_security TO history_security_a, history_security_b, history_security_owner, history_security_admin;
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE district (name text, official text);
INSERT INTO district VALUES ('north', 'history_security_a'), ('south', 'history_security_b');
GRANT SELECT ON district TO PUBLIC;
CREATE TABLE doc (id integer PRIMARY KEY, official text, m mood, d text);
INSERT INTO doc VALUES (1, 'history_security_a', 'glad', 'of a'), (2, 'history_security_b', 'sad', 'of b'), (3, 'history_security_a', 'glad', 'of a, then of b');
SELECT govledger.protect('doc');
GRANT SELECT ON doc_history, doc TO history_security_a, history_security_b;
UPDATE doc SET official = 'history_security_b', d = 'now of b' WHERE id = 3;
SELECT govledger.seal(), govledger.wait_history('30 s');
SET ROLE history_security_a;
SELECT count(*) FROM doc_history;
RESET ROLE;
-- switched on later: the history follows
CREATE POLICY own ON doc FOR SELECT USING (official = current_user);
SELECT relrowsecurity FROM pg_class WHERE oid = 'doc_history'::regclass;
ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'doc_history'::regclass;
SET ROLE history_security_a;
SELECT id, d, ledger_operation FROM doc_history ORDER BY ledger_entry, ledger_record;
-- not the version of 3 that was a's once and is b's now
SELECT * FROM govledger.as_of(NULL::doc, 'infinity'::timestamptz) ORDER BY id;
SELECT * FROM doc ORDER BY id;
SET ROLE history_security_b;
SELECT * FROM govledger.as_of(NULL::doc, 'infinity'::timestamptz) ORDER BY id;
RESET ROLE;
-- and at the time when it was a's, a sees it
SELECT first_leaf + 1 AS then FROM govledger.history_progress WHERE table_id = (SELECT table_id FROM govledger.history_table WHERE history = 'doc_history'::regclass) \gset
SET ROLE history_security_a;
SELECT id, d FROM govledger.as_of(NULL::doc, :then) ORDER BY id;
-- functions that look at what they get do not see more
CREATE FUNCTION leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE WARNING 'saw %', $1; RETURN true; END $$;
SELECT id FROM govledger.as_of(NULL::doc, 'infinity'::timestamptz) WHERE leak(d);
SELECT count(*) FROM doc_history WHERE leak(d);
RESET ROLE;
-- the function behind it tells nothing to those who may not read the history
CREATE ROLE history_security_c; GRANT USAGE ON SCHEMA history_security TO history_security_c;
SET ROLE history_security_c;
\set VERBOSITY sqlstate
SELECT govledger.history_is_latest('doc_history'::regclass, '(0,1)', 1);
\set VERBOSITY default
SELECT govledger.history_is_latest('pg_class'::regclass, '(0,1)', 1);
RESET ROLE;
\set VERBOSITY terse
SELECT govledger.history_is_latest('doc'::regclass, '(0,1)', 1);
SELECT govledger.history_is_latest(0, '(0,1)', 1);
\set VERBOSITY default
-- other policies: for roles, restrictive, with other tables and types that the history has as text, changed and dropped
CREATE POLICY by_district ON doc FOR SELECT TO history_security_b
 USING (m = 'glad' AND EXISTS (SELECT FROM district x WHERE x.official = doc.official AND x.name = 'north'));
CREATE POLICY never_two ON doc AS RESTRICTIVE FOR ALL USING (id <> 2) WITH CHECK (true);
CREATE POLICY for_insert ON doc FOR INSERT WITH CHECK (true);
SELECT polname, polpermissive, polcmd FROM pg_policy WHERE polrelid = 'doc_history'::regclass ORDER BY 1;
SET ROLE history_security_b;
SELECT id, d FROM govledger.as_of(NULL::doc, 'infinity'::timestamptz) ORDER BY id;
SELECT id, d FROM doc ORDER BY id;
RESET ROLE;
ALTER POLICY never_two ON doc USING (id <> 1);
ALTER POLICY by_district ON doc RENAME TO north;
DROP POLICY own ON doc;
SELECT polname FROM pg_policy WHERE polrelid = 'doc_history'::regclass ORDER BY 1;
SET ROLE history_security_b;
SELECT id, d FROM govledger.as_of(NULL::doc, 'infinity'::timestamptz) ORDER BY id;
SELECT id, d FROM doc ORDER BY id;
SET ROLE history_security_admin;
-- membership in govledger_admin is no way around
SELECT id, d FROM doc_history WHERE d IS NOT NULL;
RESET ROLE;
DROP POLICY never_two ON doc;
CREATE POLICY own ON doc FOR SELECT USING (official = current_user);
-- columns come and are renamed
ALTER TABLE doc RENAME COLUMN official TO clerk;
ALTER TABLE doc ADD COLUMN extra integer;
UPDATE doc SET extra = 5;
SELECT govledger.seal(), govledger.wait_history('30 s');
SET ROLE history_security_a;
SELECT id, clerk, extra FROM govledger.as_of(NULL::doc, 'infinity'::timestamptz) ORDER BY id;
RESET ROLE;
-- a truncate hides nothing and brings nothing back
TRUNCATE doc;
INSERT INTO doc VALUES (1, 'history_security_b', 'sad', 'new');
SELECT govledger.seal(), govledger.wait_history('30 s');
SET ROLE history_security_a;
SELECT * FROM govledger.as_of(NULL::doc, 'infinity'::timestamptz) ORDER BY id;
SELECT count(*) FROM doc_history WHERE ledger_operation = 'truncate';
SET ROLE history_security_b;
SELECT * FROM govledger.as_of(NULL::doc, 'infinity'::timestamptz) ORDER BY id;
RESET ROLE;
SELECT check_name, ok FROM govledger.verify('doc') WHERE check_name = 'history';
-- switched off behind its back, it is named
BEGIN; SET LOCAL client_min_messages = error; ALTER TABLE doc_history DISABLE ROW LEVEL SECURITY;
SELECT object, detail FROM govledger.verify('doc') WHERE check_name = 'history' AND NOT ok; ROLLBACK;
-- what cannot be asked of a history hides it
SET client_min_messages = notice;
CREATE POLICY by_place ON doc FOR SELECT USING (tableoid = 'doc'::regclass);
SET client_min_messages = warning;
SET ROLE history_security_b;
SELECT count(*) FROM doc_history WHERE id IS NOT NULL;
RESET ROLE;
DROP POLICY by_place ON doc;
SET ROLE history_security_b;
SELECT count(*) > 0 FROM doc_history WHERE id IS NOT NULL;
RESET ROLE;
-- off again
ALTER TABLE doc DISABLE ROW LEVEL SECURITY;
SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'doc_history'::regclass;
SET ROLE history_security_a;
SELECT * FROM govledger.as_of(NULL::doc, 'infinity'::timestamptz) ORDER BY id;
RESET ROLE;
-- no key, row security from the start, an owner who is nobody special
SET ROLE history_security_owner;
CREATE TABLE note (who text, what text);
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON note USING (who = current_user);
GRANT ALL ON note TO history_security_a;
RESET ROLE;
SELECT govledger.protect('note', append_only => true);
GRANT SELECT ON note_history TO history_security_owner, history_security_a;
INSERT INTO note VALUES ('history_security_a', 'x'), ('history_security_owner', 'y');
SELECT govledger.seal(), govledger.wait_history('30 s');
SET ROLE history_security_a; SELECT * FROM govledger.as_of(NULL::note, 'infinity'::timestamptz);
SET ROLE history_security_owner; SELECT * FROM govledger.as_of(NULL::note, 'infinity'::timestamptz);
SELECT govledger.rebuild('note');
SET ROLE history_security_a; SELECT govledger.rebuild('note');
SET ROLE history_security_admin; SELECT govledger.rebuild('note');
RESET ROLE;
-- a type of a user is never asked while a history is filled: it would be with the rights of the server
CREATE FUNCTION trap(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'called as %', CASE WHEN current_user = session_user THEN 'the session' ELSE current_user END; END $$;
CREATE DOMAIN quiet AS text;
CREATE TABLE trapped (id integer PRIMARY KEY, v quiet);
INSERT INTO trapped VALUES (1, 'x');
SELECT govledger.protect('trapped');
ALTER DOMAIN quiet ADD CONSTRAINT c CHECK (trap(VALUE)) NOT VALID;
SELECT govledger.seal(), govledger.wait_history('30 s');
SELECT id, v FROM trapped_history;
\set VERBOSITY terse
-- but by whoever asks for the table's own types, as the one who asks
SELECT id, v FROM govledger.as_of(NULL::trapped, 'infinity'::timestamptz);
SELECT govledger.unprotect(t, 'end of test') FROM unnest('{doc,note,trapped}'::regclass[]) t;
DROP SCHEMA history_security CASCADE;
DROP OWNED BY history_security_a, history_security_b, history_security_c, history_security_admin, history_security_owner;
DROP ROLE history_security_a, history_security_b, history_security_c, history_security_admin, history_security_owner;
