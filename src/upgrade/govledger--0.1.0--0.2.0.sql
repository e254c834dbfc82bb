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

-- DDL: values that a command changes are recorded; what would blind the ledger is refused
CREATE FUNCTION govledger.on_ddl_command_start() RETURNS event_trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'gl_on_ddl_command_start';
COMMENT ON FUNCTION govledger.on_ddl_command_start() IS
	'event trigger: keeps the rows of ledger tables whose values a command may change, refuses to drop the extension with its log';
REVOKE ALL ON FUNCTION govledger.on_ddl_command_start() FROM PUBLIC;
COMMENT ON FUNCTION govledger.on_ddl_command_end() IS
	'event trigger: records schema changes of ledger tables and the values they changed, refuses what would blind them';
COMMENT ON FUNCTION govledger.on_table_rewrite() IS 'event trigger: refuses to rewrite ledger tables unseen';
CREATE EVENT TRIGGER govledger_ddl_command_start ON ddl_command_start EXECUTE FUNCTION govledger.on_ddl_command_start();
ALTER EVENT TRIGGER govledger_ddl_command_start ENABLE ALWAYS;

-- histories
DROP FUNCTION govledger.protect(regclass, boolean, text, name[], name[], boolean);
CREATE FUNCTION govledger.protect(
	target regclass,
	append_only boolean DEFAULT false,
	visibility text DEFAULT 'private',
	personal name[] DEFAULT '{}',
	key name[] DEFAULT NULL,
	history boolean DEFAULT true,
	history_name name DEFAULT NULL
) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_protect';
COMMENT ON FUNCTION govledger.protect(regclass, boolean, text, name[], name[], boolean, name) IS
	'makes a table a ledger table: its rows become the genesis entry, every later change is recorded';
