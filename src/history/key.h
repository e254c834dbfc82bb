/*
 * key.h
 *		Versions of one key in a history, by its index.
 */
#ifndef GL_HISTORY_KEY_H
#define GL_HISTORY_KEY_H

#include "core/compat.h"
#include "access/attnum.h"
#include "access/genam.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

/* Where the key of a ledger table lies in its history, and the index over it. */
typedef struct GlHistoryKey
{
	int			count;			/* 0: the table has no key */
	AttrNumber	attributes[INDEX_MAX_KEYS];
	Oid			index;			/* key, ledger_entry DESC; InvalidOid: somebody dropped it */
} GlHistoryKey;

/* Place of a version in the order of the log: (entry, command, record), and the end of an old key before the new key. */
typedef struct GlVersionPlace
{
	int64		entry;
	int64		command;
	int64		record;
	bool		is_delete;
} GlVersionPlace;

extern void gl_history_key(Relation heap, int table_id, GlHistoryKey *key);

/* The small index of truncates and removals: on ledger_entry alone, with a predicate. InvalidOid: somebody dropped it. */
extern Oid	gl_history_marks_index(Relation heap);

/* Columns of a version that are looked at here. */
typedef struct GlVersion
{
	GlVersionPlace place;
	int32		relation;
	char		operation;		/* first letter of ledger_operation, 'r' for removed */
} GlVersion;

/* Attribute numbers of the ledger's own columns, by GlHistoryField. */
extern void gl_history_fields(Relation heap, AttrNumber *numbers);

/*
 * Walk the versions of the key that `values` (by attribute number - 1) has, newest entry first, in no order within an entry; false
 * from `visit` stops. Error if the index is gone.
 */
typedef bool (*GlVersionVisit) (void *arg, const GlVersion *version);
extern void gl_versions_walk(Relation heap, const GlHistoryKey *key, Snapshot snapshot, const Datum *values,
							 GlVersionVisit visit, void *arg);

/* Was the relation truncated or removed after this version, and before leaf `limit`? */
extern bool gl_version_is_gone(Relation heap, Snapshot snapshot, const GlVersion *version, int64 limit);
/* Negative, 0, positive, as for sorting. */
extern int	gl_place_compare(const GlVersionPlace *a, const GlVersionPlace *b);

extern void gl_version_read(TupleTableSlot *slot, const AttrNumber *fields, GlVersion *version);

#endif
