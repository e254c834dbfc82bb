/*
 * stream.h
 *		The log as rows of histories: what a record says about one version of one row, as bytes, in the order of the log.
 *
 * Used by whoever fills histories and by whoever checks them, so that there is one rule for what a history holds. Runs no code of
 * types; no value is read here.
 */
#ifndef GL_HISTORY_STREAM_H
#define GL_HISTORY_STREAM_H

#include "core/compat.h"
#include "access/tupdesc.h"

#include "history/table.h"
#include "ledger/log.h"

/* Columns of every history beside those of its table, in this order at its creation. */
typedef enum GlHistoryField
{
	GL_HISTORY_OPERATION,
	GL_HISTORY_ENTRY,
	GL_HISTORY_RECORD,
	GL_HISTORY_COMMAND,
	GL_HISTORY_RELATION,
	GL_HISTORY_TIME,
	GL_HISTORY_USER,
	GL_HISTORY_ACTOR,
	GL_HISTORY_REASON,
	GL_HISTORY_FIELDS
} GlHistoryField;

extern const char *const gl_history_field_names[GL_HISTORY_FIELDS];
extern const Oid gl_history_field_types[GL_HISTORY_FIELDS];

typedef enum GlHistoryOperation
{
	GL_HISTORY_INSERT,
	GL_HISTORY_GENESIS,
	GL_HISTORY_UPDATE,
	GL_HISTORY_DELETE,			/* shows the row that is gone; also for the old key of an update that changes the key */
	GL_HISTORY_TRUNCATE,		/* of a relation, without a row */
	GL_HISTORY_REMOVED			/* a partition, likewise */
} GlHistoryOperation;

extern const char *const gl_history_operation_names[];

/* One row of a history. Bytes are those of the log, valid until the callback returns. */
typedef struct GlHistoryRow
{
	const GlLogEntry *entry;	/* its leaf and its time */
	GlHistoryOperation operation;
	uint64		record;
	uint64		command;
	uint64		relation;
	bool		takes_key;		/* an insert, or an update that changes the key: nobody else had this key then */
	GlBytes		user;			/* empty: not known, or erased */
	GlBytes		actor;
	GlBytes		reason;
	int			count;			/* of attributes of the history */
	const GlBytes *values;		/* by attribute number - 1 */
	const bool *nulls;			/* the columns above are NULL here */
} GlHistoryRow;

typedef struct GlHistorySource GlHistorySource;

typedef struct GlHistoryCallbacks
{
	void		(*row) (GlHistorySource *source, const GlHistoryRow *row);
	/* the schema changed; the mapping is as it was before. May bring in what is missing (gl_source_remap). NULL: nothing to do */
	void		(*schema) (GlHistorySource *source, GlBytes body);
	/* personal values of this record are erased; NULL: nothing to do. The record may be of another table. */
	void		(*erasure) (GlHistorySource *source, const GlErasure *erasure);
} GlHistoryCallbacks;

/* One table whose history is of interest. The caller fills the first part. */
struct GlHistorySource
{
	GlHistoryTable *table;		/* brought up to date: schema, first_leaf, ended */
	TupleDesc	descriptor;		/* of the history */
	const GlHistoryCallbacks *callbacks;
	void	   *arg;
	int64		from;			/* leaves below are known */

	/* private */
	MemoryContext memory;
	int			columns_count;
	int16	   *attributes;		/* by column id: attribute number, 0: not kept */
	bool	   *keys;			/* by column id: in the key */
	/* the same before the newest schema record: rows that a command took away have the types from before it */
	int			former_count;
	int16	   *former;
	int64		former_leaf;	/* of that record; GL_NO_LEAF: none */
	bool		former_known;	/* the command below is */
	uint64		former_command; /* of the first change behind that record */
	int			count;
	GlBytes    *values;
	bool	   *nulls;
};

/* Prepare the private part in CurrentMemoryContext, from the schema that the table was at. */
extern void gl_source_open(GlHistorySource *source);
/* The history has other columns or the table other mappings: find them anew for this schema record. Error if one is missing. */
extern void gl_source_remap(GlHistorySource *source, TupleDesc descriptor, GlBytes body);

/* The leaves [from, to) of the log for these sources (List of GlHistorySource *). */
typedef struct GlHistoryStream
{
	GlLog	   *log;
	Snapshot	snapshot;
	List	   *sources;
	MemoryContext scratch;		/* reset per entry */
	/* for messages: where it stands */
	GlHistorySource *current;	/* NULL: in the log itself */
	int64		leaf;

	/* private */
	GlHistorySource *last;		/* the one that the last record was of */
	const GlLogEntry *entry;
	bool		context_read;
	GlBytes		user;
	GlBytes		actor;
	GlBytes		reason;
	GlBuffer	context;
	uint64		personal_record;
	bool		personal_read;
	GlBytes		personal;
} GlHistoryStream;

extern GlHistoryStream *gl_stream_open(Snapshot snapshot, List *sources);
/*
 * Called between entries, with the number of records of the last one. False to stop there: leaves below `next` are done.
 */
typedef bool (*GlHistoryPause) (void *arg, int64 next, uint64 records);
/* Returns the leaf before which it stopped. Error where the log cannot be read. */
extern int64 gl_stream_run(GlHistoryStream *stream, int64 from, int64 to, GlHistoryPause pause, void *arg);
extern void gl_stream_close(GlHistoryStream *stream);

#endif
