/*
 * shared.c
 *		What launcher, workers and backends know of each other; see shared.h.
 */
#include "seal/shared.h"

#include <signal.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "core/clock.h"

#define GL_SHARED_NAME "govledger sealers"
#define GL_REQUESTS 64
#define GL_START_SECONDS 60
#define GL_STOP_TRIES 500
#define GL_STOP_PAUSE 10000L	/* microseconds */

typedef enum GlSlotState
{
	GL_SLOT_FREE,
	GL_SLOT_STARTING,			/* reserved; the process is not there yet */
	GL_SLOT_LOOKING,			/* it is, and looks whether the extension is */
	GL_SLOT_RUNNING,
	GL_SLOT_EXITED				/* not yet reaped by the launcher */
} GlSlotState;

typedef struct GlSealerSlot
{
	GlSlotState state;
	Oid			database;
	uint32		generation;		/* a worker with another one came too late */
	pid_t		pid;
	int64		since;			/* this and the next two by gl_clock() */
	int64		busy_since;		/* with what it does now; 0 if it does nothing */
	int64		warned;			/* of that */
	char		busy_with[GL_BUSY_SIZE];
	GlExitReason exit_reason;
} GlSealerSlot;

/* A process beside the sealer of a database, which must leave with it. */
typedef struct GlFollowerSlot
{
	Oid			database;		/* InvalidOid: free */
	pid_t		pid;
} GlFollowerSlot;

typedef struct GlSealShared
{
	LWLock	   *lock;			/* protects all but the condition variable */
	Latch	   *launcher_latch;
	bool		out_of_workers; /* the launcher wants to start one and cannot */
	bool		look_at_all;
	int			request_count;
	Oid			requests[GL_REQUESTS];
	Oid			blocked[GL_BLOCKED_MAX];	/* one element per command that blocks */
	uint32		last_generation;
	ConditionVariable progress;
	int			slot_count;
	GlSealerSlot slots[FLEXIBLE_ARRAY_MEMBER];	/* behind them as many GlFollowerSlot */
} GlSealShared;

static GlSealShared *gl_shared = NULL;
static int	gl_my_slot = -1;
static GlExitReason gl_my_exit_reason = GL_EXIT_FAILED;
static int	gl_my_follower = -1;

static shmem_startup_hook_type gl_next_shmem_startup = NULL;

static Size
gl_shared_size(void)
{
	return add_size(offsetof(GlSealShared, slots),
					mul_size(max_worker_processes, sizeof(GlSealerSlot) + sizeof(GlFollowerSlot)));
}

static void
gl_shared_startup(void)
{
	bool		found;

	if (gl_next_shmem_startup != NULL)
		gl_next_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	gl_shared = ShmemInitStruct(GL_SHARED_NAME, gl_shared_size(), &found);
	if (!found)
	{
		memset(gl_shared, 0, gl_shared_size());
		gl_shared->lock = &GetNamedLWLockTranche(GL_SHARED_NAME)->lock;
		gl_shared->slot_count = max_worker_processes;
		ConditionVariableInit(&gl_shared->progress);
	}
	LWLockRelease(AddinShmemInitLock);
}

static void
gl_shared_request(void)
{
	RequestAddinShmemSpace(gl_shared_size());
	RequestNamedLWLockTranche(GL_SHARED_NAME, 1);
}

#ifdef GL_SHMEM_REQUEST_HOOK
static shmem_request_hook_type gl_next_shmem_request = NULL;

static void
gl_shared_request_hook(void)
{
	if (gl_next_shmem_request != NULL)
		gl_next_shmem_request();
	gl_shared_request();
}
#endif

void
gl_shared_init(void)
{
#ifdef GL_SHMEM_REQUEST_HOOK
	gl_next_shmem_request = shmem_request_hook;
	shmem_request_hook = gl_shared_request_hook;
#else
	gl_shared_request();
#endif
	gl_next_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = gl_shared_startup;
}

bool
gl_shared_exists(void)
{
	return gl_shared != NULL;
}

/* --- workers --- */

static GlSealerSlot *
gl_slot_of(Oid database)
{
	int			i;

	for (i = 0; i < gl_shared->slot_count; i++)
		if (gl_shared->slots[i].state != GL_SLOT_FREE && gl_shared->slots[i].database == database)
			return &gl_shared->slots[i];
	return NULL;
}

