/*
 * status.c
 *		The one row of govledger.status. Costs index look-ups only, however long the log is.
 */
#include "core/compat.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/timestamp.h"

#include "ledger/state.h"
#include "seal/query.h"
#include "seal/rows.h"
#include "seal/settings.h"
#include "seal/shared.h"
#include "seal/step.h"

PG_FUNCTION_INFO_V1(gl_status);

/* counted no further */
#define GL_STATUS_MAX_UNSEALED 100000

/* Columns of govledger._status(), in order. */
enum
{
	GL_STATUS_ORIGIN,
	GL_STATUS_GENERATION,
	GL_STATUS_TREE_SIZE,
	GL_STATUS_HEIGHT,
	GL_STATUS_UNSEALED,
	GL_STATUS_OLDEST,
	GL_STATUS_UNSIGNED,
	GL_STATUS_SEALED_AT,
	GL_STATUS_SIGNED_AT,
	GL_STATUS_P50,
	GL_STATUS_P99,
	GL_STATUS_ERROR,
	GL_STATUS_ERROR_AT,
	GL_STATUS_KEY,
	GL_STATUS_RUNNING,
	GL_STATUS_COLUMNS
};

typedef struct GlStatus
{
	Datum		values[GL_STATUS_COLUMNS];
	bool		nulls[GL_STATUS_COLUMNS];
	MemoryContext context;		/* outlives SPI */
} GlStatus;

/* Copy a column of the last result's first row into place. */
static void
gl_status_take(GlStatus *status, int place, int column, bool by_value, int length)
{
	MemoryContext caller;

	status->nulls[place] = SPI_processed == 0 || gl_query_is_null(0, column);
	if (status->nulls[place])
		return;
	caller = MemoryContextSwitchTo(status->context);
	status->values[place] = datumCopy(gl_query_value(0, column), by_value, length);
	MemoryContextSwitchTo(caller);
}

static void
gl_status_unsealed(GlStatus *status, const GlSealRow *seal)
{
	TimestampTz oldest;
	TimestampTz now = GetCurrentTimestamp();
	MemoryContext caller;

	status->values[GL_STATUS_UNSEALED] = Int64GetDatum(gl_candidates_count(seal, GL_STATUS_MAX_UNSEALED, &oldest));
	status->nulls[GL_STATUS_OLDEST] = oldest == 0;
	if (oldest == 0)
		return;
	caller = MemoryContextSwitchTo(status->context);
	status->values[GL_STATUS_OLDEST] = DirectFunctionCall2(timestamp_mi, TimestampTzGetDatum(Max(now, oldest)),
														   TimestampTzGetDatum(oldest));
	MemoryContextSwitchTo(caller);
}

static void
gl_status_signed(GlStatus *status)
{
	static GlQuery query = {
		.text = "SELECT sealed_at, (SELECT signed_at FROM govledger.checkpoint ORDER BY tree_size DESC LIMIT 1), "
		"height - coalesce((SELECT height FROM govledger.seal WHERE tree_size = "
		"(SELECT tree_size FROM govledger.checkpoint ORDER BY tree_size DESC LIMIT 1)), 0) "
		"FROM govledger.seal ORDER BY height DESC LIMIT 1"
	};

	gl_query_read(&query, NULL, 1);
	gl_status_take(status, GL_STATUS_SEALED_AT, 1, FLOAT8PASSBYVAL, sizeof(int64));
	gl_status_take(status, GL_STATUS_SIGNED_AT, 2, FLOAT8PASSBYVAL, sizeof(int64));
	gl_status_take(status, GL_STATUS_UNSIGNED, 3, FLOAT8PASSBYVAL, sizeof(int64));
	if (status->nulls[GL_STATUS_UNSIGNED])
		status->values[GL_STATUS_UNSIGNED] = Int64GetDatum(0);
	status->nulls[GL_STATUS_UNSIGNED] = false;
}

/* From commit to the first checkpoint that covers it, for the last thousand entries or so that are signed. */
static void
gl_status_latency(GlStatus *status)
{
	static GlQuery query = {
		.text = "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY latency), "
		"percentile_cont(0.99) WITHIN GROUP (ORDER BY latency) FROM ("
		"SELECT (SELECT c.signed_at FROM govledger.checkpoint c WHERE c.tree_size > l.first_leaf + id.ordinality - 1 "
		"ORDER BY c.tree_size LIMIT 1) - (SELECT e.entry_time FROM govledger.entry e "
		"WHERE e.generation = l.generation AND e.transaction_id = id.value) AS latency "
		"FROM (SELECT *, sum(cardinality(transaction_ids)) OVER (ORDER BY first_leaf DESC) - cardinality(transaction_ids) "
		"AS before FROM (SELECT * FROM govledger.leaf ORDER BY first_leaf DESC LIMIT 1000) newest) l, "
		"unnest(l.transaction_ids) WITH ORDINALITY AS id (value, ordinality) "
		"WHERE l.before < 1000 ORDER BY l.first_leaf + id.ordinality DESC LIMIT 1000) recent"
	};

	gl_query_read(&query, NULL, 1);
	gl_status_take(status, GL_STATUS_P50, 1, false, sizeof(Interval));
	gl_status_take(status, GL_STATUS_P99, 2, false, sizeof(Interval));
}

