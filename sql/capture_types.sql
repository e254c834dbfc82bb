-- Every built-in type is recorded as its output function prints it under the pinned settings, whatever the session's
-- settings are.
SET client_min_messages = warning;
CREATE SCHEMA capture_types;
SET search_path = capture_types;
CREATE TYPE mood AS ENUM ('sad', 'It''s "fine", \ ok', 'żółć');
CREATE DOMAIN euro AS numeric(12,2) CHECK (value >= 0);
CREATE DOMAIN dates AS timestamptz[];
CREATE TYPE place AS (street text, since date, size float8, at point);
CREATE DOMAIN home AS place;
CREATE TABLE "Ünïcode ""Table" (
	"Ключ" int, "key 2" text, PRIMARY KEY ("Ключ", "key 2"),
	c_bool bool, c_int2 int2, c_int4 int4, c_int8 int8, c_float4 float4, c_float8 float8, c_numeric numeric, c_money money,
	c_char "char", c_name name, c_text text, c_varchar varchar(20), c_bpchar char(8), c_bytea bytea,
	c_date date, c_time time, c_timetz timetz, c_timestamp timestamp, c_timestamptz timestamptz, c_interval interval,
	c_uuid uuid, c_json json, c_jsonb jsonb, c_jsonpath jsonpath, c_inet inet, c_cidr cidr, c_macaddr macaddr, c_macaddr8 macaddr8,
	c_bit bit(5), c_varbit varbit, c_oid oid, c_xid xid, c_xid8 xid8, c_cid cid, c_tid tid, c_lsn pg_lsn, c_snapshot pg_snapshot,
	c_point point, c_line line, c_lseg lseg, c_box box, c_path path, c_polygon polygon, c_circle circle,
	c_tsvector tsvector, c_tsquery tsquery, c_int4range int4range, c_tstzrange tstzrange, c_datemultirange datemultirange,
	c_mood mood, c_euro euro, c_dates dates, c_place place, c_home home, c_int_array int[], c_text_array text[],
	c_date_array date[], c_float_array float8[], c_bytea_array bytea[], c_money_array money[], c_mood_array mood[], c_place_array place[],
	c_generated numeric GENERATED ALWAYS AS (c_numeric * 2) STORED, c_identity int GENERATED ALWAYS AS IDENTITY);
SELECT govledger.protect('"Ünïcode ""Table"');

-- columns whose recorded text differs from what the output function prints
CREATE FUNCTION differences(k int) RETURNS TABLE (column_name text, logged text, printed text)
LANGUAGE plpgsql SET search_path = pg_catalog SET datestyle = 'ISO, YMD' SET intervalstyle = postgres SET timezone = 'UTC'
SET extra_float_digits = 1 SET lc_monetary = 'C' SET bytea_output = hex AS $$
DECLARE
	image jsonb;
