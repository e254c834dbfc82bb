/*
 * oneshot.h
 *		Work that only a process of its own may do, on behalf of a session that waits for it: sealing and signing now, and
 *		changing the key.
 *
 * The worker has its own transactions, so it can see nothing that the session has not committed, and only the worker
 * opens the key. It needs neither preload nor the permanent worker.
 */
#ifndef GL_SEAL_ONESHOT_H
#define GL_SEAL_ONESHOT_H

#include "core/compat.h"

typedef enum GlOneshotTask
{
	GL_ONESHOT_SEAL,
	GL_ONESHOT_FOLLOW,			/* seal, then have the log followed to there */
	GL_ONESHOT_ROTATE
} GlOneshotTask;

typedef struct GlOneshotRequest
{
	GlOneshotTask task;
	const char *new_key;		/* rotation only, else "" */
	const char *reason;
	bool		old_key_lost;
} GlOneshotRequest;

/* Have it done; the result is palloc'd, NULL if there is none. Errors of the worker are raised here. */
extern char *gl_oneshot_run(const GlOneshotRequest *request);

/* What the worker does; oneshot_tasks.c */
extern char *gl_oneshot_seal(void);
extern char *gl_oneshot_rotate(const char *new_key, const char *reason, bool old_key_lost);

extern PGDLLEXPORT void gl_oneshot_main(Datum argument);

#endif