static bool
gl_blocked_locked(Oid database)
{
	int			i;

	for (i = 0; i < GL_BLOCKED_MAX; i++)
		if (gl_shared->blocked[i] == database)
			return true;
	return false;
}

static void
gl_wake_launcher_locked(void)
{
	if (gl_shared->launcher_latch != NULL)
		SetLatch(gl_shared->launcher_latch);
}

int
gl_slot_reserve(Oid database, uint32 *generation)
{
	int			found = -1;
	int			i;

	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	if (gl_slot_of(database) == NULL && !gl_blocked_locked(database))
		for (i = 0; i < gl_shared->slot_count && found < 0; i++)
			if (gl_shared->slots[i].state == GL_SLOT_FREE)
				found = i;
	if (found >= 0)
	{
		GlSealerSlot *slot = &gl_shared->slots[found];

		slot->state = GL_SLOT_STARTING;
		slot->database = database;
		slot->generation = *generation = ++gl_shared->last_generation;
		slot->pid = 0;
		slot->since = gl_clock();
		slot->busy_since = 0;
		slot->exit_reason = GL_EXIT_FAILED;
	}
	LWLockRelease(gl_shared->lock);
	return found;
}

void
gl_slot_cancel(int slot, uint32 generation)
{
	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	if (gl_shared->slots[slot].generation == generation && gl_shared->slots[slot].state == GL_SLOT_STARTING)
		gl_shared->slots[slot].state = GL_SLOT_FREE;
	LWLockRelease(gl_shared->lock);
}

static void
gl_slot_detach(int code, Datum arg)
{
	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	gl_shared->slots[gl_my_slot].state = GL_SLOT_EXITED;
	gl_shared->slots[gl_my_slot].exit_reason = gl_my_exit_reason;
	gl_wake_launcher_locked();
	LWLockRelease(gl_shared->lock);
	/* nobody shall wait for a worker that is gone */
	ConditionVariableBroadcast(&gl_shared->progress);
}

bool
gl_slot_attach(int slot, uint32 generation, Oid *database)
{
	bool		mine;

	Assert(slot >= 0 && slot < gl_shared->slot_count);
	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	mine = gl_shared->slots[slot].generation == generation && gl_shared->slots[slot].state == GL_SLOT_STARTING;
	*database = gl_shared->slots[slot].database;
	if (mine)
	{
		gl_shared->slots[slot].state = GL_SLOT_LOOKING;
		gl_shared->slots[slot].pid = MyProcPid;
		gl_shared->slots[slot].since = gl_clock();
		gl_my_slot = slot;
	}
	LWLockRelease(gl_shared->lock);
	if (mine)
		before_shmem_exit(gl_slot_detach, (Datum) 0);
	return mine;
}

void
gl_slot_settle(void)
{
	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	Assert(gl_shared->slots[gl_my_slot].pid == MyProcPid);
	gl_shared->slots[gl_my_slot].state = GL_SLOT_RUNNING;
	gl_wake_launcher_locked();
	LWLockRelease(gl_shared->lock);
}

int
gl_slots_unsettled(void)
{
	int			count = 0;
	int			i;

	LWLockAcquire(gl_shared->lock, LW_SHARED);
	for (i = 0; i < gl_shared->slot_count; i++)
		count += gl_shared->slots[i].state == GL_SLOT_STARTING || gl_shared->slots[i].state == GL_SLOT_LOOKING;
	LWLockRelease(gl_shared->lock);
	return count;
}

void
gl_slot_set_exit_reason(GlExitReason reason)
{
	gl_my_exit_reason = reason;
}

bool
gl_slot_reap(Oid *database, GlExitReason *reason)
{
	bool		found = false;
	int			i;

	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < gl_shared->slot_count && !found; i++)
		if (gl_shared->slots[i].state == GL_SLOT_EXITED)
		{
			*database = gl_shared->slots[i].database;
			*reason = gl_shared->slots[i].exit_reason;
			gl_shared->slots[i].state = GL_SLOT_FREE;
			found = true;
		}
	LWLockRelease(gl_shared->lock);
	return found;
}

void
gl_slots_expire(void)
{
	int64		now = gl_clock();
	int			i;

	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < gl_shared->slot_count; i++)
		if (gl_shared->slots[i].state == GL_SLOT_STARTING &&
			now - gl_shared->slots[i].since > GL_START_SECONDS * 1000)
			gl_shared->slots[i].state = GL_SLOT_EXITED;
	LWLockRelease(gl_shared->lock);
}

