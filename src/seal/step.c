/*
 * step.c
 *		The frame of every step of the sealer; see step.h.
 */
#include "seal/step.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "core/catalog.h"
#include "seal/query.h"
#include "seal/settings.h"

bool
gl_step_begin(void)
{
	Oid			extension;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	extension = gl_extension_oid();
	if (OidIsValid(extension))
	{
		/* DROP EXTENSION takes this lock exclusively, and first */
		LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
		if (gl_extension_oid() != extension)
			extension = InvalidOid;
	}
	if (!OidIsValid(extension))
	{
		CommitTransactionCommand();
		return false;
	}

	/* only a flushed tree may be signed, and with a synchronous standby only what that one has */
	if (synchronous_commit < SYNCHRONOUS_COMMIT_ON)
		set_config_option("synchronous_commit", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	SPI_connect();
	return true;
}

/* Not a lock on the table itself: autovacuum would come in its way, and we in its. */
void
gl_step_lock(GlMutex mutex)
{
	LockDatabaseObject(RelationRelationId, gl_relation_oid(GL_REL_SEAL), mutex, ExclusiveLock);
}

/* A process that ends outside a transaction keeps such locks for ever: PostgreSQL releases only advisory ones then. */
static void
gl_release_session_locks(int code, Datum arg)
{
	/* first what they protect */
	AbortOutOfAnyTransaction();
	LockReleaseAll(DEFAULT_LOCKMETHOD, true);
}

void
gl_step_lock_session(GlMutex mutex)
{
	static bool registered = false;
	LOCKTAG		tag;

	if (!registered)
		before_shmem_exit(gl_release_session_locks, (Datum) 0);
	registered = true;
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId, gl_relation_oid(GL_REL_SEAL), mutex);
	(void) LockAcquire(&tag, ExclusiveLock, true, false);
}

void
gl_step_snapshot(void)
{
	Assert(!TransactionIdIsValid(GetTopTransactionIdIfAny()));
	PushActiveSnapshot(GetLatestSnapshot());
}

void
gl_step_commit(void)
{
	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	SPI_finish();
	CommitTransactionCommand();
}

bool
gl_step_ledger(char origin[GL_ORIGIN_MAX_SIZE + 1])
{
	const GlLedgerState *state = gl_ledger_state();

	if (!state->exists)
		return false;
	gl_ledger_require_ours(state);
	gl_effective_origin(state, origin);
	return true;
}

char *
gl_latest_checkpoint(uint64 *tree_size, uint32 *key_id)
{
	static GlQuery query = {
		.text = "SELECT tree_size, key_id, note FROM govledger.checkpoint ORDER BY tree_size DESC LIMIT 1"
	};

	*tree_size = 0;
	*key_id = 0;
	if (gl_query_read(&query, NULL, 1) == 0)
		return NULL;
	*tree_size = (uint64) DatumGetInt64(gl_query_value(0, 1));
	*key_id = (uint32) DatumGetInt64(gl_query_value(0, 2));
	return TextDatumGetCString(gl_query_value(0, 3));
}
