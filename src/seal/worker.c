/*
 * worker.c
 *		The sealer of one database; see worker.h.
 *
 * A step that fails is logged once, shown in govledger.status and tried again; the other steps go on. So a key that cannot
 * be read stops signing and not sealing, and nothing here ever stops a commit.
 */
#include "seal/worker.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_db_role_setting.h"
#include "commands/dbcommands.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/catalog.h"
#include "core/clock.h"
#include "seal/follow.h"
#include "seal/query.h"
#include "seal/report.h"
#include "seal/settings.h"
#include "seal/shared.h"
#include "seal/step.h"

#define GL_RETRY_FIRST 500		/* milliseconds */
#define GL_RETRY_LAST 5000
#define GL_SIGN_LOOK 1000
#define GL_CLOCK_TOLERANCE 5000000	/* microseconds that a clock may step back without a word */

typedef struct GlWorkerStep
{
	void		(*run) (void);
	const char *what;			/* "could not ..." */
	char	   *error;			/* of the last run, in TopMemoryContext; NULL if it went well */
	int			failures;		/* in a row */
	int64		next_try;		/* by gl_clock() */
} GlWorkerStep;

static bool gl_sealed = false;	/* something was, in this pass */
static bool gl_sign_wanted = true;
static int64 gl_next_sign_look = 0;
static bool gl_publish_wanted = true;
static bool gl_standby_awaited = false; /* before the newest seal may be signed */
static char *gl_clock_note = NULL;	/* the last seal could not be given the time of its making */
static char *gl_stranger_note = NULL;	/* rows in the log that are no entries; kept until the worker ends */

static void
gl_note_strangers(const GlSealResult *result)
{
	if (result->strangers == 0 || gl_stranger_note != NULL)
		return;
	gl_stranger_note =
		MemoryContextStrdup(TopMemoryContext,
							psprintf(INT64_FORMAT " rows of govledger.entry were not written by the transaction they name, "
									 "for example " UINT64_FORMAT "; they are not sealed",
									 result->strangers, result->stranger));
	ereport(WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("govledger: %s", gl_stranger_note),
			 errhint("Run SELECT * FROM govledger.verify().")));
}

/* A clock that was set back does no harm to the order of the log, but its times are wrong: tell whoever can mend it. */
static void
gl_note_clock(const GlSealResult *result)
{
	bool		behind = result->clock_behind > GL_CLOCK_TOLERANCE;

	if (!result->sealed || behind == (gl_clock_note != NULL))
		return;
	if (!behind)
	{
		pfree(gl_clock_note);
		gl_clock_note = NULL;
		ereport(LOG, (errmsg("govledger: the clock of this server is ahead of the last seal again")));
		return;
	}
	gl_clock_note =
		MemoryContextStrdup(TopMemoryContext,
							psprintf("the clock of this server was set back: seals bear the time of the last one before, %s, until that is over",
									 timestamptz_to_str(GetCurrentTimestamp() + result->clock_behind)));
	ereport(WARNING,
			(errmsg("govledger: %s", gl_clock_note),
			 errhint("Check the time of this server and how it is kept.")));
}

static void
gl_run_seal(void)
{
	GlSealResult result;

	gl_seal_step(0, &result);
	gl_note_clock(&result);
	gl_sealed |= result.sealed;
	gl_sign_wanted |= result.sealed;
	gl_note_strangers(&result);
}

static void
gl_run_sign(void)
{
	static bool said = false;
	int64		now = gl_clock();
	GlSignOutcome outcome;

	/* somebody else may have sealed (a one-shot worker) and not signed: look now and then */
	if (!gl_sign_wanted && now < gl_next_sign_look)
		return;
	outcome = gl_sign_step();
	gl_sign_wanted = outcome == GL_SIGN_STANDBY;
	gl_next_sign_look = now + GL_SIGN_LOOK;
	gl_standby_awaited = outcome == GL_SIGN_STANDBY;
	if (outcome == GL_SIGN_DONE)
	{
		gl_sealed = true;
		gl_publish_wanted = true;
	}
	if (outcome != GL_SIGN_NO_KEY)
		said = false;
	else
	{
		gl_key_phase = GL_KEY_NONE;
		if (!said)
			ereport(LOG,
					(errmsg("govledger: no signing key is configured, so seals are not signed"),
					 errhint("Make a key with govledger.generate_key() and name it in govledger.signing_key.")));
		said = true;
	}
}

static void
gl_run_publish(void)
{
	if (!gl_publish_wanted)
		return;
	gl_publish_step();
	gl_publish_wanted = false;
}

static void
gl_run_follow(void)
{
	if (gl_follower != NULL)
		gl_follower->start(gl_sealed);
}

