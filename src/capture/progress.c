/*
 * progress.c
 *		How long, and how far; see progress.h.
 */
#include "capture/progress.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "optimizer/plancat.h"
#include "storage/bufmgr.h"
#include "utils/timestamp.h"

/* Tell how far we are at most this often; look at the clock every so many rows. */
#define GL_PROGRESS_MILLISECONDS 5000
#define GL_PROGRESS_ROWS 1000

void
gl_estimate(List *relations, double *rows, double *bytes)
{
	ListCell   *cell;

	*rows = 0;
	*bytes = 0;
	foreach(cell, relations)
	{
		Relation	relation = table_open(lfirst_oid(cell), NoLock);
		BlockNumber pages = 0;
		double		tuples = 0;
		double		visible = 0;

		if (relation->rd_rel->relkind == RELKIND_RELATION)
			estimate_rel_size(relation, NULL, &pages, &tuples, &visible);
		*rows += tuples;
		*bytes += (double) pages * BLCKSZ;
		table_close(relation, NoLock);
	}
}

void
gl_progress_start(GlProgress *progress, Relation relation, const char *done)
{
	progress->name = RelationGetRelationName(relation);
	progress->done = done;
	progress->blocks = RelationGetNumberOfBlocks(relation);
	progress->rows = 0;
	progress->last = GetCurrentTimestamp();
}

void
gl_progress_row(GlProgress *progress, BlockNumber block)
{
	TimestampTz now;

	progress->rows++;
	if (progress->rows % GL_PROGRESS_ROWS != 0)
		return;
	now = GetCurrentTimestamp();
	if (!TimestampDifferenceExceeds(progress->last, now, GL_PROGRESS_MILLISECONDS))
		return;
	progress->last = now;
	ereport(NOTICE,
			(errmsg("\"%s\": " UINT64_FORMAT " rows %s, %d %%", progress->name, progress->rows, progress->done,
					progress->blocks == 0 ? 100 : (int) (100.0 * block / progress->blocks))));
}
