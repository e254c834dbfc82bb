/*
 * verify.c
 *		govledger.verify(): one run, from the arguments to the last row of the report.
 */
#include "verify/tables.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access/xlog.h"
#include "capture/capture.h"
#include "core/catalog.h"
#include "core/version.h"
#include "ledger/rows.h"

PG_FUNCTION_INFO_V1(gl_verify);

#define PROGRESS_MILLISECONDS 5000
/* The clock is not free: look at it once in so many calls. */
#define PROGRESS_STEPS 1024

void
gl_verify_progress(GlVerify *verify, const char *what, double done, double total)
{
	static int	step = 0;
	TimestampTz now;

	CHECK_FOR_INTERRUPTS();
	if (++step % PROGRESS_STEPS != 0)
		return;
	now = GetCurrentTimestamp();
	if (!TimestampDifferenceExceeds(verify->progress_at, now, PROGRESS_MILLISECONDS))
		return;
	verify->progress_at = now;
	if (total > 0)
		ereport(NOTICE,
				(errmsg("verify: %s, %d %%", what, (int) (100 * Min(done / total, 1)))));
	else
		ereport(NOTICE,
				(errmsg("verify: %s", what)));
}

/* --- snapshot --- */

/*
 * Lock what is missing too. We never wait for one table while we hold another, or a TRUNCATE of several ledger tables could
 * deadlock with us and be the one that fails.
 */
static List *
lock_relations(List *locked, List *missing)
{
	ListCell   *cell;

	foreach(cell, missing)
	{
		ListCell   *held;

		if (ConditionalLockRelationOid(lfirst_oid(cell), AccessShareLock))
		{
			locked = lappend_oid(locked, lfirst_oid(cell));
			continue;
		}
		foreach(held, locked)
			UnlockRelationOid(lfirst_oid(held), AccessShareLock);
		list_free(locked);
		LockRelationOid(lfirst_oid(cell), AccessShareLock);
		return list_make1_oid(lfirst_oid(cell));
	}
	return locked;
}

/*
 * TRUNCATE and DDL do not respect snapshots, so all tables are locked before the snapshot is taken; and since it is the
 * snapshot that says which tables there are, until no new ones turn up.
 */
static Snapshot
take_snapshot(void)
{
	List	   *locked = NIL;

	for (;;)
	{
		Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
		List	   *relations = gl_tables_relations(snapshot);
		List	   *missing = list_difference_oid(relations, locked);

		if (missing == NIL)
			return snapshot;
		locked = lock_relations(locked, missing);
		UnregisterSnapshot(snapshot);
		CHECK_FOR_INTERRUPTS();
	}
}

/* After the tree: the newest sound seal knows the cluster. */
static void
check_cluster(GlVerify *verify)
{
	GlFinding	finding = {.check = GL_CHECK_CATALOG, .object = "govledger.ledger", .leaf = GL_NO_LEAF};

	if (verify->sealed_generation < verify->generation ||
		(verify->sealed_generation == verify->generation && verify->sealed_by == verify->system_identifier))
		return;
	finding.detail = "it names another generation or cluster than the newest seal";
	finding.column = "generation, system_identifier";
	finding.logged = psprintf("%u, %llu", verify->sealed_generation, (unsigned long long) verify->sealed_by);
	finding.found = psprintf("%u, %llu", verify->generation, (unsigned long long) verify->system_identifier);
	gl_report_finding(verify->report, &finding);
	verify->ours = false;
}

static void
read_ledger(GlVerify *verify)
{
	Relation	heap = gl_relation_open(GL_REL_LEDGER, AccessShareLock);
	SysScanDesc scan = systable_beginscan(heap, InvalidOid, false, verify->snapshot, 0, NULL);
	HeapTuple	tuple = systable_getnext(scan);

	if (HeapTupleIsValid(tuple))
	{
		Datum		values[Natts_gl_ledger];
		bool		nulls[Natts_gl_ledger];

		heap_deform_tuple(tuple, RelationGetDescr(heap), values, nulls);
		verify->generation = (uint32) DatumGetInt32(values[Anum_gl_ledger_generation - 1]);
		verify->system_identifier = (uint64) DatumGetInt64(values[Anum_gl_ledger_system_identifier - 1]);
		verify->ours = verify->system_identifier == GetSystemIdentifier() &&
			DatumGetObjectId(values[Anum_gl_ledger_database - 1]) == MyDatabaseId;
		if (!nulls[Anum_gl_ledger_origin - 1])
			verify->origin = gl_bytes_of(TextDatumGetCString(values[Anum_gl_ledger_origin - 1]));
	}
	systable_endscan(scan);
	table_close(heap, NoLock);
	gl_origins_open(verify);
}

/* --- arguments --- */

