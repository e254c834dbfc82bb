/*
 * former.h
 *		Logs that this one continues, after a signed part of them was lost (govledger.start_successor).
 *
 * The tree goes on, so one table of leaves serves all; only the origin in what is hashed and signed depends on where a leaf stands.
 */
#ifndef GL_LEDGER_FORMER_H
#define GL_LEDGER_FORMER_H

#include "core/compat.h"
#include "format/entry.h"
#include "nodes/pg_list.h"
#include "utils/snapshot.h"

typedef struct GlFormerLog
{
	int32		generation;		/* with which the next log began */
	char		origin[GL_ORIGIN_MAX_SIZE + 1];
	uint64		tree_size;
	uint64		lost_from;
	uint64		known_size;
	GlHash		known_root;
} GlFormerLog;

/*
 * All of them, oldest first (List of GlFormerLog *, in CurrentMemoryContext), under this snapshot (NULL: as committed now, own
 * changes included). Empty too where the SQL objects are older than this table.
 */
extern List *gl_former_logs(Snapshot snapshot);
/* The origin of this leaf: that of the first former log which reaches beyond it, else `origin`. */
extern const char *gl_origin_of_leaf(const List *former_logs, uint64 leaf, const char *origin);
/* The last former log with this origin; NULL if there is none. */
extern const GlFormerLog *gl_former_log_find(const List *former_logs, const char *origin);
extern void gl_former_log_insert(const GlFormerLog *log);

#endif
