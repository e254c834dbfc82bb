/*
 * wait.c
 *		govledger.wait_history(): wait until what is committed now is in the histories.
 */
#include "core/compat.h"

#include "access/xlog.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "history/table.h"
#include "ledger/table.h"
#include "seal/oneshot.h"
#include "seal/rows.h"
#include "seal/shared.h"
#include "seal/wait.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(gl_wait_history);

/* look again at least so often; whoever seals or fills wakes us before that */
#define WAIT_MILLISECONDS 200L

/* Size of the tree that has all that the snapshot of the call sees; negative: not sealed yet. */
static int64
sealed_size(void)
{
	GlSealRow	seal;
	bool		sealed;

	SPI_connect();
	PushActiveSnapshot(GetLatestSnapshot());
	gl_seal_latest(&seal);
	PopActiveSnapshot();
	/* under the snapshot of the call again */
	sealed = !gl_candidates_exist(&seal);
	SPI_finish();
	return sealed ? (int64) seal.tree_size : -1;
}

static char *
table_name(int table_id)
{
	const GlLedgerRelation *root = linitial(gl_ledger_table_load(table_id)->relations);

	return quote_qualified_identifier(root->schema_name, root->name);
}

/* Error, when only those are left that cannot go on: the caller would wait for ever. */
static bool
all_reached(int64 size)
{
	const GlHistoryTable *failed = NULL;
	List	   *all = gl_history_load_all(NULL);
	int64		projected = gl_history_projected(NULL);
	bool		reached = true;
	ListCell   *cell;

	foreach(cell, all)
	{
		const GlHistoryTable *table = lfirst(cell);

		if (table->ended || gl_history_reached(table, projected) >= size)
			continue;
		if (table->error == NULL)
			reached = false;
		else
			failed = table;
	}
	if (reached && failed != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the history of %s cannot be filled", table_name(failed->table_id)),
				 errhint("govledger.history_status says why. It is tried again; govledger.rebuild() begins anew.")));
	return reached;
}

static bool
wait_until(TimestampTz deadline)
{
	int64		missing_since = 0;
	int64		size = -1;

	for (;;)
	{
		long		pause = WAIT_MILLISECONDS;

		CHECK_FOR_INTERRUPTS();
		gl_progress_prepare();
		if (size < 0)
			size = sealed_size();
		if (size >= 0 && all_reached(size))
			return true;
		if (deadline != DT_NOEND)
			pause = Min(pause, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline));
		if (pause <= 0)
			return false;
		gl_check_sealer(&missing_since);
		gl_progress_sleep(pause);
	}
}

/* No sealer, no process that follows it: have both done now. */
static bool
do_it_now(void)
{
	GlOneshotRequest request = {.task = GL_ONESHOT_FOLLOW,.new_key = "",.reason = ""};

	int64		size;

	(void) gl_oneshot_run(&request);
	size = sealed_size();
	return size >= 0 && all_reached(size);
}

Datum
gl_wait_history(PG_FUNCTION_ARGS)
{
	TimestampTz deadline = DT_NOEND;
	bool		reached;

	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot wait for a history during recovery"),
				 errhint("Run this on the primary.")));
	if (!PG_ARGISNULL(0))
		deadline = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
														   TimestampTzGetDatum(GetCurrentTimestamp()),
														   PG_GETARG_DATUM(0)));
	/* not the snapshot of the transaction, which may be older than what the caller waits for */
	PushActiveSnapshot(GetLatestSnapshot());
	if (gl_shared_exists() && gl_sealer_runs(MyDatabaseId))
	{
		reached = wait_until(deadline);
		gl_progress_done();
	}
	else
		reached = do_it_now();
	PopActiveSnapshot();
	PG_RETURN_BOOL(reached);
}