static void
choose_target(GlVerify *verify, Oid relation)
{
	GlTable    *target = gl_tables_find_relation(verify->tables, relation);
	ListCell   *cell;

	if (target == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("\"%s\" is not a ledger table", get_rel_name(relation) ? get_rel_name(relation) : "?"),
				 errhint("Run govledger.verify() without a target to check whether it was one.")));
	verify->target_table = target->ledger->table_id;
	foreach(cell, gl_tables_list(verify->tables))
	{
		GlTable    *table = lfirst(cell);

		table->wanted = table == target;
	}
}

/* Go back to the seal at or before; what cannot be skipped is checked from the start. */
static void
choose_since(GlVerify *verify, int64 since)
{
	GlStoredSeal *newest = gl_seal_before(verify->snapshot, PG_INT64_MAX, verify->memory);
	GlStoredSeal *start;

	verify->tree_size = newest != NULL ? gl_seal_size(newest) : 0;
	if (since < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"since\" must not be negative")));
	if (since > verify->tree_size)
		gl_report_log(verify->report, GL_CHECK_AGAINST, GL_NO_LEAF, "since",
					  "the caller knows a tree of %lld leaves, this log has %lld: it was rolled back or rewritten",
					  (long long) since, (long long) verify->tree_size);
	start = since > 0 ? gl_seal_before(verify->snapshot, since, verify->memory) : NULL;
	verify->since = start != NULL && gl_seal_size(start) <= since ? gl_seal_size(start) : 0;
}

static void
refuse_own_changes(void)
{
	if (gl_capture_pending())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("this transaction has changed ledger tables"),
				 errdetail("Its changes enter the log when it commits, so log and tables differ until then."),
				 errhint("Run govledger.verify() in a transaction of its own.")));
}

/* --- the run --- */

static GlVerify *
open_run(FunctionCallInfo fcinfo)
{
	GlVerify   *verify = palloc0(sizeof(GlVerify));

	verify->memory = CurrentMemoryContext;
	verify->scratch = AllocSetContextCreate(CurrentMemoryContext, "govledger verify scratch", ALLOCSET_DEFAULT_SIZES);
	verify->progress_at = GetCurrentTimestamp();
	verify->report = gl_report_open(fcinfo);
	verify->snapshot = take_snapshot();
	/* fetching large values asks for one */
	PushActiveSnapshot(verify->snapshot);
	read_ledger(verify);
	gl_sum_key();
	gl_rows_init();
	verify->tables = gl_tables_open(verify);
	if (!PG_ARGISNULL(0))
		choose_target(verify, PG_GETARG_OID(0));
	choose_since(verify, PG_ARGISNULL(2) ? 0 : PG_GETARG_INT64(2));
	verify->log = gl_log_open(verify->snapshot);
	verify->schemas = gl_schemas_open();
	(void) gl_keys_open(verify);
	verify->erasures = gl_erasures_open();
	verify->strays = gl_strays_open(verify);
	verify->tiles = gl_tiles_open(verify->snapshot);
	verify->checkpoints = gl_checkpoints_open(verify);
	verify->against = gl_against_open(verify, PG_ARGISNULL(1) ? construct_empty_array(TEXTOID) : PG_GETARG_ARRAYTYPE_P(1));
	return verify;
}

static void
close_run(GlVerify *verify)
{
	gl_report_close(verify->report);
	gl_strays_close(verify->strays);
	gl_checkpoints_close(verify->checkpoints);
	gl_tiles_close(verify->tiles);
	gl_log_close(verify->log);
	PopActiveSnapshot();
	UnregisterSnapshot(verify->snapshot);
}

static void
run_checks(FunctionCallInfo fcinfo)
{
	GlVerify   *verify = open_run(fcinfo);

	gl_tree_check(verify);
	check_cluster(verify);
	gl_strays_collect(verify);
	gl_strays_check(verify);
	gl_contexts_check(verify);
	gl_tiles_check(verify);
	gl_checkpoints_check(verify);
	gl_keys_check(verify);
	gl_erasures_check(verify);
	gl_origins_check(verify);
	gl_against_check(verify);
	gl_schemas_check(verify);
	gl_catalog_check(verify);
	gl_tables_check(verify);
	gl_histories_check(verify);
	close_run(verify);
}

Datum
gl_verify(PG_FUNCTION_ARGS)
{
	static bool running = false;
	MemoryContext run;
	MemoryContext old;

	gl_version_require_current();
	refuse_own_changes();
	/* the output function of a type could call us, and would find the run's buffers in use */
	if (running)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("govledger.verify() is already running in this session")));
	run = AllocSetContextCreate(CurrentMemoryContext, "govledger verify", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(run);
	running = true;
	PG_TRY();
	{
		run_checks(fcinfo);
	}
	PG_FINALLY();
	{
		running = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(run);
	return (Datum) 0;
}
