/*
 * log.h
 *		Reading the log tables in order: entries with their records, contexts and personal values, and which entry is
 *		which leaf. All under a snapshot of the caller's; nothing is checked but that it can be read.
 */
#ifndef GL_LEDGER_LOG_H
#define GL_LEDGER_LOG_H

#include "core/compat.h"
#include "utils/snapshot.h"

#include "format/entry.h"
#include "format/record.h"

/* Not sealed yet, or not about one leaf. */
#define GL_NO_LEAF (-1)

/* --- log.c: entries --- */

typedef struct GlLog GlLog;

typedef struct GlLogEntry
{
	int64		leaf;			/* GL_NO_LEAF: not sealed */
	uint64		order;			/* place among all entries of this run */
	uint32		generation;
	uint64		transaction_id;
	uint64		position;
	int64		time;			/* Unix microseconds */
	uint64		records;
	int64		context_id;
	GlHash		record_root;
	GlHash		context_commitment;
	bool		has_secret;
	bool		has_record_secret;
	uint8		secret[GL_SECRET_SIZE]; /* or the record secret */
	GlBytes		claimed;
	GlBytes		actor_signature;
	bool		has_content;
	GlBytes		content;
	TransactionId xmin;
	const char *problem;		/* a column that cannot be right; NULL if none */
} GlLogEntry;

typedef void (*GlRecordFunction) (void *arg, const GlLogEntry *entry, uint64 number, GlBytes bytes);

extern GlLog *gl_log_open(Snapshot snapshot);
extern void gl_log_close(GlLog *log);
/* False if there is no such entry. What it points to is valid until the next fetch. */
extern bool gl_log_fetch(GlLog *log, uint32 generation, uint64 transaction_id, GlLogEntry *entry);
/*
 * Hand every record of the entry to `function`, in order; `count` gets their number. Returns what is wrong with the
 * stream, NULL if nothing.
 */
extern const char *gl_log_records(GlLog *log, const GlLogEntry *entry, GlRecordFunction function, void *arg,
								  uint64 *count);
/* Fields 1 to 5 of a context; false if there is no such row. Valid until the next call. */
extern bool gl_log_context(GlLog *log, int64 context_id, GlBytes *content);
/* Was this context asked for? True where that was not remembered. */
extern bool gl_log_context_seen(const GlLog *log, int64 context_id);
/*
 * Personal values of one record; false if it has none. Records of one entry must be asked for in ascending
 * order. Valid until the next call.
 */
extern bool gl_log_personal(GlLog *log, const GlLogEntry *entry, uint64 record, GlBytes *content);
/* Entries are read anew from the first: forget the place among the personal values. */
extern void gl_log_restart(GlLog *log);
/* Rows of record_chunk and personal read so far. */
extern int64 gl_log_chunks_read(const GlLog *log);
extern int64 gl_log_personal_read(const GlLog *log);

/* --- leaf.c: which entry is which leaf --- */

typedef struct GlLeaves GlLeaves;

typedef struct GlLeaf
{
	int64		index;
	uint32		generation;
	uint64		transaction_id;
} GlLeaf;

extern GlLeaves *gl_leaves_open(Snapshot snapshot, int64 from);
extern void gl_leaves_close(GlLeaves *leaves);
/* Next leaf in the order of first_leaf, if its index is below `limit`. */
extern bool gl_leaves_next(GlLeaves *leaves, int64 limit, GlLeaf *leaf);

/* "entry GENERATION/TRANSACTION" */
extern char *gl_entry_name(uint32 generation, uint64 transaction_id);

#endif