bool
gl_sealer_runs(Oid database)
{
	GlSealerSlot *slot;
	bool		runs;

	LWLockAcquire(gl_shared->lock, LW_SHARED);
	slot = gl_slot_of(database);
	runs = slot != NULL && slot->state == GL_SLOT_RUNNING;
	LWLockRelease(gl_shared->lock);
	return runs;
}

bool
gl_slot_taken(Oid database)
{
	bool		taken;

	LWLockAcquire(gl_shared->lock, LW_SHARED);
	taken = gl_slot_of(database) != NULL;
	LWLockRelease(gl_shared->lock);
	return taken;
}

/* --- followers --- */

static GlFollowerSlot *
gl_follower_slot(int i)
{
	return (GlFollowerSlot *) &gl_shared->slots[gl_shared->slot_count] + i;
}

/* The slot of this database's follower, of a free one if the database is InvalidOid; -1 if there is none. */
static int
gl_follower_find_locked(Oid database)
{
	int			i;

	for (i = 0; i < gl_shared->slot_count; i++)
		if (gl_follower_slot(i)->database == database)
			return i;
	return -1;
}

static void
gl_follower_detach(int code, Datum arg)
{
	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	gl_follower_slot(gl_my_follower)->database = InvalidOid;
	LWLockRelease(gl_shared->lock);
	ConditionVariableBroadcast(&gl_shared->progress);
}

bool
gl_follower_attach(Oid database)
{
	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	if (gl_follower_find_locked(database) < 0 && !gl_blocked_locked(database))
		gl_my_follower = gl_follower_find_locked(InvalidOid);
	if (gl_my_follower >= 0)
	{
		gl_follower_slot(gl_my_follower)->database = database;
		gl_follower_slot(gl_my_follower)->pid = MyProcPid;
	}
	LWLockRelease(gl_shared->lock);
	if (gl_my_follower >= 0)
		before_shmem_exit(gl_follower_detach, (Datum) 0);
	return gl_my_follower >= 0;
}

bool
gl_follower_runs(Oid database)
{
	bool		runs;

	LWLockAcquire(gl_shared->lock, LW_SHARED);
	runs = gl_follower_find_locked(database) >= 0;
	LWLockRelease(gl_shared->lock);
	return runs;
}

/* --- what stands in the way --- */

void
gl_slot_busy(const char *what)
{
	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	Assert(gl_shared->slots[gl_my_slot].pid == MyProcPid);
	gl_shared->slots[gl_my_slot].busy_since = what != NULL ? gl_clock() : 0;
	gl_shared->slots[gl_my_slot].warned = gl_shared->slots[gl_my_slot].busy_since;
	strlcpy(gl_shared->slots[gl_my_slot].busy_with, what != NULL ? what : "", GL_BUSY_SIZE);
	LWLockRelease(gl_shared->lock);
}

static void
gl_condition_of_slot(const GlSealerSlot *slot, int64 now, GlSealerCondition *condition)
{
	condition->phase = slot->state == GL_SLOT_RUNNING ? GL_SEALER_RUNS : GL_SEALER_STARTS;
	condition->database = slot->database;
	condition->pid = slot->pid;
	condition->busy_for = slot->busy_since != 0 ? now - slot->busy_since : 0;
	strlcpy(condition->busy_with, slot->busy_with, GL_BUSY_SIZE);
}

void
gl_sealer_condition(Oid database, GlSealerCondition *condition)
{
	GlSealerSlot *slot;

	memset(condition, 0, sizeof(*condition));
	LWLockAcquire(gl_shared->lock, LW_SHARED);
	slot = gl_slot_of(database);
	if (slot != NULL)
		gl_condition_of_slot(slot, gl_clock(), condition);
	else if (gl_shared->launcher_latch == NULL)
		condition->phase = GL_SEALER_NO_LAUNCHER;
	else if (gl_shared->out_of_workers)
		condition->phase = GL_SEALER_NO_WORKER;
	LWLockRelease(gl_shared->lock);
}

bool
gl_sealer_overdue(int64 limit, GlSealerCondition *condition)
{
	int64		now = gl_clock();
	bool		found = false;
	int			i;

	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < gl_shared->slot_count && !found; i++)
	{
		GlSealerSlot *slot = &gl_shared->slots[i];

		if (slot->state != GL_SLOT_RUNNING || slot->busy_since == 0 || now - slot->warned < limit)
			continue;
		slot->warned = now;
		gl_condition_of_slot(slot, now, condition);
		found = true;
	}
	LWLockRelease(gl_shared->lock);
	return found;
}

