/*
 * Sealing and signing.
 */

CREATE FUNCTION govledger.seal() RETURNS text
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_seal';
COMMENT ON FUNCTION govledger.seal() IS
	'seal and sign now what is committed, in a process of its own; returns the newest signed checkpoint, or NULL if no key is configured';

CREATE FUNCTION govledger.wait_sealed(timeout interval DEFAULT NULL) RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
	AS 'MODULE_PATHNAME', 'gl_wait_sealed';
COMMENT ON FUNCTION govledger.wait_sealed(interval) IS
	'wait until everything committed before the call is sealed (and signed, if there is a key); false when the time is over';

CREATE FUNCTION govledger.generate_key(file text) RETURNS text
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_generate_key';
COMMENT ON FUNCTION govledger.generate_key(text) IS
	'make an Ed25519 signing key in a new file on the server, outside the data directory; returns its verifier key';

CREATE FUNCTION govledger.rotate_key(new_key text, reason text, lost boolean DEFAULT false) RETURNS text
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_rotate_key';
COMMENT ON FUNCTION govledger.rotate_key(text, text, boolean) IS
	'replace the signing key, by a record that the old key signs too (unless lost); returns the new verifier key';

CREATE FUNCTION govledger.adopt(reason text) RETURNS integer
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
	AS 'MODULE_PATHNAME', 'gl_adopt';
COMMENT ON FUNCTION govledger.adopt(text) IS
	'let this cluster continue a log that another cluster wrote (after a restore); returns the new generation';

CREATE FUNCTION govledger.start_successor(reason text, last_checkpoint text DEFAULT NULL, origin text DEFAULT NULL)
	RETURNS text
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
	AS 'MODULE_PATHNAME', 'gl_start_successor';
COMMENT ON FUNCTION govledger.start_successor(text, text, text) IS
	'a signed part of the log is lost for good: begin a new log that says so and continues this one; returns its origin';

REVOKE ALL ON FUNCTION govledger.seal(), govledger.wait_sealed(interval), govledger.generate_key(text),
	govledger.rotate_key(text, text, boolean), govledger.adopt(text),
	govledger.start_successor(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION govledger.seal(), govledger.generate_key(text), govledger.rotate_key(text, text, boolean),
	govledger.adopt(text), govledger.start_successor(text, text, text) TO govledger_admin;
-- Any application may wait for its own commit: it learns nothing but that sealing goes on.
GRANT EXECUTE ON FUNCTION govledger.wait_sealed(interval) TO PUBLIC;
