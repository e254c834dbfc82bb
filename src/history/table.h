/*
 * table.h
 *		The catalog of histories: history_state, history_table and history_column, as history.sql creates them.
 */
#ifndef GL_HISTORY_TABLE_H
#define GL_HISTORY_TABLE_H

#include "core/compat.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/snapshot.h"

#include "format/buffer.h"

/* Where the values of one column go that were recorded with one type. */
typedef struct GlHistoryColumn
{
	int			mapping_id;
	int			column_id;
	char	   *type_name;
	char	   *name;			/* of the column of the history */
	bool		current;
} GlHistoryColumn;

/* first_leaf, and projected of a history that goes with the others */
#define GL_HISTORY_NONE ((int64) -1)

typedef struct GlHistoryTable
{
	int			table_id;
	Oid			history;
	int64		projected;		/* tree size; GL_HISTORY_NONE: that of all others */
	int64		first_leaf;
	bool		ended;
	bool		has_schema;
	GlBytes		schema;			/* body of the newest schema record that was passed */
	char	   *error;			/* NULL: none */
	TimestampTz error_at;
	char	   *definition;		/* NULL: not made yet */
	List	   *columns;		/* of GlHistoryColumn *, ascending mapping id */
} GlHistoryTable;

/* False before ALTER EXTENSION govledger UPDATE from a version without histories. */
extern bool gl_history_installed(void);
/*
 * With their columns, in CurrentMemoryContext, as `snapshot` shows them (NULL: as committed now, own changes included). NULL and
 * NIL if there are none.
 */
extern GlHistoryTable *gl_history_load(int table_id, Snapshot snapshot);
extern List *gl_history_load_all(Snapshot snapshot);
/* The table that this relation is the history of; 0 if none. */
extern int	gl_history_table_of(Oid history);

/* Insert or replace the row of history_table, of history_progress (under gl_history_lock), of history_column. */
extern void gl_history_put(const GlHistoryTable *table);
extern void gl_history_progress_put(const GlHistoryTable *table);
extern void gl_history_column_put(int table_id, const GlHistoryColumn *column);

/* The relation is gone: forget where it was and what lay where in it. */
extern void gl_history_forget(int table_id);

/* How far all histories are that have no place of their own. */
extern int64 gl_history_projected(Snapshot snapshot);
extern void gl_history_set_projected(int64 tree_size);
/* How far this one is. */
extern int64 gl_history_reached(const GlHistoryTable *table, int64 projected);

/* Size of the sealed tree; no rights are needed. */
extern int64 gl_sealed_size(Snapshot snapshot);

/* Mapping of a column as it was recorded with this type; NULL if there is none. */
extern const GlHistoryColumn *gl_history_column_find(const GlHistoryTable *table, int column_id, const char *type_name);

/*
 * Held until the end of the transaction by whoever writes history_state or history_progress. Whoever writes into a history holds a
 * lock on that relation beside it.
 */
extern void gl_history_lock(void);
/* The same without waiting; false if somebody has it. */
extern bool gl_history_try_lock(void);

#endif
