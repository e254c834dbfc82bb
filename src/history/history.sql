/*
 * Histories: what was in a ledger table at any time, as tables filled from the log.
 */

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
