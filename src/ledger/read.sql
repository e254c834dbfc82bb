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
	'the records of one entry: what was changed, the row as it was then (image), and the old values of changed columns (changes), as far as the caller may read these columns';
REVOKE ALL ON FUNCTION govledger.entry_records(xid8, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION govledger.entry_records(xid8, integer) TO govledger_auditor, govledger_admin;

/*
 * What is hashed and signed is for auditors and admins; nobody writes it but the extension. Contents (record_chunk, personal,
 * context, and of entry the columns content, claimed and the secrets of its salts) are granted to nobody: they hold the
 * rows of every ledger table, whatever their grants and policies say. verify() and entry_records() read them for the
 * caller; a copy of the log is taken by a role with pg_read_all_data.
 */
REVOKE ALL ON govledger.context, govledger.entry, govledger.record_chunk, govledger.personal FROM PUBLIC;
GRANT SELECT ON govledger.ledger, govledger.former_log, govledger.ledger_table, govledger.ledger_relation, govledger.ledger_column,
	govledger.leaf, govledger.seal, govledger.tile, govledger.checkpoint, govledger.signing_key
	TO govledger_auditor, govledger_admin;
GRANT SELECT (transaction_id, "position", entry_time, records, context_id, generation, record_root, context_commitment,
	actor_signature) ON govledger.entry
	TO govledger_auditor, govledger_admin;
