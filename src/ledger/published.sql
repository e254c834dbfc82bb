/*
 * What anybody may know of the log: the signed checkpoints, and the keys to check them with. Granted to govledger_public, which
 * cannot log in: GRANT govledger_public TO the role that a portal or BI tool uses. The views read with their owner's rights, so
 * nothing else of this schema need be granted.
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

GRANT SELECT ON govledger.published_checkpoint, govledger.published_key
	TO govledger_public, govledger_peer, govledger_auditor, govledger_admin;
