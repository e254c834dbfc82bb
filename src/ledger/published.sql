/*
 * What anybody may know: the signed checkpoints, the keys to check them with, and which tables are public. Granted to
 * govledger_public, which cannot log in: GRANT govledger_public TO the role that a portal or BI tool uses. The views read with
 * their owner's rights, so nothing else of this schema need be granted.
 */

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

-- A barrier: a reader's function in WHERE must not see the tables that are not public.
CREATE VIEW govledger.published_table WITH (security_barrier) AS
SELECT t.table_id,
	   r.schema_name,
	   r.relation_name AS table_name,
	   t.append_only,
	   t.protected_at,
	   (SELECT jsonb_agg(jsonb_build_object('name', c.column_name, 'type', c.type_name, 'personal', c.personal,
											'key', c.key_ordinal) ORDER BY c.column_id)
		  FROM govledger.ledger_column c WHERE c.table_id = t.table_id AND NOT c.dropped) AS columns
  FROM govledger.ledger_table t
  JOIN govledger.ledger_relation r ON r.table_id = t.table_id AND r.relation_id = 0
 WHERE t.visibility = 'public' AND t.unprotected_at IS NULL;
COMMENT ON VIEW govledger.published_table IS 'the ledger tables that are public; their columns can be read, except personal ones';
COMMENT ON COLUMN govledger.published_table.columns IS 'array of {"name", "type", "personal", "key": place in the key or null}';

GRANT SELECT ON govledger.published_checkpoint, govledger.published_key, govledger.published_table
	TO govledger_public, govledger_peer, govledger_auditor, govledger_admin;