REVOKE ALL ON FUNCTION govledger.protect(regclass, boolean, text, name[], name[], boolean, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION govledger.protect(regclass, boolean, text, name[], name[], boolean, name) TO govledger_admin;

-- How far every history is that does not say otherwise in history_table. At most one row; none: 0.
CREATE TABLE govledger.history_state (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	projected bigint NOT NULL		-- tree size: all leaves below are in the histories
);

-- Changed by DDL alone.
CREATE TABLE govledger.history_table (
	table_id integer PRIMARY KEY,
	history regclass NOT NULL,
	definition text					-- how as_of and row security were made, to see when they must be made anew
);
CREATE UNIQUE INDEX history_table_history_idx ON govledger.history_table (history);

-- Changed by whoever fills histories; no row: nothing of the table was met yet.
CREATE TABLE govledger.history_progress (
	table_id integer PRIMARY KEY,
	projected bigint,				-- tree size, where it is not that of history_state
	first_leaf bigint,				-- the leaf where the history begins
	ended boolean NOT NULL,			-- unprotected, and filled up to there
	schema_state bytea,				-- the newest schema record that was passed
	error text,						-- why it was not filled further at the last attempt
	error_at timestamptz
);

-- Where the values of a column go that had this type when they were recorded.
CREATE TABLE govledger.history_column (
	table_id integer NOT NULL,
	mapping_id integer NOT NULL,
	column_id integer NOT NULL,
	type_name text NOT NULL,		-- as schema records state it
	history_column name NOT NULL,
	"current" boolean NOT NULL,		-- the column of the table has this type now
	PRIMARY KEY (table_id, mapping_id),
	UNIQUE (table_id, column_id, type_name)
);

SELECT pg_extension_config_dump('govledger.history_state', '');
SELECT pg_extension_config_dump('govledger.history_table', '');
SELECT pg_extension_config_dump('govledger.history_progress', '');
SELECT pg_extension_config_dump('govledger.history_column', '');

CREATE VIEW govledger.history_status AS
	SELECT r.schema_name, r.relation_name AS table_name, h.history, t.tree_size, h.projected, t.tree_size - h.projected AS behind,
		h.ended, h.error, h.error_at
	FROM (SELECT table_id, history, COALESCE(p.projected, (SELECT projected FROM govledger.history_state), 0) AS projected,
			COALESCE(p.ended, false) AS ended, error, error_at
			FROM govledger.history_table LEFT JOIN govledger.history_progress p USING (table_id)) h
		JOIN govledger.ledger_relation r ON r.table_id = h.table_id AND r.relation_id = 0,
		(SELECT COALESCE(max(tree_size), 0) AS tree_size FROM govledger.seal) t;
COMMENT ON VIEW govledger.history_status IS 'how far the history of each ledger table is filled, and what stands in the way';
COMMENT ON COLUMN govledger.history_status.tree_size IS 'size of the sealed tree';
COMMENT ON COLUMN govledger.history_status.projected IS 'tree size up to which the history is filled';
COMMENT ON COLUMN govledger.history_status.behind IS 'sealed leaves that the history does not have yet';

GRANT SELECT ON govledger.history_state, govledger.history_table, govledger.history_progress, govledger.history_column TO govledger_auditor, govledger_admin;
GRANT SELECT ON govledger.history_status TO govledger_auditor, govledger_admin, pg_monitor;

-- What is found when the table has no history: protect() makes overloads for the row type of each table that has one.
CREATE FUNCTION govledger.as_of(anyelement, timestamptz) RETURNS SETOF anyelement
	LANGUAGE C STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_as_of_time';
COMMENT ON FUNCTION govledger.as_of(anyelement, timestamptz) IS
	'the rows of a ledger table as they were sealed at that time: SELECT * FROM govledger.as_of(NULL::schema.table, time)';

CREATE FUNCTION govledger.as_of(anyelement, bigint) RETURNS SETOF anyelement
	LANGUAGE C STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_as_of_size';
COMMENT ON FUNCTION govledger.as_of(anyelement, bigint) IS
	'the rows of a ledger table as they were after so many leaves of the log: SELECT * FROM govledger.as_of(NULL::schema.table, tree_size)';

-- With the rights of the owner, for as_of is for everybody who may read the history: they tell a number about the tree, no value.
CREATE FUNCTION govledger.history_limit(table_id integer, "time" timestamptz) RETURNS bigint
	LANGUAGE C STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_history_limit_time';
COMMENT ON FUNCTION govledger.history_limit(integer, timestamptz) IS
	'size of the tree at the last seal at or before that time; an error if the history does not reach so far';

CREATE FUNCTION govledger.history_limit(table_id integer, tree_size bigint) RETURNS bigint
	LANGUAGE C STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_history_limit_size';
COMMENT ON FUNCTION govledger.history_limit(integer, bigint) IS
	'the tree size itself; an error if the history does not reach so far';

CREATE FUNCTION govledger.history_is_latest(history oid, version tid, tree_size bigint) RETURNS boolean
	LANGUAGE C STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp COST 100
	AS 'MODULE_PATHNAME', 'gl_history_is_latest';
COMMENT ON FUNCTION govledger.history_is_latest(oid, tid, bigint) IS
	'was this version of a row the one that stood after so many leaves? Looks at all versions, whatever row security shows the caller';

CREATE FUNCTION govledger.history_unrestricted(history regclass) RETURNS boolean
	LANGUAGE C STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp COST 10
	AS 'MODULE_PATHNAME', 'gl_history_unrestricted';
COMMENT ON FUNCTION govledger.history_unrestricted(regclass) IS
	'does the row security of the ledger table not concern the current user? Then that of its history does not';

CREATE FUNCTION govledger.history_value(value "any", history regclass, example anyelement) RETURNS anyelement
	LANGUAGE C STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'gl_history_value';
COMMENT ON FUNCTION govledger.history_value("any", regclass, anyelement) IS
	'a value of a history (its text, or the base value of a domain) as the type of the example; for a superuser, code of the type runs as the owner of the table';

-- The example is an array, because the check of a domain is asked about a plain NULL too.
CREATE FUNCTION govledger.history_domain_value(value "any", history regclass, example anyarray) RETURNS anyelement
	LANGUAGE C STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'gl_history_value';
COMMENT ON FUNCTION govledger.history_domain_value("any", regclass, anyarray) IS
	'the same for a domain; the example is an array of it';

CREATE FUNCTION govledger.wait_history(timeout interval DEFAULT NULL) RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
	AS 'MODULE_PATHNAME', 'gl_wait_history';
COMMENT ON FUNCTION govledger.wait_history(interval) IS
	'wait until everything committed before the call is sealed and in the histories; false when the time is over';

CREATE FUNCTION govledger.rebuild(target regclass) RETURNS bigint
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_rebuild';
COMMENT ON FUNCTION govledger.rebuild(regclass) IS
	'empties the history of a table, or makes it, and fills it from the log; returns the number of its rows';

REVOKE ALL ON FUNCTION govledger.as_of(anyelement, timestamptz), govledger.as_of(anyelement, bigint),
	govledger.history_limit(integer, timestamptz), govledger.history_limit(integer, bigint),
	govledger.history_is_latest(oid, tid, bigint), govledger.history_unrestricted(regclass),
	govledger.history_value("any", regclass, anyelement), govledger.history_domain_value("any", regclass, anyarray),
	govledger.wait_history(interval), govledger.rebuild(regclass) FROM PUBLIC;
-- as_of reads with the caller's rights on the history; the others tell nothing but how far it reaches.
GRANT EXECUTE ON FUNCTION govledger.as_of(anyelement, timestamptz), govledger.as_of(anyelement, bigint),
	govledger.history_limit(integer, timestamptz), govledger.history_limit(integer, bigint),
	govledger.history_is_latest(oid, tid, bigint), govledger.history_unrestricted(regclass),
	govledger.history_value("any", regclass, anyelement), govledger.history_domain_value("any", regclass, anyarray),
	govledger.wait_history(interval) TO PUBLIC;
-- The owner of the table, or govledger_admin.
GRANT EXECUTE ON FUNCTION govledger.rebuild(regclass) TO PUBLIC;

-- contents of the log are granted to nobody; what functions print of them depends on the caller
REVOKE SELECT ON govledger.context, govledger.entry, govledger.record_chunk, govledger.personal
	FROM govledger_auditor, govledger_admin;
GRANT SELECT (transaction_id, "position", entry_time, records, context_id, generation, record_root, context_commitment,
	actor_signature) ON govledger.entry
	TO govledger_auditor, govledger_admin;
COMMENT ON FUNCTION govledger.entry_records(xid8, integer) IS
	'the records of one entry: what was changed, the row as it was then (image), and the old values of changed columns (changes), as far as the caller may read these columns';

-- visibility: tables that were public before get their grants with set_visibility(table, 'public', reason)
CREATE FUNCTION govledger.set_visibility(target regclass, visibility text, reason text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_set_visibility';
COMMENT ON FUNCTION govledger.set_visibility(regclass, text, text) IS
	'changes who may read a ledger table (private, peers, public), with a record of it; public grants its columns, except personal ones, to govledger_public';

REVOKE ALL ON FUNCTION govledger.set_visibility(regclass, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION govledger.set_visibility(regclass, text, text) TO govledger_admin;
GRANT EXECUTE ON FUNCTION govledger.capture_row() TO PUBLIC;

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

GRANT SELECT ON govledger.published_checkpoint, govledger.published_key
	TO govledger_public, govledger_peer, govledger_auditor, govledger_admin;

-- A barrier: a reader's function in WHERE must not see the tables that are not public.
CREATE VIEW govledger.published_table WITH (security_barrier) AS
SELECT t.table_id,
	   r.schema_name,
	   r.relation_name AS table_name,
	   n.nspname AS history_schema,
	   c.relname AS history_name,
	   t.append_only,
	   t.protected_at,
	   (SELECT jsonb_agg(jsonb_build_object('name', l.column_name, 'type', l.type_name, 'personal', l.personal,
											'key', l.key_ordinal) ORDER BY l.column_id)
		  FROM govledger.ledger_column l WHERE l.table_id = t.table_id AND NOT l.dropped) AS columns
  FROM govledger.ledger_table t
  JOIN govledger.ledger_relation r ON r.table_id = t.table_id AND r.relation_id = 0
  LEFT JOIN (govledger.history_table h JOIN pg_class c ON c.oid = h.history JOIN pg_namespace n ON n.oid = c.relnamespace)
	ON h.table_id = t.table_id
 WHERE t.visibility = 'public' AND t.unprotected_at IS NULL;
COMMENT ON VIEW govledger.published_table IS 'the ledger tables that are public; their columns can be read, except personal ones';
COMMENT ON COLUMN govledger.published_table.columns IS 'array of {"name", "type", "personal", "key": place in the key or null}';

GRANT SELECT ON govledger.published_table TO govledger_public, govledger_peer, govledger_auditor, govledger_admin;
