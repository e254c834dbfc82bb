-- What each kind of change leaves in the log. changes_since shows the entries of this test in commit order.
SET client_min_messages = warning;
CREATE SCHEMA capture_changes;
SET search_path = capture_changes;
CREATE FUNCTION changes_since(since pg_lsn DEFAULT '0/0') RETURNS TABLE (entry bigint, record bigint, kind text, relation text, image jsonb, changes jsonb)
LANGUAGE sql AS $$
	SELECT dense_rank() OVER (ORDER BY e.position), r.record, r.kind, r.relation, r.image, r.changes
	  FROM govledger.entry e, govledger.entry_records(e.transaction_id) r
	 WHERE e.position >= since AND (r.relation LIKE 'capture_changes.%' OR r.relation IS NULL)
	 ORDER BY e.position, r.record $$;
CREATE TABLE account (id int PRIMARY KEY, owner text, balance numeric NOT NULL DEFAULT 0);
INSERT INTO account VALUES (1, 'Ada', 10), (2, NULL, 20);
SELECT govledger.protect('account');
SELECT * FROM changes_since();

-- insert, update (only what changed is listed as old), delete; NULLs are left out
SELECT pg_current_wal_insert_lsn() AS start \gset
INSERT INTO account VALUES (3, NULL, 0);
UPDATE account SET owner = 'Grace' WHERE id = 2;
UPDATE account SET owner = NULL, balance = balance WHERE id = 2;
UPDATE account SET id = 4 WHERE id = 3;
DELETE FROM account WHERE id = 4;
SELECT * FROM changes_since(:'start');

-- one transaction, one entry; savepoints cut back what they roll back, at any depth
SELECT pg_current_wal_insert_lsn() AS start \gset
BEGIN;
INSERT INTO account VALUES (10);
SAVEPOINT a;
INSERT INTO account VALUES (11);
SAVEPOINT b;
INSERT INTO account VALUES (12);
SAVEPOINT c;
INSERT INTO account VALUES (13);
RELEASE c;
ROLLBACK TO b;
INSERT INTO account VALUES (14);
RELEASE a;
SAVEPOINT d;
DELETE FROM account;
ROLLBACK TO d;
COMMIT;
SELECT * FROM changes_since(:'start');
-- rolled back as a whole, or read-only: nothing
SELECT pg_current_wal_insert_lsn() AS start \gset
BEGIN; DELETE FROM account; ROLLBACK;
BEGIN; SAVEPOINT a; DELETE FROM account; ROLLBACK TO a; COMMIT;
BEGIN; SELECT id FROM account WHERE id = 1 FOR UPDATE; COMMIT;
SELECT * FROM changes_since(:'start');

-- exception blocks
DO $$
BEGIN
	FOR i IN 20..25 LOOP
		BEGIN
			INSERT INTO capture_changes.account VALUES (i);
			IF i % 2 = 1 THEN
				RAISE EXCEPTION 'odd';
			END IF;
		EXCEPTION WHEN raise_exception THEN
			NULL;
		END;
	END LOOP;
END $$;
SELECT * FROM changes_since(:'start');

-- COPY, ON CONFLICT, MERGE, WHERE CURRENT OF, a CTE that changes two tables' rows
SELECT pg_current_wal_insert_lsn() AS start \gset
COPY account FROM stdin;
30	Copy	1
31	\N	2
\.
INSERT INTO account VALUES (30, 'x', 5), (32, 'y', 6) ON CONFLICT (id) DO UPDATE SET balance = excluded.balance;
INSERT INTO account VALUES (30, 'z', 7) ON CONFLICT DO NOTHING;
MERGE INTO account USING (VALUES (31, 1), (33, 2), (32, 3)) v (id, b) ON account.id = v.id
	WHEN MATCHED AND v.b = 3 THEN DELETE WHEN MATCHED THEN UPDATE SET balance = v.b WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'm', v.b);
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM account WHERE id = 33 FOR UPDATE;
FETCH c;
UPDATE account SET owner = 'cursor' WHERE CURRENT OF c;
COMMIT;
WITH gone AS (DELETE FROM account WHERE id >= 30 RETURNING *) INSERT INTO account SELECT id + 100, owner, balance FROM gone WHERE id = 33;
SELECT * FROM changes_since(:'start');

-- TRUNCATE, with foreign keys that cascade it
SELECT pg_current_wal_insert_lsn() AS start \gset
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES account ON UPDATE CASCADE ON DELETE CASCADE);
SELECT govledger.protect('child');
INSERT INTO child VALUES (1, 10), (2, 11), (3, 14);
UPDATE account SET id = 15 WHERE id = 14;
DELETE FROM account WHERE id = 15;
TRUNCATE account CASCADE;
SELECT entry, record, kind, relation, image, changes FROM changes_since(:'start') WHERE kind <> 'schema';

-- the order of one row is that of the commands, not that of the triggers: here the user's trigger updates row 2 before
-- the statement's own change of row 2 is captured
SELECT pg_current_wal_insert_lsn() AS start \gset
INSERT INTO account VALUES (1, 'a', 1), (2, 'b', 1);
CREATE FUNCTION touch_two() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE capture_changes.account SET balance = balance + 100 WHERE id = 2; RETURN NULL; END $$;
CREATE TRIGGER zz AFTER UPDATE ON account FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION touch_two();
UPDATE account SET balance = balance + 10;
SELECT l.record, l.image, l.changes, rank() OVER (ORDER BY command_id) AS change_order
  FROM changes_since(:'start') l, (SELECT * FROM govledger.entry ORDER BY position DESC LIMIT 1) e, govledger.entry_records(e.transaction_id) r
 WHERE l.entry = 2 AND r.record = l.record ORDER BY l.record;
