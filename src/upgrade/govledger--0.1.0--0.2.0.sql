/*
 * From 0.1.0 to 0.2.0: the same catalog as a fresh installation of 0.2.0 (a test compares them).
 */

\echo Use "ALTER EXTENSION govledger UPDATE" to load this file. \quit

SET LOCAL search_path TO pg_catalog, pg_temp;

-- vacuum freezes rows of the log at its first visit
DO $$
DECLARE
	log_table text;
BEGIN
	FOREACH log_table IN ARRAY ARRAY['context', 'entry', 'record_chunk', 'personal', 'leaf', 'seal', 'tile', 'checkpoint']
	LOOP
		EXECUTE format('ALTER TABLE govledger.%I SET (autovacuum_freeze_min_age = 0, '
			'autovacuum_vacuum_insert_threshold = 10000, autovacuum_vacuum_insert_scale_factor = 0.02)', log_table);
	END LOOP;
END
$$;

-- a parallel pg_restore loads the data of an extension's tables in any order
ALTER TABLE govledger.ledger_relation DROP CONSTRAINT ledger_relation_table_id_fkey;
ALTER TABLE govledger.ledger_column DROP CONSTRAINT ledger_column_table_id_fkey;
ALTER TABLE govledger.checkpoint DROP CONSTRAINT checkpoint_tree_size_fkey;

CREATE TABLE govledger.former_log (
	generation integer PRIMARY KEY,
	origin text NOT NULL COLLATE "C",
	tree_size bigint NOT NULL,
	lost_from bigint NOT NULL,
	known_size bigint NOT NULL,
	known_root bytea NOT NULL
);
SELECT pg_extension_config_dump('govledger.former_log', '');
GRANT SELECT ON govledger.former_log TO govledger_auditor, govledger_admin;

CREATE FUNCTION govledger.start_successor(reason text, last_checkpoint text DEFAULT NULL, origin text DEFAULT NULL)
	RETURNS text
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
	AS 'MODULE_PATHNAME', 'gl_start_successor';
COMMENT ON FUNCTION govledger.start_successor(text, text, text) IS
	'a signed part of the log is lost for good: begin a new log that says so and continues this one; returns its origin';
REVOKE ALL ON FUNCTION govledger.start_successor(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION govledger.start_successor(text, text, text) TO govledger_admin;
