-- The log changed by hand: entries, leaves, seals, tiles. In a database of its own, for every entry of it is somebody's finding.
SET client_min_messages = warning;
-- sealed when the test says so, and not in between
ALTER SYSTEM SET govledger.databases = 'nowhere';
SELECT pg_reload_conf();
SELECT current_database() AS owner_database \gset
CREATE DATABASE verify_log;
\c verify_log
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS govledger;
CREATE TABLE label (transaction_id xid8 PRIMARY KEY, label text);
CREATE FUNCTION label(text) RETURNS void LANGUAGE sql AS $$ INSERT INTO label VALUES (pg_current_xact_id(), $1) $$;
-- leaf, height and size as they are, by name, so that the number of blocks does not matter
CREATE FUNCTION leaf_of(text) RETURNS bigint LANGUAGE sql AS $$
	SELECT first_leaf + array_position(transaction_ids, transaction_id) - 1
	  FROM govledger.leaf, label WHERE label = $1 AND transaction_id = ANY (transaction_ids) $$;
CREATE FUNCTION height_of(text) RETURNS bigint LANGUAGE sql AS $$
	SELECT min(height) FROM govledger.seal WHERE tree_size > leaf_of($1) $$;
CREATE VIEW finding AS
	SELECT check_name, regexp_replace(object, '\d+', 'N', 'g') AS object, regexp_replace(detail, '\d+', 'N', 'g') AS detail,
		   (SELECT label FROM label WHERE leaf_of(label) = entry) AS entry
	  FROM govledger.verify() WHERE NOT ok AND check_name <> 'rows';
CREATE TABLE t (id int PRIMARY KEY, v text);
BEGIN; SELECT govledger.protect('t'); SELECT label('genesis'); COMMIT;
-- enough for two full tiles
DO $$ BEGIN FOR i IN 1..600 LOOP
	INSERT INTO t VALUES (i, 'v' || i);
	IF i IN (5, 6, 7, 8, 300) THEN PERFORM label('insert ' || i); END IF;
	COMMIT;
END LOOP; END $$;
SELECT count(govledger.seal()) >= 0 AS sealed;
BEGIN; UPDATE t SET v = 'big' || repeat('x', 50) WHERE id <= 400; SELECT label('large'); COMMIT;
SELECT count(govledger.seal()) >= 0 AS sealed;
DO $$ BEGIN FOR i IN 1..9 LOOP UPDATE t SET v = 'u' || i WHERE id = i; PERFORM label('update ' || i); COMMIT; END LOOP; END $$;
SELECT count(govledger.seal()) >= 0 AS sealed;
BEGIN; UPDATE t SET v = 'w' WHERE id = 1; SELECT label('last'); COMMIT;
SELECT count(govledger.seal()) >= 0 AS sealed;
SELECT * FROM finding;
SELECT check_name, object, regexp_replace(detail, '\d+ (blocks|leaves|seals|entries)', 'N \1', 'g') AS detail
  FROM govledger.verify() WHERE check_name NOT IN ('catalog', 'trigger', 'function') ORDER BY check_name COLLATE "C";
CREATE FUNCTION id_of(text) RETURNS xid8 LANGUAGE sql AS $$ SELECT transaction_id FROM label WHERE label = $1 $$;

