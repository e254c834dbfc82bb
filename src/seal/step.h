/*
 * step.h
 *		The steps of the sealer. Each is one transaction of its own in a process that runs nothing else: the worker of a
 *		database, or a one-shot worker. An error leaves the transaction to be aborted by the caller.
 */
#ifndef GL_SEAL_STEP_H
#define GL_SEAL_STEP_H

#include "core/compat.h"
#include "ledger/state.h"
#include "seal/rows.h"

/* --- frame of a step --- */

/* Held by whoever appends leaves, signs, writes checkpoint files. Taken in this order. */
typedef enum GlMutex
{
	GL_MUTEX_SEAL = 1,
	GL_MUTEX_SIGN,
	GL_MUTEX_PUBLISH
} GlMutex;

/*
 * Start the transaction of a step, flushed at commit whatever synchronous_commit says, and connect to SPI. False (and no
 * transaction) if the extension is gone. While a step runs it cannot be dropped.
 */
extern bool gl_step_begin(void);
/* Until the end of the transaction; for the session too if asked (a rotation spans several steps). */
extern void gl_step_lock(GlMutex mutex);
extern void gl_step_lock_session(GlMutex mutex);
/* The snapshot of the step: after the mutex, before the first write. */
extern void gl_step_snapshot(void);
extern void gl_step_commit(void);

/* Is the ledger here, and may this cluster go on with it? Error if a copy of it is here. */
extern bool gl_step_ledger(char origin[GL_ORIGIN_MAX_SIZE + 1]);

/* --- the steps --- */

typedef struct GlSealResult
{
	bool		sealed;
	uint64		height;
	uint64		tree_size;
	int64		entries;
	int64		strangers;		/* rows of govledger.entry that were not written by the transaction they name */
	uint64		stranger;		/* one of them */
	int64		clock_behind;	/* microseconds from the time of day to the time in the seal; 0 if they agree */
} GlSealResult;

/* Register the configured key if none is registered yet: a K record and a row of signing_key. */
extern void gl_register_step(void);
/* Make a block of what is new, if anything is. `key_id`: key that shall sign it, 0: the registered one. */
extern void gl_seal_step(uint32 key_id, GlSealResult *result);

typedef enum GlSignOutcome
{
	GL_SIGN_NOTHING,			/* the newest seal is signed, or there is none */
	GL_SIGN_DONE,
	GL_SIGN_NO_KEY,				/* none is configured */
	GL_SIGN_STANDBY				/* the synchronous standby does not have the newest seal yet */
} GlSignOutcome;

/* Sign the newest seal. */
extern GlSignOutcome gl_sign_step(void);
/* Write signed checkpoints that are not there yet into govledger.checkpoint_directory. */
extern void gl_publish_step(void);
/* Warn in the server log if something has waited for longer than govledger.alarm_after. */
extern void gl_alarm_step(void);

/* --- keys --- */

/* Where the work with the key stands; tells what an error was about. */
typedef enum GlKeyPhase
{
	GL_KEY_UNKNOWN,				/* not looked at */
	GL_KEY_NONE,				/* none configured */
	GL_KEY_OPENING,
	GL_KEY_COMPARING,			/* with the registered one */
	GL_KEY_READY
} GlKeyPhase;

extern GlKeyPhase gl_key_phase;

/* Id of the key registered now for this log (not for a former one), 0 if none is. */
extern uint32 gl_registered_key(void);
/* Was this key ever registered? */
extern bool gl_key_was_registered(uint32 key_id);

/* Body of a K record, signed by both keys (old NULL: the first one, or the old one is lost); makes it the registered one. */
typedef struct GlKey GlKey;
extern void gl_key_change(const char *origin, GlKey *new_key, GlKey *old_key, uint32 old_key_id, const char *reason);

/* Newest signed checkpoint as a palloc'd string, NULL if there is none. */
extern char *gl_latest_checkpoint(uint64 *tree_size, uint32 *key_id);

#endif
