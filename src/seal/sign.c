/*
 * sign.c
 *		The sign step: a signature over the newest seal, which is committed and flushed.
 *
 * A crash anywhere in here is mended by doing it again: Ed25519 signs the same tree with the same bytes, so nothing is
 * ever signed twice in two ways. The state file is written before the signature can be seen by anybody.
 */
#include "seal/step.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "miscadmin.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/lwlock.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/catalog.h"
#include "seal/key.h"
#include "seal/query.h"
#include "seal/settings.h"
#include "seal/state_file.h"

#define GL_CHECKPOINT_CHANNEL "govledger_checkpoint"

/*
 * Does the synchronous standby have this seal? The commit of the seal waited for it, unless somebody cancelled that wait
 * or the seal is older than the setting. Everything visible was flushed here before, so the flush position when a seal is
 * first seen is a position the standby must have reached.
 */
static bool
gl_standby_has(uint64 tree_size)
{
	static uint64 seen_size = 0;
	static XLogRecPtr seen_position = InvalidXLogRecPtr;
	int			mode = synchronous_commit >= SYNCHRONOUS_COMMIT_REMOTE_APPLY ? SYNC_REP_WAIT_APPLY : SYNC_REP_WAIT_FLUSH;
	XLogRecPtr	confirmed;

	if (seen_size != tree_size)
	{
		seen_size = tree_size;
		seen_position = gl_flush_position();
	}
	if (SyncRepStandbyNames == NULL || *SyncRepStandbyNames == '\0' || max_wal_senders == 0)
		return true;
	LWLockAcquire(SyncRepLock, LW_SHARED);
	confirmed = WalSndCtl->lsn[mode];
	LWLockRelease(SyncRepLock);
	return confirmed >= seen_position;
}

static void
gl_raise_wrong_key(uint32 configured, uint32 registered)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("govledger.signing_key names another key than the registered one"),
			 errdetail("The registered key has id %08x, the configured one %08x.", registered, configured),
			 gl_key_was_registered(configured) ?
			 errhint("That key was replaced: name the new one in govledger.signing_key.") :
			 errhint("Name the registered key, or change to another with SELECT govledger.rotate_key().")));
}

/*
 * The configured key, if it may sign this seal: the key that the seal names, or the registered one if that replaced it
 * since. With `ahead` only the registered one will do: it is asked for the seal to come.
 */
static GlKey *
gl_signing_key_for(const char *origin, const GlSealRow *seal, bool ahead)
{
	GlKey	   *key;
	uint32		key_id;
	uint32		registered = gl_registered_key();

	gl_key_phase = GL_KEY_OPENING;
	key = gl_key_open(gl_setting_signing_key);
	gl_key_phase = GL_KEY_COMPARING;
	key_id = gl_key_id_for(key, origin);
	if (key_id != registered && (ahead || key_id != seal->seal.key_id))
		gl_raise_wrong_key(key_id, registered);
	if (!ahead && seal->seal.key_id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the newest seal was made before the signing key was registered"),
				 errhint("The next seal, which holds the key's record, will be signed.")));
	gl_key_phase = GL_KEY_READY;
	return key;
}

/* The newest seal of a former log is signed by nobody any more: the first block of this one covers it. */
static bool
gl_seal_is_of(const GlSealRow *seal, const char *origin)
{
	return seal->seal.origin.length == strlen(origin) && memcmp(seal->seal.origin.data, origin, strlen(origin)) == 0;
}

/* The signed note, zero-terminated in `note`. */
static void
gl_checkpoint_sign(GlBuffer *note, GlKey *key, const char *origin, const GlSealRow *seal)
{
	GlBytes		name = {(const uint8_t *) origin, strlen(origin)};
	uint8_t		signature[GL_ED25519_SIGNATURE_SIZE];

	gl_checkpoint_body(note, name, seal->tree_size, &seal->root);
	gl_key_sign(key, note->data, note->length, signature);
	gl_buffer_u8(note, '\n');
	gl_note_signature_line(note, name, gl_key_id_for(key, origin), signature, sizeof(signature));
	gl_buffer_u8(note, '\0');
}

