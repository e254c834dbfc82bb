/*
 * shared.h
 *		What launcher, workers and backends know of each other. Only there when the library is preloaded; lost in a crash
 *		and made again from the catalogs.
 */
#ifndef GL_SEAL_SHARED_H
#define GL_SEAL_SHARED_H

#include "core/compat.h"

/* Ask for the memory; while shared_preload_libraries is processed. */
extern void gl_shared_init(void);
/* False without preload: there is no launcher, and nothing below may be called. */
extern bool gl_shared_exists(void);

/* --- workers --- */

typedef enum GlExitReason
{
	GL_EXIT_FAILED,				/* crash, error or termination: start again, later and later */
	GL_EXIT_NOT_WANTED,			/* no extension, or not in govledger.databases: wait for an event */
	GL_EXIT_AGAIN				/* a setting changed that is read at start: start again at once */
} GlExitReason;

/* Reserve a slot for a worker of this database; -1 if all are taken, or if it has one, or is blocked. */
extern int	gl_slot_reserve(Oid database, uint32 *generation);
/* The worker never came to life. */
extern void gl_slot_cancel(int slot, uint32 generation);
/* First thing a worker does; false if its slot was taken away. It is given back, with the reason, when the worker exits. */
extern bool gl_slot_attach(int slot, uint32 generation, Oid *database);
/* It found the extension and stays. */
extern void gl_slot_settle(void);
/* How many are on their way to that. */
extern int	gl_slots_unsettled(void);
extern void gl_slot_set_exit_reason(GlExitReason reason);
/* Next worker that has exited, for the launcher; false if there is none. Frees its slot. */
extern bool gl_slot_reap(Oid *database, GlExitReason *reason);
/* Free slots whose worker did not start within a minute. */
extern void gl_slots_expire(void);

extern bool gl_sealer_runs(Oid database);
/* Has it a slot, whatever its state? */
extern bool gl_slot_taken(Oid database);

/* --- processes that follow the sealer of a database, one for each --- */

/* First thing such a process does; false if the database has one already, or is blocked. It is forgotten when the process exits. */
extern bool gl_follower_attach(Oid database);
extern bool gl_follower_runs(Oid database);

/* --- what stands in the way --- */

#define GL_BUSY_SIZE 64

typedef enum GlSealerPhase
{
	GL_SEALER_AWAY,				/* not wanted, or it failed and is started again later */
	GL_SEALER_NO_LAUNCHER,		/* nobody is there to start it */
	GL_SEALER_NO_WORKER,		/* the launcher finds no free background worker slot */
	GL_SEALER_STARTS,
	GL_SEALER_RUNS
} GlSealerPhase;

typedef struct GlSealerCondition
{
	GlSealerPhase phase;
	Oid			database;
	pid_t		pid;
	int64		busy_for;		/* milliseconds in the step it is in, 0 if in none */
	char		busy_with[GL_BUSY_SIZE];
} GlSealerCondition;

/* This sealer begins something that may be held up; NULL: it is through. */
extern void gl_slot_busy(const char *what);
extern void gl_sealer_condition(Oid database, GlSealerCondition *condition);
/* For the launcher: a sealer that is held up for so many milliseconds, each once per such time; false if there is none. */
extern bool gl_sealer_overdue(int64 limit, GlSealerCondition *condition);
extern void gl_launcher_out_of_workers(bool out);

/* --- events for the launcher --- */

extern void gl_launcher_attach(void);
/* Look at this database: it may have the extension now. InvalidOid: look at the list of databases. */
extern void gl_launcher_request(Oid database);
/* The next request, or false. */
extern bool gl_launcher_next_request(Oid *database);

/* --- a database that must be left alone --- */

/* So many at a time, in all sessions together. */
#define GL_BLOCKED_MAX 64

/* Keep workers out; then stop the one that runs and wait for it, a few seconds at most. */
extern void gl_database_block(Oid database);
extern void gl_database_wait_stopped(Oid database);
extern void gl_database_unblock(Oid database);
extern bool gl_database_blocked(Oid database);

/* --- progress --- */

/* Something was sealed or signed: wake those who wait for it. Does nothing without preload. */
extern void gl_progress_broadcast(void);
/* Wait for that, at most so long. */
extern void gl_progress_prepare(void);
extern void gl_progress_sleep(long milliseconds);
extern void gl_progress_done(void);

#endif
