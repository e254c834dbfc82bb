-- Partitioned tables: direct writes to partitions, moves between them, and partitions that come and go.
SET client_min_messages = warning;
CREATE SCHEMA capture_partitions;
SET search_path = capture_partitions;
CREATE FUNCTION changes_since(since pg_lsn) RETURNS TABLE (entry bigint, record bigint, kind text, relation text, image jsonb, changes jsonb)
LANGUAGE sql AS $$
	SELECT dense_rank() OVER (ORDER BY e.position), r.record, r.kind, replace(r.relation, 'capture_partitions.', ''), r.image, r.changes
	  FROM govledger.entry e, govledger.entry_records(e.transaction_id) r
	 WHERE e.position >= since AND r.relation LIKE 'capture_partitions.%'
	 ORDER BY e.position, r.record $$;
CREATE FUNCTION triggers() RETURNS TABLE (relation regclass, triggers text) LANGUAGE sql AS $$
	SELECT tgrelid::regclass, string_agg(tgname || ' ' || tgenabled, ', ' ORDER BY tgname)
	  FROM pg_trigger WHERE tgname LIKE '!govledger%' GROUP BY tgrelid ORDER BY tgrelid::regclass::text $$;
CREATE TABLE sale (region text, id int, price numeric, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE sale_north PARTITION OF sale FOR VALUES IN ('N');
-- other column order, a dropped column: other attribute numbers than the root
CREATE TABLE sale_south (gone int, price numeric, id int NOT NULL, region text NOT NULL, PRIMARY KEY (region, id));
ALTER TABLE sale_south DROP COLUMN gone;
ALTER TABLE sale ATTACH PARTITION sale_south FOR VALUES IN ('S');
CREATE TABLE sale_rest PARTITION OF sale DEFAULT PARTITION BY HASH (id);
CREATE TABLE sale_rest_0 PARTITION OF sale_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE sale_rest_1 PARTITION OF sale_rest FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO sale VALUES ('N', 1, 10), ('S', 2, 20), ('X', 3, 30);
SELECT govledger.protect('sale_north');
SELECT pg_current_wal_insert_lsn() AS start \gset
SELECT govledger.protect('sale');
SELECT * FROM changes_since(:'start');
SELECT * FROM triggers();

SELECT pg_current_wal_insert_lsn() AS start \gset
INSERT INTO sale VALUES ('N', 4, 40), ('S', 5, 50);
INSERT INTO sale_south (id, region, price) VALUES (6, 'S', 60);
UPDATE sale SET region = 'S' WHERE id = 4;
UPDATE sale SET price = price + 1 WHERE id = 4;
DELETE FROM sale_south WHERE id = 6;
TRUNCATE sale_south;
SELECT * FROM changes_since(:'start');

-- created, attached (filled), detached, dropped
SELECT pg_current_wal_insert_lsn() AS start \gset
CREATE TABLE sale_east PARTITION OF sale FOR VALUES IN ('E');
INSERT INTO sale_east VALUES ('E', 7, 70);
CREATE TABLE sale_west (LIKE sale INCLUDING ALL);
INSERT INTO sale_west VALUES ('W', 8, 80), ('W', 9, 90);
ALTER TABLE sale ATTACH PARTITION sale_west FOR VALUES IN ('W');
UPDATE sale SET price = 81 WHERE id = 8;
ALTER TABLE sale DETACH PARTITION sale_west;
UPDATE sale_west SET price = 82 WHERE id = 8;
TRUNCATE sale_west;
DROP TABLE sale_east;
SELECT * FROM changes_since(:'start');
SELECT * FROM triggers();
SELECT relation_id, relation, relation_name FROM govledger.ledger_relation WHERE schema_name = 'capture_partitions' ORDER BY 1;
-- attached again: a new relation of the ledger, with the rows it holds now
SELECT pg_current_wal_insert_lsn() AS start \gset
INSERT INTO sale_west VALUES ('W', 10, 100);
ALTER TABLE sale ATTACH PARTITION sale_west FOR VALUES IN ('W');
SELECT * FROM changes_since(:'start');

-- a sub-tree at once
SELECT pg_current_wal_insert_lsn() AS start \gset
CREATE TABLE sale_isles (LIKE sale INCLUDING ALL) PARTITION BY RANGE (id);
CREATE TABLE sale_isles_0 PARTITION OF sale_isles FOR VALUES FROM (0) TO (100);
INSERT INTO sale_isles VALUES ('I', 11, 110);
ALTER TABLE sale ATTACH PARTITION sale_isles FOR VALUES IN ('I');
INSERT INTO sale VALUES ('I', 12, 120);
SELECT * FROM changes_since(:'start');
ALTER TABLE sale DETACH PARTITION sale_isles CONCURRENTLY;
BEGIN; DROP TABLE sale_isles; COMMIT;
DROP TABLE IF EXISTS sale_isles;

-- what cannot be in a ledger cannot be attached to one
CREATE UNLOGGED TABLE sale_unlogged (LIKE sale INCLUDING ALL);
ALTER TABLE sale ATTACH PARTITION sale_unlogged FOR VALUES IN ('U');
CREATE TABLE sale_own (LIKE sale INCLUDING ALL);
SELECT govledger.protect('sale_own');
ALTER TABLE sale ATTACH PARTITION sale_own FOR VALUES IN ('O');
SELECT govledger.unprotect('sale_own', 'to attach it');
ALTER TABLE sale ATTACH PARTITION sale_own FOR VALUES IN ('O');

-- the root cannot be dropped, the triggers cannot, an inheritance child cannot be added
DROP TABLE sale;
DROP TRIGGER "!govledger" ON sale;
DROP TRIGGER "!govledger_truncate" ON sale_north;
DROP SCHEMA capture_partitions CASCADE;
CREATE TABLE plain (id int PRIMARY KEY);
SELECT govledger.protect('plain');
CREATE TABLE child () INHERITS (plain);
CREATE TABLE later (id int NOT NULL);
ALTER TABLE later INHERIT plain;
SELECT govledger.unprotect('plain', 'end of test');
SELECT govledger.unprotect('sale', ' ');
SELECT govledger.unprotect('sale', 'end of test');
SELECT govledger.unprotect('sale', 'twice');
SELECT * FROM triggers();
DROP SCHEMA capture_partitions CASCADE;
