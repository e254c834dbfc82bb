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
