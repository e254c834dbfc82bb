/*
 * oneshot_tasks.c
 *		What a one-shot worker does; see oneshot.h.
 */
#include "seal/oneshot.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "core/catalog.h"
#include "seal/key.h"
#include "seal/report.h"
#include "seal/settings.h"
#include "seal/shared.h"
#include "seal/step.h"

static void
gl_raise_not_installed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("the govledger extension is not installed in this database"),
			 errdetail("The process that seals sees only what is committed."),
			 errhint("Run CREATE EXTENSION govledger, and commit.")));
}

/* Keep the error for govledger.status, then let it go on to the session. */
static void
gl_oneshot_failed(MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	AbortCurrentTransaction();
	PG_TRY();
	{
		gl_report_step(error->message, gl_key_state_text(error->message));
	}
	PG_CATCH();
	{
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	ReThrowError(error);
}

/* Newest checkpoint, outside any transaction that could still fail. */
static char *
gl_read_latest_checkpoint(MemoryContext context)
{
	uint64		tree_size;
	uint32		key_id;
	char	   *note;

	if (!gl_step_begin())
		gl_raise_not_installed();
	gl_step_snapshot();
	note = gl_latest_checkpoint(&tree_size, &key_id);
	if (note != NULL)
		note = MemoryContextStrdup(context, note);
	gl_step_commit();
	MemoryContextSwitchTo(context);
	return note;
}

static GlSignOutcome
gl_seal_and_sign(void)
{
	GlSealResult result;
	GlSignOutcome outcome;

	if (!gl_step_begin())
		gl_raise_not_installed();
	gl_step_commit();
	gl_seal_step(0, &result);
	if (result.strangers > 0)
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg(INT64_FORMAT " rows of govledger.entry were not written by the transaction they name",
						result.strangers),
				 errdetail("One of them is " UINT64_FORMAT "; they are not sealed.", result.stranger),
				 errhint("Run SELECT * FROM govledger.verify().")));
	outcome = gl_sign_step();
	gl_publish_step();
	gl_progress_broadcast();
	if (outcome == GL_SIGN_NO_KEY)
		gl_key_phase = GL_KEY_NONE;
	return outcome;
}

/* A key that cannot be used stops signing, not sealing: its error is kept for later. */
static ErrorData *
gl_try_register(MemoryContext context)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		gl_register_step();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	return error;
}

static GlSignOutcome
gl_oneshot_seal_steps(MemoryContext context)
{
	ErrorData  *key_error = gl_try_register(context);
	GlSignOutcome outcome = gl_seal_and_sign();

	MemoryContextSwitchTo(context);
	if (key_error != NULL)
		ReThrowError(key_error);
	gl_report_step(NULL, gl_key_state_text(NULL));
	MemoryContextSwitchTo(context);
	return outcome;
}

char *
gl_oneshot_seal(void)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "govledger one-shot sealer", ALLOCSET_DEFAULT_SIZES);
	volatile GlSignOutcome outcome = GL_SIGN_NOTHING;

	PG_TRY();
	{
		outcome = gl_oneshot_seal_steps(context);
	}
	PG_CATCH();
	{
		gl_oneshot_failed(context);
	}
	PG_END_TRY();

	if (outcome == GL_SIGN_NO_KEY)
		ereport(NOTICE,
				(errmsg("sealed but not signed: no signing key is configured"),
				 errhint("Make a key with govledger.generate_key() and name it in govledger.signing_key.")));
	else if (outcome == GL_SIGN_STANDBY)
		ereport(NOTICE,
				(errmsg("sealed but not signed: the synchronous standby has not confirmed the seal yet")));
	return outcome == GL_SIGN_NO_KEY || outcome == GL_SIGN_STANDBY ? NULL : gl_read_latest_checkpoint(context);
}

/* The K record, in a transaction of its own; returns the new verifier key, and the id of the key that shall sign its block. */
static char *
gl_rotation_record(const char *new_uri, const char *reason, bool old_key_lost, MemoryContext context, uint32 *signer)
{
	char		origin[GL_ORIGIN_MAX_SIZE + 1];
	GlKey	   *new_key;
	GlKey	   *old_key = NULL;
	uint32		old_id;
	uint32		new_id;
	char	   *verifier;

	if (!gl_step_begin())
		gl_raise_not_installed();
	gl_step_lock_session(GL_MUTEX_SEAL);
	gl_step_lock_session(GL_MUTEX_SIGN);
	if (!gl_step_ledger(origin))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this database has no ledger yet"),
				 errhint("Protect a table first: SELECT govledger.protect('schema.table').")));
	gl_step_snapshot();
	old_id = gl_registered_key();
	if (old_id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no signing key is registered yet, so there is none to replace"),
				 errhint("Name the key in govledger.signing_key; the first one is registered by itself.")));
	new_key = gl_key_open(new_uri);
	new_id = gl_key_id_for(new_key, origin);
	if (gl_key_was_registered(new_id))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("key %08x was registered before", new_id),
				 errhint("Make a new key with SELECT govledger.generate_key().")));
	if (!old_key_lost)
	{
		if (*gl_setting_signing_key == '\0' ||
			gl_key_id_for(old_key = gl_key_open(gl_setting_signing_key), origin) != old_id)
			ereport(ERROR,
					(errcode(ERRCODE_CONFIG_FILE_ERROR),
					 errmsg("govledger.signing_key does not name the registered key, which must sign its successor"),
					 errhint("Restore the setting, or call govledger.rotate_key with lost => true if that key is gone.")));
	}
	gl_key_change(origin, new_key, old_key, old_id, reason);
	verifier = MemoryContextStrdup(context, gl_key_verifier(new_key, origin));
	*signer = old_key_lost ? new_id : old_id;
	gl_step_commit();
	MemoryContextSwitchTo(context);
	return verifier;
}

/* Seal and sign the block that holds the record. */
static void
gl_rotation_seal(uint32 signer, MemoryContext context)
{
	PG_TRY();
	{
		GlSealResult result;

		gl_seal_step(signer, &result);
		(void) gl_sign_step();
		gl_publish_step();
		gl_progress_broadcast();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* the key is changed all the same: that is what the caller must learn */
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("the key was changed, but the seal with the change is not signed yet: %s", error->message),
				 error->hint != NULL ? errhint("%s", error->hint) : 0));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
}

/*
 * Both mutexes are held from the record to the signature, so nobody else makes a block in between, and the block that
 * holds the record is the last one that the old key signs. A crash between them is harmless: the next block is made as
 * always, and names the new key.
 */
char *
gl_oneshot_rotate(const char *new_uri, const char *reason, bool old_key_lost)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "govledger rotation", ALLOCSET_DEFAULT_SIZES);
	uint32		signer;
	char	   *verifier;

	MemoryContextSwitchTo(context);
	verifier = gl_rotation_record(new_uri, reason, old_key_lost, context, &signer);
	/* with the old one lost, the new one signs from here on */
	if (old_key_lost)
		SetConfigOption("govledger.signing_key", new_uri, PGC_SUSET, PGC_S_OVERRIDE);

	gl_rotation_seal(signer, context);
	ereport(NOTICE,
			(errmsg("the new key signs from now on"),
			 errhint("Name it in govledger.signing_key and reload; until then, seals are not signed.")));
	return verifier;
}
