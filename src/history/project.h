/*
 * project.h
 *		Fill histories from the log.
 */
#ifndef GL_HISTORY_PROJECT_H
#define GL_HISTORY_PROJECT_H

#include "core/compat.h"

#include "history/stream.h"

typedef enum GlProjectOutcome
{
	GL_PROJECT_GONE,			/* the extension is */
	GL_PROJECT_IDLE,			/* nothing to do now: all is filled, or waits for another try */
	GL_PROJECT_MORE				/* a batch was done or has failed */
} GlProjectOutcome;

/*
 * One batch, in transactions of its own, in a process that runs nothing else. An error of one table is kept for
 * govledger.history_status and takes the table aside until its next try; the others go on.
 */
extern GlProjectOutcome gl_project_step(void);
/* When (gl_clock) to try again what has failed; 0: nothing has. */
extern int64 gl_project_next_try(void);
/* Try at once what has failed. */
extern void gl_project_retry(void);

/* Is any history behind the newest seal? Between SPI_connect and SPI_finish, under the active snapshot. */
extern bool gl_project_behind(void);

#endif