static void
gl_status_said(GlStatus *status)
{
	static GlQuery query = {
		.text = "SELECT last_error, last_error_at, key_state FROM govledger.sealer_state LIMIT 1"
	};

	gl_query_read(&query, NULL, 1);
	gl_status_take(status, GL_STATUS_ERROR, 1, false, -1);
	gl_status_take(status, GL_STATUS_ERROR_AT, 2, FLOAT8PASSBYVAL, sizeof(int64));
	gl_status_take(status, GL_STATUS_KEY, 3, false, -1);
}

static bool
gl_database_is_covered(void)
{
	char	   *name = get_database_name(MyDatabaseId);

	return name != NULL && gl_setting_covers_database(name);
}

/* Why nobody seals what waits, as far as this process can tell; NULL if somebody does. */
static const char *
gl_status_obstacle(void)
{
	GlSealerCondition condition;

	if (RecoveryInProgress())
		return NULL;
	if (!gl_shared_exists())
		return "no sealer runs: govledger is not in shared_preload_libraries; SELECT govledger.seal() seals";
	if (!gl_database_is_covered())
		return "no sealer runs: govledger.databases does not name this database; SELECT govledger.seal() seals";
	gl_sealer_condition(MyDatabaseId, &condition);
	switch (condition.phase)
	{
		case GL_SEALER_AWAY:
			return "no sealer runs: the last one failed and is started again; see the server log";
		case GL_SEALER_NO_LAUNCHER:
			return "no sealer runs: the govledger launcher is not there; see the server log, and increase max_worker_processes";
		case GL_SEALER_NO_WORKER:
			return "no sealer runs: out of background worker slots; increase max_worker_processes";
		case GL_SEALER_STARTS:
			break;
		case GL_SEALER_RUNS:
			if (gl_setting_alarm_after > 0 && condition.busy_for > gl_setting_alarm_after * INT64CONST(1000))
				return psprintf("the sealer (PID %d) has tried to %s for " INT64_FORMAT " s; see wait_event in pg_stat_activity",
								(int) condition.pid, condition.busy_with, condition.busy_for / 1000);
			break;
	}
	return NULL;
}

/* The sealer says what it knows in its table; what it cannot say because it is not there, or held up, is added here. */
static void
gl_status_explain(GlStatus *status)
{
	const char *obstacle;

	if (status->nulls[GL_STATUS_KEY])
		status->values[GL_STATUS_KEY] = CStringGetTextDatum("not used yet");
	status->nulls[GL_STATUS_KEY] = false;
	if (DatumGetInt64(status->values[GL_STATUS_UNSEALED]) == 0)
		return;
	obstacle = gl_status_obstacle();
	if (obstacle == NULL)
		return;
	/* what stands in the way now comes first; what was said before may be of less weight, or its cause */
	if (!status->nulls[GL_STATUS_ERROR])
		obstacle = psprintf("%s; said last: %s", obstacle, TextDatumGetCString(status->values[GL_STATUS_ERROR]));
	status->nulls[GL_STATUS_ERROR] = false;
	status->values[GL_STATUS_ERROR] = CStringGetTextDatum(obstacle);
}

Datum
gl_status(PG_FUNCTION_ARGS)
{
	const GlLedgerState *state = gl_ledger_state();
	GlStatus	status;
	TupleDesc	descriptor;
	GlSealRow	seal;

	memset(&status, 0, sizeof(status));
	status.context = CurrentMemoryContext;
	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE || descriptor->natts != GL_STATUS_COLUMNS)
		elog(ERROR, "govledger._status() is declared with other columns than the library has");

	status.nulls[GL_STATUS_ORIGIN] = !state->has_origin;
	if (state->has_origin)
		status.values[GL_STATUS_ORIGIN] = CStringGetTextDatum(state->origin);
	status.nulls[GL_STATUS_GENERATION] = !state->exists;
	status.values[GL_STATUS_GENERATION] = Int32GetDatum(state->generation);
	status.values[GL_STATUS_RUNNING] = BoolGetDatum(gl_shared_exists() && gl_sealer_runs(MyDatabaseId));

	SPI_connect();
	gl_seal_latest(&seal);
	status.values[GL_STATUS_TREE_SIZE] = Int64GetDatum((int64) seal.tree_size);
	status.values[GL_STATUS_HEIGHT] = Int64GetDatum((int64) seal.height);
	gl_status_unsealed(&status, &seal);
	gl_status_signed(&status);
	gl_status_latency(&status);
	gl_status_said(&status);
	SPI_finish();
	gl_status_explain(&status);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), status.values, status.nulls)));
}
