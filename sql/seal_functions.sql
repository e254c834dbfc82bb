-- What the sealer offers, to whom, and how it refuses. Keys, workers and crashes are in test/tap.
SET client_min_messages = warning;
CREATE TABLE seal_functions (id int PRIMARY KEY);
SELECT govledger.protect('seal_functions');

SELECT p.oid::regprocedure AS function, provolatile AS volatile, proparallel AS parallel, prosecdef AS definer,
	(SELECT string_agg(coalesce(rolname, 'PUBLIC'), ' ' ORDER BY rolname COLLATE "C")
	   FROM aclexplode(proacl) LEFT JOIN pg_roles r ON r.oid = grantee
	  WHERE grantee IS DISTINCT FROM proowner) AS may_execute
  FROM pg_proc p
 WHERE pronamespace = 'govledger'::regnamespace
   AND proname IN ('seal', 'wait_sealed', 'generate_key', 'rotate_key', 'adopt', 'start_successor', 'inclusion_proof', 'consistency_proof', 'tile', '_status')
 ORDER BY proname;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
 WHERE attrelid = 'govledger.status'::regclass AND attnum > 0 ORDER BY attnum;
SELECT name, setting, unit, context FROM pg_settings
 WHERE name IN ('govledger.origin', 'govledger.signing_key', 'govledger.signer_state_file', 'govledger.seal_interval',
	'govledger.databases', 'govledger.checkpoint_directory', 'govledger.alarm_after')
 ORDER BY name;

-- settings
SET govledger.origin = 'two words';
SET govledger.signing_key = 'relative/path';
SET govledger.signing_key = 'https://example.org/key';
SET govledger.signing_key = 'pkcs11:object=key?pin-value=1234';
SET govledger.signer_state_file = 'relative';
SET govledger.checkpoint_directory = 'relative';
SET govledger.seal_interval = 1;
SET govledger.no_such_setting = 1;

-- functions
SELECT govledger.generate_key('relative');
SELECT govledger.generate_key(current_setting('data_directory') || '/key') ~ '.';
SELECT govledger.rotate_key('relative', 'why');
SELECT govledger.rotate_key('', 'why');
SELECT govledger.rotate_key('/no/such/key', '');
SELECT govledger.adopt('why');
SELECT govledger.start_successor('why');

-- sealing
INSERT INTO seal_functions VALUES (1);
SELECT govledger.seal();
SELECT govledger.wait_sealed('0 s');
-- the caller's own open transaction is nobody's business
BEGIN;
INSERT INTO seal_functions VALUES (2);
SELECT govledger.wait_sealed('0 s');
SELECT govledger.seal();
ROLLBACK;
SELECT govledger.inclusion_proof(0, 1);
SELECT cardinality(govledger.inclusion_proof(0, 3)), octet_length(govledger.tile(0, 0, 2));
\set VERBOSITY terse
SELECT govledger.tile(0, -1);
SELECT govledger.inclusion_proof(1, 0);
SELECT govledger.inclusion_proof(1, 1);
SELECT govledger.consistency_proof(0, 1);
\set VERBOSITY default
SELECT tree_size > 0 AS sealed, unsigned_blocks > 0 AS unsigned, last_error, key_state FROM govledger.status;

-- a first seal pins the origin; the default says of itself that nobody chose it
SELECT origin ~ '^govledger\.invalid/\d+/\d+$' AS default_origin FROM govledger.status;

SELECT govledger.unprotect('seal_functions', 'the test is over');
DROP TABLE seal_functions;
