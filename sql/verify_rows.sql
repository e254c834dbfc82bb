-- Rows changed behind the log: each is named with key, column, what the log says and what the table says; and lawful work of
-- every kind is no finding.
SET client_min_messages = warning;
-- a superuser who means it
SET govledger.guards = off;
CREATE SCHEMA verify_rows;
SET search_path = verify_rows;
-- entries by name: leaf numbers depend on what else is in the log
CREATE TABLE label (transaction_id xid8 PRIMARY KEY, label text);
CREATE FUNCTION label(text) RETURNS void LANGUAGE sql AS $$ INSERT INTO label VALUES (pg_current_xact_id(), $1) $$;
CREATE FUNCTION label_of(leaf bigint) RETURNS text LANGUAGE sql AS $$
	SELECT label FROM govledger.leaf l, label
	 WHERE l.first_leaf = (SELECT max(first_leaf) FROM govledger.leaf WHERE first_leaf <= $1)
	   AND transaction_id = l.transaction_ids[1 + $1 - l.first_leaf] $$;
CREATE FUNCTION findings(target regclass, since bigint DEFAULT NULL)
	RETURNS TABLE (check_name text, detail text, key jsonb, "column" text, logged text, found text, entry text) LANGUAGE sql AS $$
	SELECT check_name, detail, key, column_name, logged, found, label_of(entry)
	  FROM govledger.verify(target, since => since) WHERE NOT ok AND check_name <> 'history' $$;