BEGIN
	SELECT r.image INTO STRICT image FROM govledger.entry e, govledger.entry_records(e.transaction_id) r
	 WHERE r.kind = 'insert' AND r.image->>'Ключ' = k::text AND r.relation LIKE '%Table%';
	FOR column_name IN SELECT attname FROM pg_attribute WHERE attrelid = 'capture_types."Ünïcode ""Table"'::regclass AND attnum > 0 LOOP
		EXECUTE format('SELECT %L::jsonb->>%L, CASE WHEN %I IS NULL THEN NULL ELSE format(''%%s'', %I) END
						  FROM capture_types."Ünïcode ""Table" WHERE "Ключ" = %s', image, column_name, column_name, column_name, k)
		   INTO logged, printed;
		IF logged IS DISTINCT FROM printed THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END $$;

CREATE FUNCTION fill(k int) RETURNS void LANGUAGE sql SET search_path = capture_types AS $$
INSERT INTO "Ünïcode ""Table" VALUES (k, 'Ω ' || k, true, -32768, -2147483648, -9223372036854775808, 1.1, 0.1::float8 + 0.2, 12345678901234567890.1234567890, '-1234.56'::money,
	'x', 'naïve', E'tab\t nl\n quote'' "', 'varying', 'ab', '\x00ff5c27', '0044-03-15 BC', '23:59:59.999999', '12:00:00+05:30', '1999-12-31 23:59:59.5', '2026-11-22 03:04:05.000001+00', '1 year 2 mons -3 days 04:05:06.7',
	'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"b": 1,  "a":[1.0]}', '{"b": 1,  "a":[1.0], "ü": null}', '$.a[*] ? (@ > 1)', '10.1.2.3/8', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05',
	B'10101', B'0110', 4294967295, '4294967295', '18446744073709551615', '7', '(42,7)', '16/B374D848', '10:20:10,14,15',
	'(1.5,-2.25)', '{1,2,3}', '[(0,0),(1,1)]', '((1,1),(0,0))', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(0,0),1.1>',
	'a fat cat', 'fat & (rat | cat)', '[1,10)', '["2026-01-01 00:00:00+00","2026-02-01 00:00:00+00")', '{[2026-01-01,2026-02-01),[2026-03-01,2026-04-01)}',
	'It''s "fine", \ ok', 99.5, ARRAY['2026-11-22 03:04:05+00', 'infinity']::timestamptz[], ('Main "St", 1', '2020-02-29', 1.0/3, '(1,2)'), ('Side', NULL, 0.1, NULL),
	'{1,NULL,3}', '{a,"b c",NULL,"NULL"}', '{2026-11-22}', '{0.1,NaN,-Infinity}', ARRAY['\x00ff'::bytea], '{1.50,2.50}', ARRAY['sad', 'żółć']::mood[], ARRAY[('x', '2020-02-29', 0.1, '(1,2)')]::place[])
$$;
SELECT fill(1);
SELECT * FROM differences(1);
-- every setting that printing can depend on set otherwise
SET datestyle = 'German'; SET intervalstyle = 'sql_standard'; SET timezone = 'Asia/Kolkata'; SET extra_float_digits = -5; SET bytea_output = 'escape';
SELECT fill(2);
INSERT INTO "Ünïcode ""Table" ("Ключ", "key 2", c_date, c_timestamp, c_timestamptz, c_float4, c_float8, c_numeric)
VALUES (3, '', 'infinity', '-infinity', 'infinity', 'NaN', '-Infinity', 'NaN'),
	(4, '', '5874897-12-31', '294276-12-31 23:59:59.999999', '4713-01-01 00:00:00+00 BC', '-0', '1e-300', '1e-30'),
	(5, '', NULL, NULL, NULL, '3.4028235e38', '1.7976931348623157e308', '-1e100');
SELECT date '2026-11-22', interval '1 day 2 hours', 0.1::float8 + 0.2, '\x00ff'::bytea;
RESET ALL;
SET client_min_messages = warning; SET search_path = capture_types;
SELECT k, d.* FROM generate_series(2, 5) k, differences(k) d;
-- both rows print the same, so nothing of the session leaked into the log
WITH images AS (
	SELECT image - 'Ключ' - 'key 2' - 'c_identity' AS image FROM govledger.entry e, govledger.entry_records(e.transaction_id)
	 WHERE kind = 'insert' AND image->>'Ключ' IN ('1', '2') AND relation LIKE '%Table%')
SELECT count(*), count(DISTINCT image) FROM images;
SELECT image->>'c_timestamptz' AS c_timestamptz, image->>'c_interval' AS c_interval, image->>'c_money' AS c_money, image->>'c_float8' AS c_float8, image->>'c_bytea' AS c_bytea
  FROM govledger.entry e, govledger.entry_records(e.transaction_id) WHERE image->>'Ключ' = '2' AND relation LIKE '%Table%';

-- numbers and times are printed without their output functions: the same over all magnitudes, scales and years
CREATE TABLE printed (id int PRIMARY KEY, n numeric, d date, t timestamp, z timestamptz);
SELECT govledger.protect('printed');
INSERT INTO printed
SELECT g, (CASE WHEN g % 2 = 0 THEN -1 ELSE 1 END) * round(7919.0 ^ (g % 15) * 10.0 ^ (g % 23 - 12) / (1 + g % 7), g % 67),
	   date '0003-01-01 BC' + g * 1900, timestamp '0003-01-01 BC' + g * interval '1900 days' + (g * 10 ^ (g % 9)) * interval '1 microsecond',
	   timestamptz '0003-01-01 BC' + g * interval '1900 days' - (g * 10 ^ (g % 9)) * interval '1 microsecond'
  FROM generate_series(1, 2000) g;
INSERT INTO printed (id, n) SELECT -row_number() OVER (), n::numeric
  FROM unnest('{0,0.0,0.000000,-0.00,1,10,9999,10000,100000000,0.0001,0.00010,0.00009999,-0.5,1e52,-1e52,1e51,12345e60,1e-63,1e-64,Infinity,-Infinity,NaN}'::text[]) n;
SET timezone = 'UTC'; SET datestyle = 'ISO, YMD';
SELECT count(*), count(*) FILTER (WHERE p.n::text IS DISTINCT FROM r.image->>'n') AS n, count(*) FILTER (WHERE p.d::text IS DISTINCT FROM r.image->>'d') AS d,
	   count(*) FILTER (WHERE p.t::text IS DISTINCT FROM r.image->>'t') AS t, count(*) FILTER (WHERE p.z::text IS DISTINCT FROM r.image->>'z') AS z
  FROM govledger.entry e, govledger.entry_records(e.transaction_id) r, printed p WHERE r.relation LIKE '%printed' AND r.kind = 'insert' AND p.id = (r.image->>'id')::int;
RESET timezone; RESET datestyle;

-- reg* types are refused, anywhere inside
CREATE TYPE with_reg AS (a int, b regtype[]);
CREATE TABLE reg1 (id int PRIMARY KEY, r regclass);
CREATE TABLE reg2 (id int PRIMARY KEY, r with_reg[]);
SELECT govledger.protect('reg1');
SELECT govledger.protect('reg2');

-- large values: a megabyte each of compressible and of incompressible text, unchanged ones are not taken for changed
CREATE TABLE large (id int PRIMARY KEY, a text, b text, n int);
SELECT govledger.protect('large');
INSERT INTO large SELECT 1, repeat('x', 1000000), string_agg(md5(g::text), ''), 1 FROM generate_series(1, 32768) g;
UPDATE large SET n = 2;
SELECT kind, length(image->>'a') AS a, md5(image->>'b') = (SELECT md5(b) FROM large) AS b, changes
  FROM govledger.entry e, govledger.entry_records(e.transaction_id) WHERE relation LIKE '%large' AND kind <> 'schema' ORDER BY e.position;
SELECT govledger.unprotect('"Ünïcode ""Table"', 'end of test');
SELECT govledger.unprotect('large', 'end of test');
SELECT govledger.unprotect('printed', 'end of test');
DROP SCHEMA capture_types CASCADE;
