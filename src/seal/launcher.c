/*
 * launcher.c
 *		Starts a sealer in every database that has the extension; see worker.h.
 *
 * Only a process that is connected to a database can see whether the extension is there. So each database is looked into
 * once, by a worker that leaves at once if it finds nothing; after that only an event (CREATE EXTENSION, a new database, a
 * changed setting) makes the launcher try again, and a database without the extension costs nothing.
 */
#include "seal/worker.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "core/clock.h"
#include "seal/settings.h"
#include "seal/shared.h"

#define GL_LAUNCHER_RESTART 5	/* seconds */
#define GL_LOOK_INTERVAL 60000	/* milliseconds from one look at the list of databases to the next */
#define GL_BACKOFF_FIRST 1000
#define GL_BACKOFF_LAST 60000
#define GL_SLOT_RETRY 1000
#define GL_LOOKING 2
/* a worker that lived so long was well */
#define GL_WELL_AFTER 60000

/* What the launcher knows of a database. */
typedef struct GlDatabase
{
	Oid			oid;
	bool		wanted;			/* start a worker, at next_start */
	bool		asked;			/* an event came while one ran that may be about to leave */
	bool		present;		/* in the last look at the list */
	int			failures;
	int64		next_start;		/* this and the next by gl_clock() */
	int64		started;
} GlDatabase;

static List *gl_databases = NIL;	/* in TopMemoryContext */
static int64 gl_no_worker_warned = 0;	/* by gl_clock() */

void
gl_launcher_register(void)
{
	BackgroundWorker worker;

	/* pg_upgrade wants nobody but itself connected */
	if (IsBinaryUpgrade)
		return;
	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = GL_LAUNCHER_RESTART;
	snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "govledger");
	snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "gl_launcher_main");
	snprintf(worker.bgw_name, BGW_MAXLEN, "govledger launcher");
	snprintf(worker.bgw_type, BGW_MAXLEN, "govledger launcher");
	RegisterBackgroundWorker(&worker);
}

static GlDatabase *
gl_database_get(Oid oid)
{
	ListCell   *cell;
	GlDatabase *database;
	MemoryContext caller;

	foreach(cell, gl_databases)
	{
		database = lfirst(cell);
		if (database->oid == oid)
			return database;
	}
	caller = MemoryContextSwitchTo(TopMemoryContext);
	database = palloc0(sizeof(GlDatabase));
	database->oid = oid;
	database->wanted = true;
	gl_databases = lappend(gl_databases, database);
	MemoryContextSwitchTo(caller);
	return database;
}

/* Learn of new databases, forget dropped ones. */
static void
gl_look_at_databases(void)
{
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;
	ListCell   *cell;

	foreach(cell, gl_databases)
		((GlDatabase *) lfirst(cell))->present = false;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (form->datallowconn && !form->datistemplate && gl_setting_covers_database(NameStr(form->datname)))
			gl_database_get(form->oid)->present = true;
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();

	foreach(cell, gl_databases)
		if (!((GlDatabase *) lfirst(cell))->present)
		{
			pfree(lfirst(cell));
			gl_databases = foreach_delete_current(gl_databases, cell);
		}
}

static void
gl_reap(void)
{
	int64		now = gl_clock();
	GlExitReason reason;
	Oid			oid;

	gl_slots_expire();
	while (gl_slot_reap(&oid, &reason))
	{
		GlDatabase *database = gl_database_get(oid);

		database->wanted = reason != GL_EXIT_NOT_WANTED || database->asked;
		database->asked = false;
		database->next_start = now;
		if (reason != GL_EXIT_FAILED || now - database->started > GL_WELL_AFTER)
			database->failures = 0;
		if (reason == GL_EXIT_FAILED)
		{
			int64		pause = (int64) GL_BACKOFF_FIRST << Min(database->failures, 10);

			database->next_start = now + Min(pause, GL_BACKOFF_LAST);
			database->failures++;
		}
	}
}

/* All background worker slots are taken: say so now, and again after each govledger.alarm_after while it lasts. */
static void
gl_no_worker(void)
{
	int64		now = gl_clock();

	gl_launcher_out_of_workers(true);
	if (gl_no_worker_warned != 0 &&
		(gl_setting_alarm_after == 0 || now - gl_no_worker_warned < gl_setting_alarm_after * INT64CONST(1000)))
		return;
	gl_no_worker_warned = now;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("govledger could not start a sealer: out of background worker slots"),
			 errdetail("Entries of some databases are not sealed; this is tried again."),
			 errhint("You might need to increase max_worker_processes.")));
}

