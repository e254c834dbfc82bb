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

-- Logs that this one continues after a part of them was lost: what succession records say, one row each.
CREATE TABLE govledger.former_log (
	generation integer PRIMARY KEY,	-- with which the next log began
	origin text NOT NULL COLLATE "C",	-- leaves below tree_size (and not below that of a former log before) have it
	tree_size bigint NOT NULL,
	lost_from bigint NOT NULL,		-- signed up to here; leaves [lost_from, known_size) of that log are lost
	known_size bigint NOT NULL,		-- last known checkpoint
	known_root bytea NOT NULL
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
	table_id integer NOT NULL,
	relation_id integer NOT NULL,
	relation regclass,				-- NULL when removed or unprotected
	schema_name name NOT NULL,
	relation_name name NOT NULL,
	PRIMARY KEY (table_id, relation_id)
);
CREATE UNIQUE INDEX ledger_relation_relation_idx ON govledger.ledger_relation (relation);

CREATE TABLE govledger.ledger_column (
	table_id integer NOT NULL,
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
	tree_size bigint PRIMARY KEY,	-- of the seal it signs
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

/*
 * Rows of the log stay as they were inserted. So vacuum freezes them the first time it comes (no page is written again for the sake of
 * old transaction ids), and comes after 2 % of new rows instead of 20 %, in small steps. TOAST tables follow.
 */
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

-- What the sealer last said; one row, not part of the log.
CREATE TABLE govledger.sealer_state (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	last_error text,
	last_error_at timestamptz,
	key_state text
);
INSERT INTO govledger.sealer_state DEFAULT VALUES;

/*
 * Everything but sealer_state is data that a dump must carry. No foreign keys between these tables: a parallel pg_restore does not
 * know in which order the data of extensions must come. verify checks what they would.
 */
SELECT pg_extension_config_dump('govledger.ledger', '');
SELECT pg_extension_config_dump('govledger.former_log', '');
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