void
gl_launcher_out_of_workers(bool out)
{
	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	gl_shared->out_of_workers = out;
	LWLockRelease(gl_shared->lock);
}

/* --- events for the launcher --- */

static void
gl_launcher_detach(int code, Datum arg)
{
	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	gl_shared->launcher_latch = NULL;
	LWLockRelease(gl_shared->lock);
}

void
gl_launcher_attach(void)
{
	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	gl_shared->launcher_latch = MyLatch;
	LWLockRelease(gl_shared->lock);
	before_shmem_exit(gl_launcher_detach, (Datum) 0);
}

void
gl_launcher_request(Oid database)
{
	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	if (!OidIsValid(database) || gl_shared->request_count == GL_REQUESTS)
		gl_shared->look_at_all = true;
	else
		gl_shared->requests[gl_shared->request_count++] = database;
	gl_wake_launcher_locked();
	LWLockRelease(gl_shared->lock);
}

bool
gl_launcher_next_request(Oid *database)
{
	bool		found = true;

	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	if (gl_shared->request_count > 0)
		*database = gl_shared->requests[--gl_shared->request_count];
	else if (gl_shared->look_at_all)
	{
		*database = InvalidOid;
		gl_shared->look_at_all = false;
	}
	else
		found = false;
	LWLockRelease(gl_shared->lock);
	return found;
}

/* --- a database that must be left alone --- */

void
gl_database_block(Oid database)
{
	int			i;

	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < GL_BLOCKED_MAX; i++)
		if (!OidIsValid(gl_shared->blocked[i]))
			break;
	if (i == GL_BLOCKED_MAX)
	{
		LWLockRelease(gl_shared->lock);
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many databases are being created, renamed, moved or dropped"),
				 errhint("Try again when some of these commands have ended.")));
	}
	gl_shared->blocked[i] = database;
	LWLockRelease(gl_shared->lock);
}

/* Tell worker and follower to stop, if there are any; false when there are none left. */
static bool
gl_worker_stop(Oid database)
{
	GlSealerSlot *slot;
	int			follower;
	bool		there;

	/* under the lock, so the process cannot give its slot back, exit, and leave its number to another one meanwhile */
	LWLockAcquire(gl_shared->lock, LW_SHARED);
	slot = gl_slot_of(database);
	there = slot != NULL && slot->state != GL_SLOT_EXITED;
	if (there && slot->state != GL_SLOT_STARTING)
		kill(slot->pid, SIGTERM);
	follower = gl_follower_find_locked(database);
	if (follower >= 0)
		kill(gl_follower_slot(follower)->pid, SIGTERM);
	there |= follower >= 0;
	LWLockRelease(gl_shared->lock);
	return there;
}

void
gl_database_wait_stopped(Oid database)
{
	int			tries;

	for (tries = 0; tries < GL_STOP_TRIES && gl_worker_stop(database); tries++)
	{
		CHECK_FOR_INTERRUPTS();
		pg_usleep(GL_STOP_PAUSE);
	}
}

void
gl_database_unblock(Oid database)
{
	int			i;

	LWLockAcquire(gl_shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < GL_BLOCKED_MAX; i++)
		if (gl_shared->blocked[i] == database)
		{
			gl_shared->blocked[i] = InvalidOid;
			break;
		}
	LWLockRelease(gl_shared->lock);
	gl_launcher_request(database);
}

bool
gl_database_blocked(Oid database)
{
	bool		blocked;

	LWLockAcquire(gl_shared->lock, LW_SHARED);
	blocked = gl_blocked_locked(database);
	LWLockRelease(gl_shared->lock);
	return blocked;
}

/* --- progress --- */

void
gl_progress_broadcast(void)
{
	if (gl_shared != NULL)
		ConditionVariableBroadcast(&gl_shared->progress);
}

void
gl_progress_prepare(void)
{
	ConditionVariablePrepareToSleep(&gl_shared->progress);
}

void
gl_progress_sleep(long milliseconds)
{
	static uint32 wait_event = 0;

	if (wait_event == 0)
		wait_event = gl_wait_event("GovledgerWaitSealed");
	(void) ConditionVariableTimedSleep(&gl_shared->progress, milliseconds, wait_event);
}

void
gl_progress_done(void)
{
	ConditionVariableCancelSleep();
}
