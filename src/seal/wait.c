/*
 * wait.c
 *		govledger.wait_sealed(): wait until what is committed now is sealed, and signed if there is a key.
 */
#include "core/compat.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/clock.h"
#include "seal/query.h"
#include "seal/rows.h"
#include "seal/shared.h"
#include "seal/step.h"
#include "seal/wait.h"

PG_FUNCTION_INFO_V1(gl_wait_sealed);

/* look again at least so often; the sealer wakes us before that */
#define GL_WAIT_MILLISECONDS 200L
/* a sealer that was asked for, or that has just failed, is given so long to come */
#define GL_WAIT_FOR_SEALER 10000

/*
 * The seal that counts: with a key, the newest signed one. Under a snapshot of its own: the one that says what to wait for
 * is older than the seals to come.
 */
static void
gl_newest_final_seal(GlSealRow *seal)
{
	uint64		tree_size;
	uint32		key_id;

	PushActiveSnapshot(GetLatestSnapshot());
	gl_seal_latest(seal);
	if (seal->exists && gl_registered_key() != 0)
	{
		(void) gl_latest_checkpoint(&tree_size, &key_id);
		if (tree_size != seal->tree_size && !gl_seal_of_size(tree_size, seal))
		{
			/* nothing was signed yet: as if nothing was sealed */
			gl_seal_none(seal);
		}
	}
	PopActiveSnapshot();
}

static void
gl_raise_no_sealer(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("no sealer is running for this database"),
			 gl_shared_exists() ?
			 errhint("See govledger.databases and the server log.") :
			 errhint("Add govledger to shared_preload_libraries and restart, or run SELECT govledger.seal() instead.")));
}

void
gl_check_sealer(int64 *missing_since)
{
	int64		now = gl_clock();

	if (!gl_shared_exists())
		gl_raise_no_sealer();
	if (gl_sealer_runs(MyDatabaseId))
		*missing_since = 0;
	else if (*missing_since == 0)
	{
		gl_launcher_request(MyDatabaseId);
		*missing_since = now;
	}
	else if (now - *missing_since > GL_WAIT_FOR_SEALER)
		gl_raise_no_sealer();
}

/* Under the snapshot of the call: is all of it in the newest final seal? */
static bool
gl_is_sealed(void)
{
	GlSealRow	seal;
	bool		sealed;

	SPI_connect();
	gl_newest_final_seal(&seal);
	sealed = !gl_candidates_exist(&seal);
	SPI_finish();
	return sealed;
}

static bool
gl_wait_until(int64 deadline)
{
	int64		missing_since = 0;

	for (;;)
	{
		long		pause = GL_WAIT_MILLISECONDS;

		CHECK_FOR_INTERRUPTS();
		if (gl_shared_exists())
			gl_progress_prepare();
		if (gl_is_sealed())
			return true;
		pause = (long) Min(pause, deadline - gl_clock());
		if (pause <= 0)
			return false;
		gl_check_sealer(&missing_since);
		gl_progress_sleep(pause);
	}
}

/* A month in an interval is as long as the one that begins now. */
static int64
gl_milliseconds(Datum interval)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz then = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now), interval));

	if (TIMESTAMP_NOT_FINITE(then))
		return TIMESTAMP_IS_NOEND(then) ? PG_INT64_MAX / 2 : 0;
	return (then - now) / 1000;
}

Datum
gl_wait_sealed(PG_FUNCTION_ARGS)
{
	int64		deadline = PG_INT64_MAX;
	bool		sealed;

	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot wait for a seal during recovery"),
				 errhint("Run this on the primary.")));
	if (!PG_ARGISNULL(0))
		deadline = gl_clock() + gl_milliseconds(PG_GETARG_DATUM(0));

	/* not the snapshot of the transaction, which may be older than what the caller wants sealed */
	PushActiveSnapshot(GetLatestSnapshot());
	sealed = gl_wait_until(deadline);
	if (gl_shared_exists())
		gl_progress_done();
	PopActiveSnapshot();
	PG_RETURN_BOOL(sealed);
}
