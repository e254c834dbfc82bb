/* Which tables are public, and where their histories are; see src/ledger/published.sql. */

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
