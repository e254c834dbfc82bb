/*
 * newest.h
 *		The newest version of each key of a history, where the key has had several types.
 *
 * Such a key lies in several columns of the history, so no index finds all its versions: one scan does, and the texts of the
 * key are compared, as they are in the log and in as_of without row security.
 */
#ifndef GL_HISTORY_NEWEST_H
#define GL_HISTORY_NEWEST_H

#include "core/compat.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "history/key.h"

typedef struct GlNewest GlNewest;

/* NULL: each column of the key has one place (or there is no key), so the index will do. In CurrentMemoryContext. */
extern GlNewest *gl_newest_open(Relation heap, int table_id);
/* Is this the newest version of its key below leaf `limit`? Not if its key was erased. Scans at the first call, and for another limit. */
extern bool gl_newest_is(GlNewest *newest, Relation heap, Snapshot snapshot, TupleTableSlot *slot,
						 const GlVersion *version, int64 limit);

#endif
