/*
 * progress.h
 *		Long work on many rows: what to expect before it, how far it is while it runs.
 */
#ifndef GL_CAPTURE_PROGRESS_H
#define GL_CAPTURE_PROGRESS_H

#include "core/compat.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "storage/block.h"
#include "utils/rel.h"

typedef struct GlProgress
{
	const char *name;
	const char *done;			/* what happened to the rows: "recorded" */
	BlockNumber blocks;
	uint64		rows;
	TimestampTz last;
} GlProgress;

/* Rows and bytes that these relations (Oids, locked) are thought to have. */
extern void gl_estimate(List *relations, double *rows, double *bytes);

extern void gl_progress_start(GlProgress *progress, Relation relation, const char *done);
/* One more row is done, in this block; now and then a NOTICE says so. */
extern void gl_progress_row(GlProgress *progress, BlockNumber block);

#endif