DROP TRIGGER zz ON account;

-- BEFORE triggers change what is stored: that is what is recorded; triggers that swallow a row leave nothing
SELECT pg_current_wal_insert_lsn() AS start \gset
CREATE FUNCTION rewrite() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 99 THEN RETURN NULL; END IF; NEW.owner := upper(NEW.owner); RETURN NEW; END $$;
CREATE TRIGGER rewrite BEFORE INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION rewrite();
INSERT INTO account VALUES (50, 'lower', 1), (99, 'gone', 1);
SELECT * FROM changes_since(:'start');
-- neither replica role nor a view in between is a way around
SELECT pg_current_wal_insert_lsn() AS start \gset
SET session_replication_role = replica;
UPDATE account SET balance = 3 WHERE id = 50;
RESET session_replication_role;
CREATE VIEW rich AS SELECT * FROM account WHERE balance > 2;
UPDATE rich SET balance = 4 WHERE id = 50;
SELECT * FROM changes_since(:'start');

-- rows that a user's trigger put in while the truncate was still under way are in the log after it
SELECT pg_current_wal_insert_lsn() AS start \gset
CREATE FUNCTION seed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO capture_changes.child VALUES (7); RETURN NULL; END $$;
CREATE TRIGGER zz_seed AFTER TRUNCATE ON account FOR EACH STATEMENT EXECUTE FUNCTION seed();
BEGIN; TRUNCATE account, child; ROLLBACK;
BEGIN; TRUNCATE account, child; SELECT * FROM child; COMMIT;
SELECT * FROM changes_since(:'start');
DROP TRIGGER zz_seed ON account;

-- append only
CREATE TABLE journal (at date, what text);
SELECT govledger.protect('journal');
SELECT govledger.protect('journal', append_only => true);
INSERT INTO journal VALUES ('2026-01-01', 'same'), ('2026-01-01', 'same');
UPDATE journal SET what = 'x';
DELETE FROM journal;
TRUNCATE journal;
SELECT * FROM changes_since(:'start') WHERE relation LIKE '%journal' AND kind <> 'schema';

-- personal columns: a leaf in the record, the value beside it, NULL and key included
SELECT pg_current_wal_insert_lsn() AS start \gset
CREATE TABLE person (id int PRIMARY KEY, name text, born date, city text);
SELECT govledger.protect('person', personal => '{id,name,born}');
INSERT INTO person VALUES (1, 'Ada', NULL, 'London');
UPDATE person SET born = '1815-12-10', city = 'Paris';
SELECT kind, image, changes FROM changes_since(:'start') WHERE kind <> 'schema';
SELECT count(*) FROM govledger.entry WHERE position > :'start' AND encode(content, 'escape') ~ 'Ada|1815';
SELECT count(*) FROM govledger.entry WHERE position > :'start' AND encode(content, 'escape') ~ 'London|Paris';
BEGIN;
DELETE FROM govledger.personal p USING govledger.entry e WHERE p.transaction_id = e.transaction_id AND e.position > :'start';
SELECT kind, image, changes FROM changes_since(:'start') WHERE kind <> 'schema';
ROLLBACK;

-- context: who and why; the claimed part per transaction
SELECT pg_current_wal_insert_lsn() AS start \gset
CREATE ROLE regress_gl_clerk;
GRANT USAGE ON SCHEMA capture_changes TO regress_gl_clerk; GRANT ALL ON account TO regress_gl_clerk;
SET application_name = 'desk 7';
SET ROLE regress_gl_clerk;
BEGIN; SET LOCAL govledger.actor = 'Zoë'; SET LOCAL govledger.reason = 'sale 4711'; UPDATE account SET balance = 5; COMMIT;
UPDATE account SET balance = 6;
UPDATE account SET balance = 7;
RESET ROLE;
SELECT convert_from(c.content, 'UTF8') LIKE E'\x01%\x02\x10regress_gl_clerk\x03%\x05\x06desk 7' AS known, convert_from(e.claimed, 'UTF8') = E'\x06\x04Zoë\x07\x09sale 4711' AS claimed,
	octet_length(e.secret) AS secret, octet_length(e.context_commitment) AS commitment
  FROM govledger.entry e JOIN govledger.context c USING (context_id) WHERE e.position > :'start' ORDER BY e.position;
SELECT count(DISTINCT context_id) AS stored_once, count(DISTINCT context_commitment) AS never_the_same FROM govledger.entry e WHERE e.position > :'start';
-- the application's own user needs no right on the log, and has none
SET ROLE regress_gl_clerk;
SELECT count(*) FROM govledger.entry;
SELECT govledger.note('x');
RESET ROLE;
SELECT govledger.note('inventory checked');
SELECT kind, relation FROM changes_since(:'start') ORDER BY entry DESC LIMIT 1;

-- a trigger of ours where it does not belong
CREATE TABLE stranger (id int);
CREATE TRIGGER t AFTER INSERT ON stranger FOR EACH ROW EXECUTE FUNCTION govledger.capture_row();
INSERT INTO stranger VALUES (1);
CREATE TRIGGER t2 BEFORE INSERT ON stranger FOR EACH STATEMENT EXECUTE FUNCTION govledger.capture_truncate();
SELECT govledger.capture_row();
DROP TABLE stranger;

SELECT govledger.unprotect(t, 'end of test') FROM unnest('{account,child,journal,person}'::regclass[]) t;
UPDATE account SET balance = 8;
DROP SCHEMA capture_changes CASCADE;
DROP ROLE regress_gl_clerk;
