/*
 * worker.h
 *		The sealer of one database, and the launcher that starts one in each database that has the extension.
 */
#ifndef GL_SEAL_WORKER_H
#define GL_SEAL_WORKER_H

#include "core/compat.h"

/* Register the launcher; while shared_preload_libraries is processed. */
extern void gl_launcher_register(void);

/* How a worker learns its slot: bgw_main_arg is the slot, bgw_extra holds this. */
typedef struct GlWorkerExtra
{
	uint32		generation;
} GlWorkerExtra;

extern PGDLLEXPORT void gl_launcher_main(Datum argument);
extern PGDLLEXPORT void gl_worker_main(Datum argument);

#endif
