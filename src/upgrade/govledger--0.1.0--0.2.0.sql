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

-- guards, visibility
CREATE FUNCTION govledger.set_visibility(target regclass, visibility text, reason text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_set_visibility';
COMMENT ON FUNCTION govledger.set_visibility(regclass, text, text) IS
	'changes who may read a ledger table (private, peers, public), with a record of it; public grants its columns, except personal ones, to govledger_public';
CREATE FUNCTION govledger.on_ddl_command_start() RETURNS event_trigger
	LANGUAGE C SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'gl_on_ddl_command_start';
COMMENT ON FUNCTION govledger.on_ddl_command_start() IS 'event trigger: refuses to drop the extension with its log';
COMMENT ON FUNCTION govledger.on_ddl_command_end() IS
	'event trigger: records schema changes of ledger tables, refuses what would blind them';
REVOKE ALL ON FUNCTION govledger.set_visibility(regclass, text, text), govledger.on_ddl_command_start() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION govledger.set_visibility(regclass, text, text) TO govledger_admin;
-- PostgreSQL asks whoever adds a partition for the right to execute the row triggers that the partition inherits.
GRANT EXECUTE ON FUNCTION govledger.capture_row() TO PUBLIC;
CREATE EVENT TRIGGER govledger_ddl_command_start ON ddl_command_start EXECUTE FUNCTION govledger.on_ddl_command_start();
ALTER EVENT TRIGGER govledger_ddl_command_start ENABLE ALWAYS;

-- contents of the log are read through functions
COMMENT ON FUNCTION govledger.entry_records(xid8, integer) IS
	'the records of one entry: what was changed, the row as it was then (image), and the old values of changed columns (changes), as far as the caller may read these columns';
REVOKE SELECT ON govledger.context, govledger.entry, govledger.record_chunk, govledger.personal
	FROM govledger_auditor, govledger_admin;
GRANT SELECT (transaction_id, "position", entry_time, records, context_id, generation, record_root, context_commitment,
	actor_signature) ON govledger.entry
	TO govledger_auditor, govledger_admin;

CREATE VIEW govledger.published_checkpoint AS
SELECT split_part(note, E'\n', 1) AS origin,
	   tree_size,
	   decode(split_part(note, E'\n', 3), 'base64') AS root,
	   signed_at,
	   note
  FROM govledger.checkpoint;
COMMENT ON VIEW govledger.published_checkpoint IS 'every signed checkpoint; origin and root are those of the note';
COMMENT ON COLUMN govledger.published_checkpoint.note IS 'the C2SP signed note: what a reader checks with a verifier key and keeps';

CREATE VIEW govledger.published_key AS
SELECT key_id, verifier_key, registered_at, replaced_at FROM govledger.signing_key;
COMMENT ON VIEW govledger.published_key IS 'the keys that sign or signed checkpoints';
COMMENT ON COLUMN govledger.published_key.verifier_key IS 'the public key, as C2SP tools take it';

-- A barrier: a reader's function in WHERE must not see the tables that are not public.
CREATE VIEW govledger.published_table WITH (security_barrier) AS
SELECT t.table_id,
	   r.schema_name,
	   r.relation_name AS table_name,
	   t.append_only,
	   t.protected_at,
	   (SELECT jsonb_agg(jsonb_build_object('name', c.column_name, 'type', c.type_name, 'personal', c.personal,
											'key', c.key_ordinal) ORDER BY c.column_id)
		  FROM govledger.ledger_column c WHERE c.table_id = t.table_id AND NOT c.dropped) AS columns
  FROM govledger.ledger_table t
  JOIN govledger.ledger_relation r ON r.table_id = t.table_id AND r.relation_id = 0
 WHERE t.visibility = 'public' AND t.unprotected_at IS NULL;
COMMENT ON VIEW govledger.published_table IS 'the ledger tables that are public; their columns can be read, except personal ones';
COMMENT ON COLUMN govledger.published_table.columns IS 'array of {"name", "type", "personal", "key": place in the key or null}';

GRANT SELECT ON govledger.published_checkpoint, govledger.published_key, govledger.published_table
	TO govledger_public, govledger_peer, govledger_auditor, govledger_admin;