/* In the order of their weight: govledger.status shows the error of the first one that has any. */
enum
{
	GL_STEP_SEAL,
	GL_STEP_REGISTER,
	GL_STEP_SIGN,
	GL_STEP_PUBLISH,
	GL_STEP_FOLLOW,
	GL_STEP_ALARM
};

static GlWorkerStep gl_steps[] = {
	[GL_STEP_SEAL] = {.run = gl_run_seal,.what = "seal"},
	[GL_STEP_REGISTER] = {.run = gl_register_step,.what = "register the signing key"},
	[GL_STEP_SIGN] = {.run = gl_run_sign,.what = "sign"},
	[GL_STEP_PUBLISH] = {.run = gl_run_publish,.what = "write the checkpoint directory"},
	[GL_STEP_FOLLOW] = {.run = gl_run_follow,.what = "start the process that fills histories"},
	[GL_STEP_ALARM] = {.run = gl_alarm_step,.what = "look for an alarm"}
};

/* Register before sealing, so that the first key's record is in the first block that it signs. */
static const int gl_step_order[] = {GL_STEP_REGISTER, GL_STEP_SEAL, GL_STEP_SIGN, GL_STEP_PUBLISH,
	GL_STEP_FOLLOW, GL_STEP_ALARM};

/* Log a failure when it is another one than before. */
static void
gl_step_failed(GlWorkerStep *step, const ErrorData *error)
{
	bool		known = step->error != NULL && strcmp(step->error, error->message) == 0;
	int64		pause = Min((int64) GL_RETRY_FIRST << Min(step->failures, 10), GL_RETRY_LAST);

	if (!known)
	{
		if (step->error != NULL)
			pfree(step->error);
		step->error = MemoryContextStrdup(TopMemoryContext, error->message);
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("govledger could not %s: %s", step->what, error->message),
				 error->detail != NULL ? errdetail_internal("%s", error->detail) : 0,
				 error->hint != NULL ? errhint("%s", error->hint) : 0));
	}
	step->failures++;
	step->next_try = gl_clock() + pause;
}

