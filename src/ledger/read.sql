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
GRANT SELECT ON govledger.ledger, govledger.former_log, govledger.ledger_table, govledger.ledger_relation, govledger.ledger_column,
	govledger.context, govledger.entry, govledger.record_chunk, govledger.personal, govledger.leaf, govledger.seal,
	govledger.tile, govledger.checkpoint, govledger.signing_key
	TO govledger_auditor, govledger_admin;
