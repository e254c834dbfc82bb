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
