/*
 * worker.h
 *		The process that fills histories behind the sealer of a database.
 */
#ifndef GL_HISTORY_WORKER_H
#define GL_HISTORY_WORKER_H

#include "core/compat.h"
#include "seal/follow.h"

/* start: in the sealer; run: in a one-shot worker */
extern const GlFollower gl_history_follower;

extern PGDLLEXPORT void gl_history_main(Datum argument);

#endif