-- an entry: bytes of its records, in the row and in a chunk; each column of its header; its context and secret
BEGIN; UPDATE govledger.entry SET content = set_byte(content, 12, get_byte(content, 12) # 1) WHERE transaction_id = id_of('insert 5'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.record_chunk SET content = set_byte(content, 5000, get_byte(content, 5000) # 1)
 WHERE transaction_id = id_of('large') AND first_record = (SELECT max(first_record) FROM govledger.record_chunk WHERE first_record < 200); SELECT * FROM finding; ROLLBACK;
BEGIN; DELETE FROM govledger.record_chunk WHERE transaction_id = id_of('large') AND first_record > 100 AND first_record < 250; SELECT * FROM finding; ROLLBACK;
BEGIN; DELETE FROM govledger.record_chunk c WHERE transaction_id = id_of('large') AND first_record = (SELECT max(first_record) FROM govledger.record_chunk d WHERE d.transaction_id = c.transaction_id); SELECT * FROM finding; ROLLBACK;
BEGIN; INSERT INTO govledger.record_chunk SELECT transaction_id, generation, 1000, '\x00' FROM govledger.entry WHERE transaction_id = id_of('large'); SELECT * FROM finding; ROLLBACK;
BEGIN; INSERT INTO govledger.record_chunk SELECT transaction_id, generation, 1, content FROM govledger.entry WHERE transaction_id = id_of('insert 5'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry SET content = content || '\x05' WHERE transaction_id = id_of('insert 5'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry SET content = NULL WHERE transaction_id = id_of('insert 5'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry SET records = 2 WHERE transaction_id = id_of('insert 5'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry SET record_root = sha256('') WHERE transaction_id = id_of('insert 5'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry SET record_root = '\x00' WHERE transaction_id = id_of('insert 5'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry SET entry_time = entry_time - interval '1 day' WHERE transaction_id = id_of('insert 300'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry SET "position" = "position" + 1 WHERE transaction_id = id_of('insert 300'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry SET actor_signature = 'signed' WHERE transaction_id = id_of('insert 300'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry SET context_commitment = sha256('') WHERE transaction_id = id_of('insert 300'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry SET claimed = '\x060342'::bytea || 'ob' WHERE transaction_id = id_of('insert 300'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry SET secret = substr(sha256(''), 1, 16) WHERE transaction_id = id_of('insert 300'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry SET record_secret = substr(sha256(''), 1, 16), secret = NULL WHERE transaction_id = id_of('insert 300'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.context SET content = content || '\x07'; SELECT * FROM finding; ROLLBACK;
BEGIN; DELETE FROM govledger.context; SELECT * FROM finding; ROLLBACK;
-- where no full tile helps: the row itself says who wrote it, and else the subtrees narrow it down
BEGIN; UPDATE govledger.entry SET entry_time = entry_time - interval '1 day' WHERE transaction_id = id_of('update 4'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry SET entry_time = entry_time - interval '1 day' * (transaction_id = id_of('update 4'))::int
 WHERE transaction_id >= id_of('update 1'); SELECT check_name, object, detail FROM finding; ROLLBACK;

-- removed, swapped, moved, inserted
BEGIN; DELETE FROM govledger.entry WHERE transaction_id = id_of('insert 300'); SELECT * FROM finding; ROLLBACK;
BEGIN; DELETE FROM govledger.entry WHERE transaction_id = id_of('update 4'); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.entry a SET content = b.content FROM govledger.entry b
 WHERE (a.transaction_id, b.transaction_id) IN ((id_of('insert 5'), id_of('insert 6')), (id_of('insert 6'), id_of('insert 5'))); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.leaf SET transaction_ids[i] = transaction_ids[i + 1], transaction_ids[i + 1] = transaction_ids[i]
  FROM (SELECT array_position(transaction_ids, id_of('update 4')) i FROM govledger.leaf WHERE id_of('update 4') = ANY (transaction_ids)) p
 WHERE id_of('update 4') = ANY (transaction_ids); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.leaf SET transaction_ids = trim_array(transaction_ids, 1) WHERE id_of('update 9') = ANY (transaction_ids); SELECT * FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.leaf SET transaction_ids = transaction_ids || id_of('insert 5') WHERE id_of('update 9') = ANY (transaction_ids); SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.leaf SET transaction_ids = array_replace(transaction_ids, id_of('update 4'), '99'::xid8) WHERE id_of('update 4') = ANY (transaction_ids);
SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; DELETE FROM govledger.leaf WHERE id_of('update 9') = ANY (transaction_ids); SELECT check_name, object, detail, count(*) FROM finding GROUP BY 1, 2, 3 ORDER BY 1; ROLLBACK;
BEGIN; INSERT INTO govledger.leaf SELECT max(first_leaf) + 1000, max(generation), ARRAY[id_of('insert 5')] FROM govledger.leaf; SELECT check_name, object, detail FROM finding; ROLLBACK;
-- an old transaction id is not in the tree; a later one was not its writer
BEGIN; INSERT INTO govledger.entry SELECT '99'::xid8, "position", entry_time, records, context_id, generation, record_root, context_commitment, secret, record_secret, claimed, actor_signature, content
  FROM govledger.entry WHERE transaction_id = id_of('insert 5'); SELECT * FROM finding; ROLLBACK;
BEGIN; INSERT INTO govledger.entry SELECT '99999999'::xid8, "position", entry_time, records, context_id, generation, record_root, context_commitment, secret, record_secret, claimed, actor_signature, content
  FROM govledger.entry WHERE transaction_id = id_of('insert 5'); SELECT * FROM finding; ROLLBACK;
BEGIN; INSERT INTO govledger.personal SELECT transaction_id, generation, 0, '\x' FROM govledger.entry WHERE transaction_id = id_of('insert 5'); SELECT * FROM finding; ROLLBACK;
BEGIN; INSERT INTO govledger.personal VALUES ('99', 1, 0, '\x'); SELECT * FROM finding; ROLLBACK;
BEGIN; INSERT INTO govledger.context VALUES (1000000, '\x'); SELECT * FROM finding; ROLLBACK;
-- which log this is
BEGIN; UPDATE govledger.ledger SET origin = 'example.org/other'; SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.ledger SET system_identifier = 5; SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; DELETE FROM govledger.ledger; SELECT check_name, object, detail FROM finding; ROLLBACK;

-- seals
BEGIN; UPDATE govledger.seal SET content = set_byte(content, length(content) - 12, 7) WHERE height = height_of('large'); SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.seal SET content = set_byte(content, length(content) - 12, 7) WHERE height = height_of('last'); SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.seal SET content = substr(content, 1, 20) WHERE height = height_of('large'); SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.seal SET content = (SELECT content FROM govledger.seal WHERE height = height_of('last')) WHERE height = height_of('large'); SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.seal SET root = sha256('') WHERE height = height_of('large'); SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.seal SET right_edge = sha256('') || substr(right_edge, 33) WHERE height = height_of('large'); SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.seal SET right_edge = '\x' WHERE height = height_of('last'); SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.seal SET sealed_at = sealed_at - interval '1 s' WHERE height = height_of('large'); SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.seal SET first_leaf = first_leaf + 1 WHERE height = height_of('large'); SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.seal SET tree_size = tree_size + 100000 WHERE height = height_of('last'); SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.seal SET snapshot = '3:3:' WHERE height = height_of('large'); SELECT check_name, object, detail FROM finding; ROLLBACK;
-- of the newest: what then waits and what is sealed must not be confused, so no row of a table is named
BEGIN; UPDATE govledger.seal SET snapshot = '3:3:' WHERE height = height_of('last'); SELECT check_name, object, detail FROM finding;
SELECT check_name, ok FROM govledger.verify() WHERE check_name IN ('rows', 'unsealed'); ROLLBACK;
BEGIN; UPDATE govledger.seal SET content = substr(content, 1, 20) WHERE height = height_of('last'); SELECT check_name, object, detail FROM finding;
SELECT check_name, ok FROM govledger.verify() WHERE check_name IN ('rows', 'unsealed'); ROLLBACK;
BEGIN; UPDATE govledger.seal SET height = 1000 WHERE height = height_of('last'); SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; DELETE FROM govledger.seal WHERE height = height_of('large'); SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; DELETE FROM govledger.seal WHERE height = height_of('last'); SELECT check_name, object, detail FROM finding; ROLLBACK;
-- a seal put after the last one
BEGIN; INSERT INTO govledger.seal SELECT height + 1, tree_size, tree_size + 2, sealed_at, snapshot, root, content, right_edge FROM govledger.seal WHERE height = height_of('last');
SELECT check_name, object, detail FROM finding; ROLLBACK;
-- the newest block taken off as if it had never been: only what somebody remembers tells, be it only the size
SELECT max(tree_size) AS size FROM govledger.seal \gset
BEGIN; DELETE FROM govledger.leaf WHERE first_leaf >= (SELECT first_leaf FROM govledger.seal WHERE height = height_of('last'));
DELETE FROM govledger.seal WHERE tree_size = :size; SELECT * FROM finding;
SELECT check_name, object, regexp_replace(detail, '\d+', 'N', 'g') AS detail FROM govledger.verify(since => :size) WHERE NOT ok; ROLLBACK;

-- tiles
BEGIN; UPDATE govledger.tile SET hashes = set_byte(hashes, 32 * (leaf_of('insert 300')::int - 256), 7) WHERE level = 0 AND n = 1; SELECT check_name, object, detail, entry FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.tile SET root = sha256('') WHERE level = 0 AND n = 1; SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; UPDATE govledger.tile SET hashes = '\x00' WHERE level = 0 AND n = 1; SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; DELETE FROM govledger.tile WHERE level = 0 AND n = 1; SELECT check_name, object, detail FROM finding; ROLLBACK;
BEGIN; INSERT INTO govledger.tile SELECT 1, 0, root, hashes FROM govledger.tile WHERE n = 1; SELECT check_name, object, detail FROM finding; ROLLBACK;
-- the same from a tree size on, as far as what changed lies after it
SELECT tree_size AS size FROM govledger.seal WHERE height = height_of('large') \gset
BEGIN; UPDATE govledger.entry SET entry_time = entry_time - interval '1 day' WHERE transaction_id IN (id_of('update 4'), id_of('insert 300'));
SELECT check_name, regexp_replace(object, '\d+', 'N', 'g') AS object, entry = leaf_of('update 4') AS right FROM govledger.verify(since => :size + 3) WHERE NOT ok; ROLLBACK;
BEGIN; UPDATE govledger.seal SET right_edge = sha256('') || substr(right_edge, 33) WHERE tree_size = :size;
SELECT check_name, detail FROM govledger.verify(since => :size) WHERE NOT ok; ROLLBACK;
SELECT * FROM finding;

\c :owner_database
DROP DATABASE verify_log WITH (FORCE);
ALTER SYSTEM RESET govledger.databases;
SELECT pg_reload_conf();
