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