-- change a table while its triggers are off
CREATE FUNCTION behind(target regclass, command text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', target);
	EXECUTE command;
	EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "!govledger"', target);
	EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "!govledger_truncate"', target);
END $$;

CREATE TABLE parcel (id int PRIMARY KEY, owner text, area numeric, map bytea, at timestamptz);
INSERT INTO parcel SELECT i, 'owner ' || i, i * 1.5, '\x00ff', '2026-01-01 00:00+00'::timestamptz + i * interval '1 day'
  FROM generate_series(1, 300) i;
BEGIN; SELECT govledger.protect('parcel'); SELECT label('genesis'); COMMIT;
BEGIN; UPDATE parcel SET owner = 'lawful' WHERE id IN (1, 2); SELECT label('update'); COMMIT;
BEGIN; DELETE FROM parcel WHERE id = 3; INSERT INTO parcel VALUES (1000, 'new', 1); SELECT label('delete and insert'); COMMIT;
SELECT count(govledger.seal()) >= 0 AS sealed;
SELECT * FROM findings('parcel');
SELECT check_name, object, ok FROM govledger.verify('parcel') ORDER BY check_name COLLATE "C", object;

-- a value, a NULL, a key; a row more, a row less; values swapped; all of it at once
BEGIN; SELECT behind('parcel', $$UPDATE parcel SET owner = 'evil' WHERE id = 1$$); SELECT * FROM findings('parcel'); ROLLBACK;
BEGIN; SELECT behind('parcel', $$UPDATE parcel SET owner = NULL, map = '\x01' WHERE id = 10$$); SELECT * FROM findings('parcel'); ROLLBACK;
BEGIN; SELECT behind('parcel', $$UPDATE parcel SET at = NULL WHERE id = 1000$$); SELECT * FROM findings('parcel'); ROLLBACK;
BEGIN; SELECT behind('parcel', $$UPDATE parcel SET area = 2 WHERE id = 1000$$); SELECT * FROM findings('parcel'); ROLLBACK;
BEGIN; SELECT behind('parcel', $$UPDATE parcel SET id = 3 WHERE id = 1000$$); SELECT * FROM findings('parcel'); ROLLBACK;
BEGIN; SELECT behind('parcel', $$INSERT INTO parcel VALUES (5000, 'ghost')$$); SELECT * FROM findings('parcel'); ROLLBACK;
BEGIN; SELECT behind('parcel', $$DELETE FROM parcel WHERE id = 2$$); SELECT * FROM findings('parcel'); ROLLBACK;
BEGIN; SELECT behind('parcel', $$UPDATE parcel p SET area = q.area FROM parcel q WHERE (p.id, q.id) IN ((20, 21), (21, 20))$$); SELECT * FROM findings('parcel'); ROLLBACK;
BEGIN; SELECT behind('parcel', $$DELETE FROM parcel WHERE id = 7; INSERT INTO parcel VALUES (7000, 'same count')$$); SELECT * FROM findings('parcel'); ROLLBACK;
-- in replica role an ordinary trigger is silent, ours is not
BEGIN; SET LOCAL session_replication_role = replica; UPDATE parcel SET owner = 'replica' WHERE id = 30; SELECT label('replica role'); COMMIT;
SELECT count(govledger.seal()) >= 0 AS sealed;
SELECT * FROM findings('parcel');
-- unless somebody takes ALWAYS away first
BEGIN;
ALTER TABLE parcel ENABLE TRIGGER "!govledger";
SET LOCAL session_replication_role = replica;
UPDATE parcel SET owner = 'replica, unseen' WHERE id = 30;
RESET session_replication_role;
SELECT check_name, object, detail, key, column_name, logged, found, label_of(entry) FROM govledger.verify('parcel') WHERE NOT ok;
ROLLBACK;
-- every row: capped, with the count
BEGIN; SELECT behind('parcel', $$TRUNCATE parcel$$); SELECT count(*), count(DISTINCT key) FROM findings('parcel') WHERE check_name = 'rows';
SELECT detail FROM findings('parcel') WHERE key IS NULL; ROLLBACK;
-- long values are shortened
BEGIN; SELECT behind('parcel', $$UPDATE parcel SET owner = repeat('é', 300), map = decode(repeat('ab', 300), 'hex') WHERE id = 40$$);
SELECT "column", length(found), right(found, 20) FROM findings('parcel'); ROLLBACK;

-- a silent edit that a lawful change overwrote: value, key, row put in and lawfully deleted, row taken out and lawfully put back
CREATE TABLE overwritten (id int PRIMARY KEY, v text);
BEGIN; SELECT govledger.protect('overwritten'); SELECT label('overwritten genesis'); COMMIT;
BEGIN; INSERT INTO overwritten SELECT i, 'v' || i FROM generate_series(1, 9) i; SELECT label('nine rows'); COMMIT;
SELECT behind('overwritten', $$UPDATE overwritten SET v = 'evil' WHERE id = 1; INSERT INTO overwritten VALUES (20, 'ghost');
	DELETE FROM overwritten WHERE id = 3$$);
BEGIN; UPDATE overwritten SET v = 'lawful again' WHERE id = 1; SELECT label('lawful update'); COMMIT;
BEGIN; DELETE FROM overwritten WHERE id = 20; SELECT label('lawful delete'); COMMIT;
BEGIN; INSERT INTO overwritten VALUES (3, 'v3'); SELECT label('lawful insert'); COMMIT;
BEGIN; UPDATE overwritten SET v = 'x' WHERE id = 5; SELECT behind('overwritten', $$UPDATE overwritten SET v = 'evil' WHERE id = 5$$);
UPDATE overwritten SET v = 'y' WHERE id = 5; SELECT label('around a silent edit'); COMMIT;
SELECT * FROM overwritten ORDER BY id;
-- whether it is sealed yet or not
SELECT check_name, detail, key, "column", logged, found FROM findings('overwritten');
SELECT count(govledger.seal()) >= 0 AS sealed;
SELECT * FROM findings('overwritten');

-- without a key: whole rows, and how many of each
CREATE TABLE journal (who text, what int, note text);
BEGIN; SELECT govledger.protect('journal', append_only => true); SELECT label('journal genesis'); COMMIT;
BEGIN; INSERT INTO journal VALUES ('a', 1), ('a', 1), ('a', 1), ('b', 2), (NULL, NULL); SELECT label('journal rows'); COMMIT;
SELECT count(govledger.seal()) >= 0 AS sealed;
SELECT * FROM findings('journal');
BEGIN; SELECT behind('journal', $$DELETE FROM journal WHERE ctid = '(0,2)'$$); SELECT * FROM findings('journal'); ROLLBACK;
BEGIN; SELECT behind('journal', $$INSERT INTO journal VALUES ('a', 1)$$); SELECT * FROM findings('journal'); ROLLBACK;
BEGIN; SELECT behind('journal', $$UPDATE journal SET what = 3 WHERE who = 'b'$$); SELECT * FROM findings('journal') ORDER BY detail; ROLLBACK;

-- partitions: a row edited, moved to another partition, and two rows that changed places
CREATE TABLE sale (region text, id int, price numeric, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE sale_n PARTITION OF sale FOR VALUES IN ('N', 'n');
CREATE TABLE sale_rest PARTITION OF sale DEFAULT PARTITION BY HASH (id);
CREATE TABLE sale_rest_0 PARTITION OF sale_rest FOR VALUES WITH (MODULUS 1, REMAINDER 0);
BEGIN; SELECT govledger.protect('sale'); SELECT label('sale genesis'); COMMIT;
BEGIN; INSERT INTO sale SELECT r, i, i FROM unnest('{N,S,W}'::text[]) r, generate_series(1, 3) i; SELECT label('sales'); COMMIT;
UPDATE sale SET region = 'S', id = 9 WHERE region = 'N' AND id = 1;
UPDATE sale SET region = 'N', price = 7 WHERE region = 'S' AND id = 9;
TRUNCATE sale_rest_0;
INSERT INTO sale VALUES ('S', 1, 1), ('X', 1, 1);
CREATE TABLE sale_e PARTITION OF sale FOR VALUES IN ('E');
INSERT INTO sale VALUES ('E', 1, 1);
CREATE TABLE sale_x (LIKE sale INCLUDING ALL);
INSERT INTO sale_x VALUES ('Q', 2, 2);
ALTER TABLE sale ATTACH PARTITION sale_x FOR VALUES IN ('Q');
ALTER TABLE sale DETACH PARTITION sale_e;
UPDATE sale SET price = price + 1;
SELECT count(govledger.seal()) >= 0 AS sealed;
SELECT * FROM findings('sale');
SELECT * FROM findings('sale_n');
SELECT detail FROM govledger.verify('sale') WHERE check_name = 'rows';
BEGIN; SELECT behind('sale_n', $$UPDATE sale_n SET price = 0 WHERE id = 2$$); SELECT key, "column", logged, found FROM findings('sale'); ROLLBACK;
BEGIN;
ALTER TABLE sale_n DISABLE TRIGGER USER; ALTER TABLE sale_x DISABLE TRIGGER USER;
ALTER TABLE sale_x DROP CONSTRAINT IF EXISTS sale_x_region_check;
UPDATE pg_class SET relispartition = false WHERE oid = 'sale_x'::regclass;
DELETE FROM sale_n WHERE id = 3; INSERT INTO sale_x VALUES ('N', 3, 4);
UPDATE pg_class SET relispartition = true WHERE oid = 'sale_x'::regclass;
SELECT regexp_replace(detail, '\d+', 'N'), key, found IS NOT NULL FROM findings('sale') WHERE check_name = 'rows';
ROLLBACK;

-- personal columns: their values are beside the entry
CREATE TABLE person (id int PRIMARY KEY, name text, born date, town text);
BEGIN; SELECT govledger.protect('person', personal => '{name,born}'); SELECT label('person genesis'); COMMIT;
BEGIN; INSERT INTO person VALUES (1, 'Ada', '1815-12-10', 'London'), (2, NULL, NULL, 'Paris'), (3, 'Eve', NULL, NULL); SELECT label('persons'); COMMIT;
BEGIN; UPDATE person SET name = 'Ada L.', town = 'Ockham' WHERE id = 1; UPDATE person SET born = '2000-01-01' WHERE id = 2;
UPDATE person SET name = NULL WHERE id = 3; DELETE FROM person WHERE id = 2; SELECT label('person changes'); COMMIT;
SELECT count(govledger.seal()) >= 0 AS sealed;
SELECT * FROM findings('person');
BEGIN; SELECT behind('person', $$UPDATE person SET name = 'Mallory' WHERE id = 1$$); SELECT * FROM findings('person'); ROLLBACK;
BEGIN; SELECT behind('person', $$UPDATE person SET name = 'Mallory' WHERE id = 3$$); SELECT * FROM findings('person'); ROLLBACK;
BEGIN; UPDATE govledger.personal p SET content = set_byte(content, length(content) - 1, 65) FROM label l
 WHERE l.transaction_id = p.transaction_id AND label = 'person changes' AND record = 0;
SELECT check_name, detail, key, "column", entry FROM findings('person'); ROLLBACK;
BEGIN; DELETE FROM govledger.personal p USING label l
 WHERE l.transaction_id = p.transaction_id AND label = 'persons' AND record = 2;
SELECT * FROM findings('person'); ROLLBACK;

-- lawful work that looks odd: no finding
CREATE TABLE odd (id int, "Größe ""x""" float8, big text, gone int, total int GENERATED ALWAYS AS (id * 2) STORED,
	CONSTRAINT odd_key PRIMARY KEY (id) DEFERRABLE);
SELECT govledger.protect('odd');
INSERT INTO odd SELECT i, i / 3.0, repeat('x', i * 100), i FROM generate_series(1, 50) i;
UPDATE odd SET id = 3 - id WHERE id IN (1, 2);				-- keys change places in one command
UPDATE odd SET id = 100 WHERE id = 4; UPDATE odd SET id = 4 WHERE id = 100;
UPDATE odd SET "Größe ""x""" = NULL WHERE id = 5; UPDATE odd SET "Größe ""x""" = 'NaN' WHERE id = 5;
BEGIN; DELETE FROM odd WHERE id = 6; INSERT INTO odd (id) VALUES (6); DELETE FROM odd WHERE id = 6; INSERT INTO odd (id) VALUES (6); COMMIT;
WITH d AS (DELETE FROM odd WHERE id = 7 RETURNING *) INSERT INTO odd (id, big) SELECT id + 1000, big FROM d;
BEGIN; UPDATE odd SET big = 'a' WHERE id = 8; SAVEPOINT s; UPDATE odd SET big = 'b' WHERE id = 8; DELETE FROM odd WHERE id = 9;
ROLLBACK TO s; UPDATE odd SET big = 'c' WHERE id = 8; COMMIT;
UPDATE odd SET big = repeat('large ', 300000) WHERE id = 10; UPDATE odd SET gone = 0 WHERE id = 10;
ALTER TABLE odd DROP COLUMN gone; UPDATE odd SET big = 'after drop' WHERE id < 20;
ALTER TABLE odd ADD COLUMN later text; UPDATE odd SET later = 'now' WHERE id < 15; UPDATE odd SET later = NULL WHERE id < 12;
ALTER TABLE odd RENAME COLUMN later TO sooner; UPDATE odd SET sooner = 'x' WHERE id = 30;
BEGIN; INSERT INTO odd (id) VALUES (2000); PREPARE TRANSACTION 'verify_rows'; COMMIT PREPARED 'verify_rows';
-- a trigger that makes room for the new row: the delete has a later command id than the insert
CREATE FUNCTION make_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM verify_rows.odd WHERE id = NEW.id; RETURN NEW; END $$;
CREATE TRIGGER a_room BEFORE INSERT ON odd FOR EACH ROW EXECUTE FUNCTION make_room();
INSERT INTO odd (id, big) VALUES (11, 'makes room'), (12, 'makes room');
DROP TRIGGER a_room ON odd;
-- a trigger that changes a later row of the same statement: captured before that row's own change
CREATE FUNCTION touch_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE verify_rows.odd SET big = big || '+' WHERE id = NEW.id + 1 AND NEW.id < 25; RETURN NULL; END $$;
CREATE TRIGGER z_next AFTER UPDATE ON odd FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION touch_next();
UPDATE odd SET big = 'base' WHERE id BETWEEN 20 AND 25;
DROP TRIGGER z_next ON odd;
SELECT * FROM findings('odd');
SELECT count(govledger.seal()) >= 0 AS sealed;
SELECT * FROM findings('odd');
BEGIN; TRUNCATE odd; INSERT INTO odd (id) VALUES (1); COMMIT; TRUNCATE odd; INSERT INTO odd (id, big) VALUES (1, 'anew');
SELECT * FROM findings('odd');
BEGIN; SELECT behind('odd', $$UPDATE odd SET "Größe ""x""" = 0.1, sooner = 'evil'$$);
SELECT check_name, detail, key, "column", logged, found FROM findings('odd'); ROLLBACK;
-- what prints otherwise and means the same is no finding
BEGIN; SELECT behind('odd', $$UPDATE odd SET big = 'anew'$$);
UPDATE govledger.ledger_column SET type_name = type_name; SELECT * FROM findings('odd'); ROLLBACK;
BEGIN; SELECT govledger.unprotect('odd', 'no longer needed'); COMMIT;
SELECT count(*) FROM govledger.verify() WHERE object LIKE '%odd%';

-- since: rows changed after that tree size, and no others
SELECT count(govledger.seal()) >= 0 AS sealed;
SELECT max(tree_size) AS size FROM govledger.seal \gset
BEGIN; UPDATE parcel SET area = 0 WHERE id IN (50, 51); DELETE FROM parcel WHERE id = 52; SELECT label('after since'); COMMIT;
SELECT * FROM findings('parcel', :size);
SELECT count(govledger.seal()) >= 0 AS sealed;
SELECT * FROM findings('parcel', :size);
BEGIN; SELECT behind('parcel', $$UPDATE parcel SET owner = 'evil' WHERE id IN (50, 60); DELETE FROM parcel WHERE id = 51;
	INSERT INTO parcel VALUES (52, 'back')$$);
SELECT * FROM findings('parcel', :size);
SELECT * FROM findings('parcel') ORDER BY key->>'id';
SELECT * FROM findings('parcel', :size + 1) ORDER BY key->>'id';
ROLLBACK;

-- refused
SELECT govledger.verify('label');
SELECT govledger.verify('parcel', since => -1);
SELECT govledger.verify('parcel', ARRAY[NULL]::text[]);
BEGIN; UPDATE parcel SET area = 1 WHERE id = 70; SELECT count(*) FROM govledger.verify(); ROLLBACK;
BEGIN; UPDATE label SET label = label; SELECT count(*) FILTER (WHERE NOT ok) FROM govledger.verify('parcel'); ROLLBACK;
CREATE ROLE verify_nobody; CREATE ROLE verify_auditor IN ROLE govledger_auditor;
SET ROLE verify_nobody; SELECT count(*) FROM govledger.verify();
SET ROLE verify_auditor; SELECT check_name, ok FROM govledger.verify() WHERE object = 'verify_rows.parcel'; RESET ROLE;
DROP ROLE verify_nobody, verify_auditor;
SELECT govledger.unprotect(relation, 'test') FROM govledger.ledger_relation WHERE relation_id = 0 AND schema_name = 'verify_rows' AND relation IS NOT NULL;
DROP SCHEMA verify_rows CASCADE;
