/* Assembled from src by make; the order is the FEATURES list of the Makefile. */

\echo Use "CREATE EXTENSION govledger" to load this file. \quit

SET LOCAL search_path TO pg_catalog, pg_temp;

/*
 * Schema and roles.
 *
 * Roles belong to the whole cluster and outlive the extension, so an existing one is kept. They own nothing and
 * cannot log in; a DBA grants them.
 */

-- CREATE SCHEMA fails if somebody planted the schema before us: nothing of a stranger's is adopted.
CREATE SCHEMA govledger;

DO $$
DECLARE
	role_name text;
BEGIN
	FOREACH role_name IN ARRAY ARRAY['govledger_admin', 'govledger_auditor', 'govledger_peer', 'govledger_public'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
			EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
		END IF;
	END LOOP;
END
$$;

-- Every right is on the objects; the application must at least reach wait_sealed().
GRANT USAGE ON SCHEMA govledger TO PUBLIC;
/*
 * The log and the catalog of what is protected.
 *
 * The log tables (entry, record_chunk, personal, context, leaf, seal, tile, checkpoint) are append-only by
 * convention: govledger inserts with direct heap access and nobody else has any right on them. ledger_table,
 * ledger_relation, ledger_column and signing_key are projections of the schema and key records in the log; verify compares them.
 */

-- Which ledger this database holds, and which database of which cluster may continue it. One row, made when the first table is protected
-- and not at CREATE EXTENSION, so that a restored dump brings the row of the cluster it came from.
CREATE TABLE govledger.ledger (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	origin text COLLATE "C",		-- pinned by the first seal
	generation integer NOT NULL DEFAULT 1,
	system_identifier bigint NOT NULL,
	database oid NOT NULL			-- a second database of the same cluster may not continue it either
);

CREATE TABLE govledger.ledger_table (
	table_id integer PRIMARY KEY,
	visibility text NOT NULL CHECK (visibility IN ('private', 'peers', 'public')),
	append_only boolean NOT NULL,
	history boolean NOT NULL,
	protected_at timestamptz NOT NULL DEFAULT now(),
	unprotected_at timestamptz
);

CREATE SEQUENCE govledger.table_id_seq AS integer;

-- Relation 0 is the table itself, others are its partitions; a removed one keeps its number and name.
CREATE TABLE govledger.ledger_relation (
	table_id integer NOT NULL REFERENCES govledger.ledger_table,
	relation_id integer NOT NULL,
	relation regclass,				-- NULL when removed or unprotected
	schema_name name NOT NULL,
	relation_name name NOT NULL,
	PRIMARY KEY (table_id, relation_id)
);
CREATE UNIQUE INDEX ledger_relation_relation_idx ON govledger.ledger_relation (relation);

CREATE TABLE govledger.ledger_column (
	table_id integer NOT NULL REFERENCES govledger.ledger_table,
	column_id integer NOT NULL,
	attribute_number smallint NOT NULL,	-- of relation 0, to tell a rename from a drop and an add
	column_name name NOT NULL,
	type_name text NOT NULL,
	personal boolean NOT NULL,
	key_ordinal smallint,			-- place in the key, from 1
	dropped boolean NOT NULL DEFAULT false,
	PRIMARY KEY (table_id, column_id)
);

-- What the server knew about a session (context fields 1 to 5); many entries point to one row.
CREATE TABLE govledger.context (
	context_id bigint PRIMARY KEY,
	content bytea NOT NULL
);
CREATE SEQUENCE govledger.context_id_seq;

/*
 * One row per committed transaction that changed ledger tables, inserted at pre-commit. The columns are the header
 * fields of src/format/README.md section 6; records up to one page sit in content, more in record_chunk.
 */
CREATE TABLE govledger.entry (
	transaction_id xid8 NOT NULL,
	"position" pg_lsn NOT NULL,
	entry_time timestamptz NOT NULL,
	records bigint NOT NULL,
	context_id bigint NOT NULL,
	generation integer NOT NULL,
	record_root bytea NOT NULL,
	context_commitment bytea NOT NULL,
	secret bytea,
	record_secret bytea,			-- only when the context was erased, instead of secret
	claimed bytea,					-- context fields 6 and 7
	actor_signature bytea,
	content bytea,
	PRIMARY KEY (generation, transaction_id)
) WITH (toast_tuple_target = 8160);
ALTER TABLE govledger.entry ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE govledger.record_chunk (
	transaction_id xid8 NOT NULL,
	generation integer NOT NULL,
	first_record bigint NOT NULL,	-- number of the first record in content
	content bytea NOT NULL,
	PRIMARY KEY (generation, transaction_id, first_record)
) WITH (toast_tuple_target = 8160);
ALTER TABLE govledger.record_chunk ALTER COLUMN content SET STORAGE EXTERNAL;

-- Personal values and their salts, one row per record that has any; this is what an erasure destroys.
CREATE TABLE govledger.personal (
	transaction_id xid8 NOT NULL,
	generation integer NOT NULL,
	record bigint NOT NULL,
	content bytea NOT NULL,
	PRIMARY KEY (generation, transaction_id, record)
) WITH (toast_tuple_target = 8160);
ALTER TABLE govledger.personal ALTER COLUMN content SET STORAGE EXTERNAL;

-- Which entry is which leaf: leaf first_leaf + i is the entry transaction_ids[1 + i]. The seal is the leaf after its entries.
CREATE TABLE govledger.leaf (
	first_leaf bigint PRIMARY KEY,
	generation integer NOT NULL,
	transaction_ids xid8[] NOT NULL
);
ALTER TABLE govledger.leaf ALTER COLUMN transaction_ids SET STORAGE EXTERNAL;

CREATE TABLE govledger.seal (
	height bigint PRIMARY KEY,
	first_leaf bigint NOT NULL,		-- first leaf of the block
	tree_size bigint NOT NULL UNIQUE,	-- including this seal's leaf, which is leaf tree_size - 1
	sealed_at timestamptz NOT NULL,
	snapshot pg_snapshot NOT NULL,	-- every entry visible in it is in this block or an earlier one
	root bytea NOT NULL,			-- of the tree of tree_size leaves
	content bytea NOT NULL,			-- the seal, README section 7
	right_edge bytea NOT NULL		-- roots of the perfect subtrees of the tree, largest first
);

CREATE TABLE govledger.tile (
	level smallint NOT NULL,
	n bigint NOT NULL,
	root bytea NOT NULL,			-- what the next level holds
	hashes bytea NOT NULL,			-- 256 x 32 bytes
	PRIMARY KEY (level, n)
);
ALTER TABLE govledger.tile ALTER COLUMN hashes SET STORAGE EXTERNAL;

CREATE TABLE govledger.checkpoint (
	tree_size bigint PRIMARY KEY REFERENCES govledger.seal (tree_size),
	signed_at timestamptz NOT NULL,
	key_id bigint NOT NULL,
	note text NOT NULL COLLATE "C"	-- C2SP signed note
);

CREATE TABLE govledger.signing_key (
	key_id bigint PRIMARY KEY,
	verifier_key text NOT NULL COLLATE "C",
	registered_at timestamptz NOT NULL DEFAULT now(),
	replaced_at timestamptz
);

-- What the sealer last said; one row, not part of the log.
CREATE TABLE govledger.sealer_state (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	last_error text,
	last_error_at timestamptz,
	key_state text
);
INSERT INTO govledger.sealer_state DEFAULT VALUES;

-- Everything but sealer_state is data that a dump must carry.
SELECT pg_extension_config_dump('govledger.ledger', '');
SELECT pg_extension_config_dump('govledger.ledger_table', '');
SELECT pg_extension_config_dump('govledger.table_id_seq', '');
SELECT pg_extension_config_dump('govledger.ledger_relation', '');
SELECT pg_extension_config_dump('govledger.ledger_column', '');
SELECT pg_extension_config_dump('govledger.context', '');
SELECT pg_extension_config_dump('govledger.context_id_seq', '');
SELECT pg_extension_config_dump('govledger.entry', '');
SELECT pg_extension_config_dump('govledger.record_chunk', '');
SELECT pg_extension_config_dump('govledger.personal', '');
SELECT pg_extension_config_dump('govledger.leaf', '');
SELECT pg_extension_config_dump('govledger.seal', '');
SELECT pg_extension_config_dump('govledger.tile', '');
SELECT pg_extension_config_dump('govledger.checkpoint', '');
SELECT pg_extension_config_dump('govledger.signing_key', '');
/* Reading the log. */

CREATE FUNCTION govledger.entry_records(
	transaction_id xid8,
	generation integer DEFAULT 1,
	OUT record bigint,
	OUT kind text,
	OUT relation text,
	OUT command_id bigint,
	OUT image jsonb,
	OUT changes jsonb
) RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL UNSAFE STRICT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_entry_records';
COMMENT ON FUNCTION govledger.entry_records(xid8, integer) IS
	'the records of one entry: what was changed, the row as it was then (image), and the old values of changed columns (changes)';
REVOKE ALL ON FUNCTION govledger.entry_records(xid8, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION govledger.entry_records(xid8, integer) TO govledger_auditor, govledger_admin;

-- Auditors read the log; nobody writes it but the extension.
GRANT SELECT ON govledger.ledger, govledger.ledger_table, govledger.ledger_relation, govledger.ledger_column,
	govledger.context, govledger.entry, govledger.record_chunk, govledger.personal, govledger.leaf, govledger.seal,
	govledger.tile, govledger.checkpoint, govledger.signing_key
	TO govledger_auditor, govledger_admin;
/* Capture: triggers, protect, and the event triggers that follow DDL. */

CREATE FUNCTION govledger.capture_row() RETURNS trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'gl_capture_row';
COMMENT ON FUNCTION govledger.capture_row() IS 'trigger: adds one row change to the entry of the transaction';

CREATE FUNCTION govledger.capture_truncate() RETURNS trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'gl_capture_truncate';
COMMENT ON FUNCTION govledger.capture_truncate() IS 'trigger: adds a truncate to the entry of the transaction';

CREATE FUNCTION govledger.protect(
	target regclass,
	append_only boolean DEFAULT false,
	visibility text DEFAULT 'private',
	personal name[] DEFAULT '{}',
	key name[] DEFAULT NULL,
	history boolean DEFAULT true
) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_protect';
COMMENT ON FUNCTION govledger.protect(regclass, boolean, text, name[], name[], boolean) IS
	'makes a table a ledger table: its rows become the genesis entry, every later change is recorded';

CREATE FUNCTION govledger.unprotect(target regclass, reason text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_unprotect';
COMMENT ON FUNCTION govledger.unprotect(regclass, text) IS
	'makes a ledger table an ordinary one again; the log keeps what was recorded, and the reason';

CREATE FUNCTION govledger.record_schema(target regclass) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_record_schema';
COMMENT ON FUNCTION govledger.record_schema(regclass) IS
	'records what DDL changed on a ledger table while the event triggers of govledger were not active';

CREATE FUNCTION govledger.note(note text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_note';
COMMENT ON FUNCTION govledger.note(text) IS 'adds a note to the log, in the entry of the current transaction';

CREATE FUNCTION govledger.on_ddl_command_end() RETURNS event_trigger
	LANGUAGE C SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'gl_on_ddl_command_end';
COMMENT ON FUNCTION govledger.on_ddl_command_end() IS 'event trigger: records schema changes of ledger tables';

CREATE FUNCTION govledger.on_sql_drop() RETURNS event_trigger
	LANGUAGE C SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'gl_on_sql_drop';
COMMENT ON FUNCTION govledger.on_sql_drop() IS 'event trigger: records dropped partitions, refuses to drop ledger tables and their triggers';

CREATE FUNCTION govledger.on_table_rewrite() RETURNS event_trigger
	LANGUAGE C SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'gl_on_table_rewrite';
COMMENT ON FUNCTION govledger.on_table_rewrite() IS 'event trigger: refuses to rewrite ledger tables';

REVOKE ALL ON FUNCTION govledger.capture_row(), govledger.capture_truncate(),
	govledger.protect(regclass, boolean, text, name[], name[], boolean), govledger.unprotect(regclass, text),
	govledger.record_schema(regclass), govledger.note(text),
	govledger.on_ddl_command_end(), govledger.on_sql_drop(), govledger.on_table_rewrite()
	FROM PUBLIC;
GRANT EXECUTE ON FUNCTION govledger.protect(regclass, boolean, text, name[], name[], boolean),
	govledger.unprotect(regclass, text), govledger.record_schema(regclass), govledger.note(text)
	TO govledger_admin;

-- ALWAYS: a session in replica role changes tables too
CREATE EVENT TRIGGER govledger_ddl_command_end ON ddl_command_end EXECUTE FUNCTION govledger.on_ddl_command_end();
ALTER EVENT TRIGGER govledger_ddl_command_end ENABLE ALWAYS;
CREATE EVENT TRIGGER govledger_sql_drop ON sql_drop EXECUTE FUNCTION govledger.on_sql_drop();
ALTER EVENT TRIGGER govledger_sql_drop ENABLE ALWAYS;
CREATE EVENT TRIGGER govledger_table_rewrite ON table_rewrite EXECUTE FUNCTION govledger.on_table_rewrite();
ALTER EVENT TRIGGER govledger_table_rewrite ENABLE ALWAYS;
/*
 * Proofs and tiles: hashes only, nothing of what they stand for.
 */

CREATE FUNCTION govledger.inclusion_proof(leaf_index bigint, tree_size bigint) RETURNS bytea[]
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
	AS 'MODULE_PATHNAME', 'gl_inclusion_proof';
COMMENT ON FUNCTION govledger.inclusion_proof(bigint, bigint) IS
	'RFC 6962 audit path of a leaf in the tree of that size';

CREATE FUNCTION govledger.consistency_proof(old_size bigint, new_size bigint) RETURNS bytea[]
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
	AS 'MODULE_PATHNAME', 'gl_consistency_proof';
COMMENT ON FUNCTION govledger.consistency_proof(bigint, bigint) IS
	'RFC 6962 proof that the tree of the old size is a prefix of the tree of the new size';

CREATE FUNCTION govledger.tile(level integer, n bigint, width integer DEFAULT 256) RETURNS bytea
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
	AS 'MODULE_PATHNAME', 'gl_tile';
COMMENT ON FUNCTION govledger.tile(integer, bigint, integer) IS
	'hashes of a C2SP tile, full or partial';

REVOKE ALL ON FUNCTION govledger.inclusion_proof(bigint, bigint), govledger.consistency_proof(bigint, bigint),
	govledger.tile(integer, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION govledger.inclusion_proof(bigint, bigint), govledger.consistency_proof(bigint, bigint),
	govledger.tile(integer, bigint, integer) TO govledger_admin, govledger_auditor, govledger_peer, govledger_public;
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

REVOKE ALL ON FUNCTION govledger.seal(), govledger.wait_sealed(interval), govledger.generate_key(text),
	govledger.rotate_key(text, text, boolean), govledger.adopt(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION govledger.seal(), govledger.generate_key(text), govledger.rotate_key(text, text, boolean),
	govledger.adopt(text) TO govledger_admin;
-- Any application may wait for its own commit: it learns nothing but that sealing goes on.
GRANT EXECUTE ON FUNCTION govledger.wait_sealed(interval) TO PUBLIC;
/*
 * How the sealer is.
 */

-- The settings here and elsewhere: index look-ups, whatever the statistics of a new table say, and no compiler for them.
CREATE FUNCTION govledger._status(OUT origin text, OUT generation integer, OUT tree_size bigint, OUT height bigint,
	OUT unsealed_entries bigint, OUT oldest_unsealed_age interval, OUT unsigned_blocks bigint,
	OUT last_sealed_at timestamptz, OUT last_signed_at timestamptz, OUT latency_p50 interval, OUT latency_p99 interval,
	OUT last_error text, OUT last_error_at timestamptz, OUT key_state text, OUT worker_running boolean)
	LANGUAGE c VOLATILE PARALLEL RESTRICTED SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
	AS 'MODULE_PATHNAME', 'gl_status';
COMMENT ON FUNCTION govledger._status() IS 'the row of govledger.status';

CREATE VIEW govledger.status AS SELECT * FROM govledger._status();
COMMENT ON VIEW govledger.status IS 'how far sealing and signing have come, and what stands in their way';
COMMENT ON COLUMN govledger.status.unsealed_entries IS 'committed entries that are in no block yet; counted up to 100000';
COMMENT ON COLUMN govledger.status.latency_p50 IS 'commit to signed, median over the last 1000 signed entries';
COMMENT ON COLUMN govledger.status.latency_p99 IS 'commit to signed, 99th percentile over the last 1000 signed entries';
COMMENT ON COLUMN govledger.status.unsigned_blocks IS 'blocks that no checkpoint covers';

REVOKE ALL ON FUNCTION govledger._status() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION govledger._status() TO pg_monitor, govledger_admin, govledger_auditor;
GRANT SELECT ON govledger.status TO pg_monitor, govledger_admin, govledger_auditor;
/* Verification: one function, which only reads. */

CREATE FUNCTION govledger.verify(
	target regclass DEFAULT NULL,
	against text[] DEFAULT '{}',
	since bigint DEFAULT NULL
) RETURNS TABLE (
	check_name text,
	object text,
	ok boolean,
	detail text,
	key jsonb,
	column_name text,
	logged text,
	found text,
	entry bigint
)
	LANGUAGE C VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT ROWS 20 COST 1000000
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_verify';
COMMENT ON FUNCTION govledger.verify(regclass, text[], bigint) IS
	'checks the log, the ledger tables and the catalog: one row per check that passed, one per finding';

REVOKE ALL ON FUNCTION govledger.verify(regclass, text[], bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION govledger.verify(regclass, text[], bigint) TO govledger_auditor, govledger_admin;
