/*
 * worker.c
 *		The process that fills histories; see worker.h.
 *
 * It is started when something is sealed that a history does not have, and leaves when nothing has come for a while: so a database
 * at rest takes one worker slot and not two.
 */
#include "history/worker.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "core/clock.h"
#include "history/project.h"
#include "seal/query.h"
#include "seal/shared.h"
#include "seal/step.h"

/* milliseconds: it leaves after so long without work, and looks at least so often */
#define IDLE_TIME 10000
#define LOOK_TIME 1000

static BackgroundWorkerHandle *handle = NULL;

static bool
is_behind(void)
{
	bool		behind;

	if (!gl_step_begin())
		return false;
	gl_step_snapshot();
	behind = gl_project_behind();
	gl_step_commit();
	return behind;
}

static void
register_worker(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "govledger");
	snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "gl_history_main");
	snprintf(worker.bgw_name, BGW_MAXLEN, "govledger history for database %u", MyDatabaseId);
	snprintf(worker.bgw_type, BGW_MAXLEN, "govledger history");
	worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
	{
		handle = NULL;
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("out of background worker slots"),
				 errdetail("Histories are not filled until one is free; sealing goes on."),
				 errhint("You might need to increase max_worker_processes.")));
	}
}

static void
start(bool sealed)
{
	static bool wanted = true;	/* something may be there to be filled */
	static int64 next_look = 0;
	int64		now = gl_clock();
	pid_t		pid;
	BgwHandleStatus status;

	/* somebody else may have sealed, or protected a table: look now and then */
	wanted |= sealed || now >= next_look;
	if (!wanted || gl_follower_runs(MyDatabaseId))
		return;
	next_look = now + LOOK_TIME;
	if (handle != NULL)
	{
		status = GetBackgroundWorkerPid(handle, &pid);
		if (status == BGWH_STARTED || status == BGWH_NOT_YET_STARTED)
			return;
		pfree(handle);
		handle = NULL;
	}
	if (is_behind())
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		register_worker();
		MemoryContextSwitchTo(old);
	}
	else
		wanted = false;
}

static void
run(void)
{
	while (gl_project_step() == GL_PROJECT_MORE)
	{
		CHECK_FOR_INTERRUPTS();
		gl_progress_broadcast();
	}
}

const GlFollower gl_history_follower = {.start = start,.run = run};

static long
pause_time(int64 idle_since)
{
	int64		now = gl_clock();
	int64		next_try = gl_project_next_try();

	if (next_try != 0)
		return (long) Min(LOOK_TIME, Max(next_try - now, 10));
	if (now - idle_since > IDLE_TIME)
		proc_exit(0);
	return LOOK_TIME;
}

void
gl_history_main(Datum argument)
{
	Oid			database = DatumGetObjectId(argument);
	int64		idle_since = gl_clock();

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	/* the default handler may leave while a spinlock is held */
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	if (!gl_shared_exists() || !gl_follower_attach(database))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	gl_query_pin_settings();
	SetConfigOption("application_name", "govledger history", PGC_USERSET, PGC_S_OVERRIDE);

	for (;;)
	{
		GlProjectOutcome outcome;

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			gl_project_retry();
		}
		/* before the look, so that a seal after it wakes us */
		gl_progress_prepare();
		outcome = gl_project_step();
		if (outcome == GL_PROJECT_GONE)
			proc_exit(0);
		if (outcome == GL_PROJECT_MORE)
		{
			gl_progress_broadcast();
			idle_since = gl_clock();
			continue;
		}
		pgstat_report_stat(true);
		pgstat_report_activity(STATE_IDLE, NULL);
		gl_progress_sleep(pause_time(idle_since));
	}
}