static void
gl_checkpoint_insert(uint64 tree_size, uint32 key_id, const char *note)
{
	Relation	relation = gl_relation_open(GL_REL_CHECKPOINT, RowExclusiveLock);
	Datum		values[4];
	bool		nulls[4] = {0};

	Assert(RelationGetNumberOfAttributes(relation) == lengthof(values));
	values[0] = Int64GetDatum((int64) tree_size);
	values[1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[2] = Int64GetDatum(key_id);
	values[3] = CStringGetTextDatum(note);
	CatalogTupleInsert(relation, heap_form_tuple(RelationGetDescr(relation), values, nulls));
	table_close(relation, NoLock);
}

/* "origin size root" */
static char *
gl_checkpoint_summary(const char *origin, const GlSealRow *seal)
{
	GlBuffer	root;

	gl_buffer_init(&root, gl_grow);
	gl_base64_append(&root, seal->root.bytes, GL_HASH_SIZE);
	return psprintf("%s " UINT64_FORMAT " %.*s", origin, seal->tree_size, (int) root.length, (const char *) root.data);
}

static void
gl_sign(const char *origin, const GlSealRow *seal, uint32 last_key_id)
{
	GlKey	   *key = gl_signing_key_for(origin, seal, false);
	uint32		key_id = gl_key_id_for(key, origin);
	char	   *summary = gl_checkpoint_summary(origin, seal);
	const char *signature_line;
	GlBuffer	note;

	GL_FAULT("sign-before-state");
	gl_state_file_advance(gl_state_file_path(gl_setting_signing_key), origin, seal, last_key_id == key_id);
	GL_FAULT("sign-after-state");

	gl_buffer_init(&note, gl_grow);
	gl_checkpoint_sign(&note, key, origin, seal);
	gl_checkpoint_insert(seal->tree_size, key_id, (const char *) note.data);
	Async_Notify(GL_CHECKPOINT_CHANNEL, summary);
	signature_line = strrchr((const char *) note.data, ' ');
	summary = MemoryContextStrdup(TopMemoryContext, psprintf("%s%s", summary, signature_line));
	summary[strcspn(summary, "\n")] = '\0';

	GL_FAULT("sign-before-commit");
	gl_step_commit();
	GL_FAULT("sign-after-commit");

	/* with the signature: whoever keeps this line elsewhere holds the whole checkpoint */
	ereport(LOG, (errmsg("govledger checkpoint %s", summary), errhidestmt(true), errhidecontext(true)));
	pfree(summary);
}

GlSignOutcome
gl_sign_step(void)
{
	char		origin[GL_ORIGIN_MAX_SIZE + 1];
	GlSealRow	seal;
	uint64		signed_size;
	uint32		last_key_id;
	GlSignOutcome outcome = GL_SIGN_NOTHING;

	if (!gl_step_begin())
		return GL_SIGN_NOTHING;
	gl_step_lock(GL_MUTEX_SIGN);
	if (!gl_step_ledger(origin))
	{
		gl_step_commit();
		return GL_SIGN_NOTHING;
	}
	gl_step_snapshot();
	gl_seal_latest(&seal);
	(void) gl_latest_checkpoint(&signed_size, &last_key_id);
	if (!seal.exists || seal.tree_size == signed_size || !gl_seal_is_of(&seal, origin))
	{
		/* a key that will not do is better known before it is needed */
		if (gl_key_phase == GL_KEY_UNKNOWN && seal.exists && gl_registered_key() != 0 && *gl_setting_signing_key != '\0')
			(void) gl_signing_key_for(origin, &seal, true);
	}
	else if (*gl_setting_signing_key == '\0')
		outcome = GL_SIGN_NO_KEY;
	else if (!gl_standby_has(seal.tree_size))
		outcome = GL_SIGN_STANDBY;
	else
	{
		gl_sign(origin, &seal, last_key_id);
		return GL_SIGN_DONE;
	}
	gl_step_commit();
	return outcome;
}