static void
gl_step_run(GlWorkerStep *step, MemoryContext context)
{
	if (step->next_try > gl_clock())
		return;
	gl_slot_busy(step->what);
	PG_TRY();
	{
		step->run();
		if (step->error != NULL)
		{
			ereport(LOG, (errmsg("govledger could %s again", step->what)));
			pfree(step->error);
		}
		step->error = NULL;
		step->failures = 0;
		step->next_try = 0;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(context);
		gl_step_failed(step, error);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	gl_slot_busy(NULL);
	/* ending a transaction changes the context */
	MemoryContextSwitchTo(context);
}

/* Tell govledger.status, if anything changed. What cannot be stored is in the log already. */
static void
gl_report(MemoryContext context)
{
	static char *last = NULL;
	const char *key_error = gl_steps[GL_STEP_SIGN].error != NULL ? gl_steps[GL_STEP_SIGN].error :
		gl_steps[GL_STEP_REGISTER].error;
	const char *error = gl_stranger_note != NULL ? gl_stranger_note : gl_clock_note;
	char	   *key_state = gl_key_state_text(key_error);
	char	   *now;
	int			i;

	for (i = lengthof(gl_steps) - 1; i >= 0; i--)
		if (gl_steps[i].error != NULL)
			error = psprintf("could not %s: %s", gl_steps[i].what, gl_steps[i].error);
	if (error == NULL && gl_standby_awaited)
		error = "the newest seal is not signed before the synchronous standby has it";
	now = psprintf("%s\n%s", key_state, error != NULL ? error : "");
	if (last != NULL && strcmp(last, now) == 0)
		return;
	PG_TRY();
	{
		gl_report_step(error, key_state);
		if (last != NULL)
			pfree(last);
		last = MemoryContextStrdup(TopMemoryContext, now);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		AbortCurrentTransaction();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
}

/* Changes with ALTER DATABASE ... SET and ALTER ROLE ... SET, which a running process does not see otherwise. */
static uint64
gl_database_settings(void)
{
	Relation	relation = table_open(DbRoleSettingRelationId, AccessShareLock);
	Oid			databases[] = {InvalidOid, MyDatabaseId};
	uint64		result = 0;
	int			i;

	for (i = 0; i < lengthof(databases); i++)
	{
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tuple;

		ScanKeyInit(&key, Anum_pg_db_role_setting_setdatabase, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(databases[i]));
		scan = systable_beginscan(relation, DbRoleSettingDatidRolidIndexId, true, NULL, 1, &key);
		while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		{
			Oid			role = ((Form_pg_db_role_setting) GETSTRUCT(tuple))->setrole;

			/* which version of which row, not its bytes: those have hint bits */
			if (role == InvalidOid || role == BOOTSTRAP_SUPERUSERID)
				result += hash_combine64(HeapTupleHeaderGetRawXmin(tuple->t_data),
										 (uint64) ItemPointerGetBlockNumber(&tuple->t_self) << 16 |
										 ItemPointerGetOffsetNumber(&tuple->t_self));
		}
		systable_endscan(scan);
	}
	table_close(relation, AccessShareLock);
	return result;
}

/* Is this database still to be sealed by this process? Exits if not. */
static void
gl_worker_check(const char *database_name)
{
	static bool known = false;
	static uint64 settings;
	static int32 generation = 0;
	uint64		now;
	int32		generation_now;

	if (!gl_setting_covers_database(database_name) || !gl_step_begin())
	{
		gl_slot_set_exit_reason(GL_EXIT_NOT_WANTED);
		proc_exit(0);
	}
	now = gl_database_settings();
	generation_now = gl_ledger_state()->exists ? gl_ledger_state()->generation : 0;
	gl_step_commit();
	/* another generation may be another log, with another key */
	if (known && (now != settings || (generation != 0 && generation_now != generation)))
	{
		gl_slot_set_exit_reason(GL_EXIT_AGAIN);
		proc_exit(0);
	}
	if (!known)
		gl_slot_settle();
	settings = now;
	generation = generation_now;
	known = true;
}

static void
gl_worker_pass(const char *database_name, MemoryContext context)
{
	int			i;

	gl_sealed = false;
	gl_worker_check(database_name);
	MemoryContextSwitchTo(context);
	for (i = 0; i < lengthof(gl_step_order); i++)
	{
		CHECK_FOR_INTERRUPTS();
		gl_step_run(&gl_steps[gl_step_order[i]], context);
	}
	gl_report(context);
	if (gl_sealed)
		gl_progress_broadcast();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/* A new configuration may be the remedy: try at once what failed. */
static void
gl_worker_reload(void)
{
	int			i;

	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	for (i = 0; i < lengthof(gl_steps); i++)
		gl_steps[i].next_try = 0;
	gl_publish_wanted = true;
	gl_sign_wanted = true;
	gl_key_phase = GL_KEY_UNKNOWN;
}

static void
gl_worker_sleep(int64 pass_began)
{
	static uint32 wait_event = 0;
	int64		pause = pass_began + gl_setting_seal_interval - gl_clock();

	if (wait_event == 0)
		wait_event = gl_wait_event("GovledgerSealerMain");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, (long) Max(pause, 1), wait_event);
	ResetLatch(MyLatch);
}

static void
gl_worker_connect(Datum argument, char database_name[NAMEDATALEN])
{
	GlWorkerExtra extra;
	Oid			database;
	char	   *name;

	memcpy(&extra, MyBgworkerEntry->bgw_extra, sizeof(extra));
	if (!gl_slot_attach(DatumGetInt32(argument), extra.generation, &database))
		proc_exit(0);
	/* whoever blocked the database after our slot was reserved waits for us to be gone */
	if (gl_database_blocked(database))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	gl_query_pin_settings();
	SetConfigOption("application_name", "govledger sealer", PGC_USERSET, PGC_S_OVERRIDE);

	StartTransactionCommand();
	name = get_database_name(database);
	strlcpy(database_name, name != NULL ? name : "", NAMEDATALEN);
	CommitTransactionCommand();
}

/* The server log has no other way to tell the databases of background workers apart: %d is empty there. */
static void
gl_worker_error_context(void *database_name)
{
	if (*(const char *) database_name != '\0')
		errcontext("sealer of database \"%s\"", (const char *) database_name);
}

void
gl_worker_main(Datum argument)
{
	char		database_name[NAMEDATALEN] = "";
	ErrorContextCallback error_context = {.callback = gl_worker_error_context,.arg = database_name};
	MemoryContext context;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	/* the default handler may leave while a spinlock is held */
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	error_context.previous = error_context_stack;
	error_context_stack = &error_context;
	gl_worker_connect(argument, database_name);
	context = AllocSetContextCreate(TopMemoryContext, "govledger sealer", ALLOCSET_DEFAULT_SIZES);

	for (;;)
	{
		int64		began = gl_clock();

		if (ConfigReloadPending)
			gl_worker_reload();
		gl_worker_pass(database_name, context);
		MemoryContextSwitchTo(context);
		MemoryContextReset(context);
		CHECK_FOR_INTERRUPTS();
		gl_worker_sleep(began);
	}
}