static void
gl_start_worker(GlDatabase *database)
{
	BackgroundWorker worker;
	GlWorkerExtra extra;
	int			slot;

	database->next_start = gl_clock() + GL_SLOT_RETRY;
	slot = gl_slot_reserve(database->oid, &extra.generation);
	if (slot < 0)
	{
		/* it has one, perhaps started by a launcher before this one: its exit will be noticed */
		if (gl_slot_taken(database->oid))
			database->wanted = false;
		return;
	}

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	/* the launcher decides when to start again */
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "govledger");
	snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "gl_worker_main");
	snprintf(worker.bgw_name, BGW_MAXLEN, "govledger sealer for database %u", database->oid);
	snprintf(worker.bgw_type, BGW_MAXLEN, "govledger sealer");
	worker.bgw_main_arg = Int32GetDatum(slot);
	memcpy(worker.bgw_extra, &extra, sizeof(extra));
	if (RegisterDynamicBackgroundWorker(&worker, NULL))
	{
		database->wanted = false;
		database->started = gl_clock();
		if (gl_no_worker_warned != 0)
			ereport(LOG, (errmsg("govledger found a background worker slot again")));
		gl_no_worker_warned = 0;
		gl_launcher_out_of_workers(false);
		return;
	}
	gl_slot_cancel(slot, extra.generation);
	gl_no_worker();
}

/* A sealer that is held up (by a lock, a standby, a disk) cannot say so itself. */
static void
gl_warn_overdue(void)
{
	GlSealerCondition condition;

	while (gl_setting_alarm_after > 0 && gl_sealer_overdue(gl_setting_alarm_after * INT64CONST(1000), &condition))
		ereport(WARNING,
				(errmsg("govledger: the sealer of database %u (PID %d) has tried to %s for " INT64_FORMAT " s",
						condition.database, (int) condition.pid, condition.busy_with, condition.busy_for / 1000),
				 errhint("See wait_event in pg_stat_activity, and pg_locks: it may wait for a lock, a synchronous standby or a disk.")));
}

/* Start what is due; returns the milliseconds until something is due again. */
static long
gl_start_workers(void)
{
	int64		now = gl_clock();
	long		pause = GL_LOOK_INTERVAL;
	ListCell   *cell;

	foreach(cell, gl_databases)
	{
		GlDatabase *database = lfirst(cell);

		/* a server with many databases looks into few of them at a time; each that has looked wakes us */
		if (database->wanted && gl_slots_unsettled() >= GL_LOOKING)
			continue;
		if (database->wanted && database->next_start <= now)
			gl_start_worker(database);
		if (database->wanted)
			pause = Min(pause, Max((long) (database->next_start - now), 1));
	}
	return pause;
}

/* True if the list of databases shall be looked at. */
static bool
gl_take_requests(void)
{
	bool		look = false;
	Oid			oid;

	while (gl_launcher_next_request(&oid))
	{
		/* it may be new, or excluded, or dropped: the list tells */
		look = true;
		if (OidIsValid(oid))
		{
			GlDatabase *database = gl_database_get(oid);

			database->asked = gl_slot_taken(oid);
			database->wanted = !database->asked;
			database->next_start = 0;
			database->failures = 0;
		}
	}
	return look;
}

static void
gl_launcher_reload(void)
{
	ListCell   *cell;

	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	foreach(cell, gl_databases)
	{
		GlDatabase *database = lfirst(cell);

		database->asked = gl_slot_taken(database->oid);
		database->wanted = !database->asked;
		database->next_start = 0;
	}
}

void
gl_launcher_main(Datum argument)
{
	int64		next_look = 0;
	uint32		wait_event = gl_wait_event("GovledgerLauncherMain");

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	gl_launcher_attach();

	for (;;)
	{
		long		pause;

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			gl_launcher_reload();
			next_look = 0;
		}
		gl_reap();
		if (gl_take_requests() || next_look <= gl_clock())
		{
			gl_look_at_databases();
			next_look = gl_clock() + GL_LOOK_INTERVAL;
		}
		pause = gl_start_workers();
		gl_warn_overdue();
		if (gl_setting_alarm_after > 0)
			pause = Min(pause, Max(gl_setting_alarm_after * 500L, 200L));
		pgstat_report_activity(STATE_IDLE, NULL);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause, wait_event);
		ResetLatch(MyLatch);
	}
}
