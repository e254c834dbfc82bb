/*
 * catalog.h
 *		Where our own schema, tables and indexes are, and small helpers every feature needs.
 */
#ifndef GL_CORE_CATALOG_H
#define GL_CORE_CATALOG_H

#include "core/compat.h"
#include "format/buffer.h"
#include "utils/rel.h"
#include "storage/lockdefs.h"
#include "utils/snapshot.h"

#define GL_SCHEMA "govledger"

/* Our relations, in the order of gl_relation_names in catalog.c: tables, then their indexes and the sequences */
typedef enum GlRelation
{
	GL_REL_LEDGER,
	GL_REL_FORMER_LOG,
	GL_REL_LEDGER_TABLE,
	GL_REL_LEDGER_RELATION,
	GL_REL_LEDGER_COLUMN,
	GL_REL_CONTEXT,
	GL_REL_ENTRY,
	GL_REL_RECORD_CHUNK,
	GL_REL_PERSONAL,
	GL_REL_LEAF,
	GL_REL_SEAL,
	GL_REL_TILE,
	GL_REL_CHECKPOINT,
	GL_REL_SIGNING_KEY,
	GL_REL_HISTORY_STATE,
	GL_REL_HISTORY_TABLE,
	GL_REL_HISTORY_PROGRESS,
	GL_REL_HISTORY_COLUMN,
	GL_REL_LEDGER_PKEY,
	GL_REL_FORMER_LOG_PKEY,
	GL_REL_LEDGER_RELATION_RELATION_IDX,
	GL_REL_LEDGER_RELATION_PKEY,
	GL_REL_LEDGER_TABLE_PKEY,
	GL_REL_LEDGER_COLUMN_PKEY,
	GL_REL_CONTEXT_PKEY,
	GL_REL_CONTEXT_ID_SEQ,
	GL_REL_TABLE_ID_SEQ,
	GL_REL_ENTRY_PKEY,
	GL_REL_RECORD_CHUNK_PKEY,
	GL_REL_PERSONAL_PKEY,
	GL_REL_LEAF_PKEY,
	GL_REL_SEAL_PKEY,
	GL_REL_TILE_PKEY,
	GL_REL_HISTORY_TABLE_PKEY,
	GL_REL_HISTORY_TABLE_HISTORY_IDX,
	GL_REL_HISTORY_PROGRESS_PKEY,
	GL_REL_HISTORY_COLUMN_PKEY,
	GL_REL_COUNT
} GlRelation;

/* Oid of the extension, or InvalidOid where it is not installed in this database. */
extern Oid	gl_extension_oid(void);
/*
 * Is the extension installed in this database, and whole? Cheap enough for every command: where it is not, two look-ups in a
 * cache tell so. Needs a transaction.
 */
extern bool gl_is_installed(void);
/* Is this object a member of the extension? */
extern bool gl_belongs_to_extension(Oid class_id, Oid object_id);
/* Oid of a function of ours without arguments, as the snapshot (NULL: the newest) shows it; InvalidOid if there is none. */
extern Oid	gl_function_oid(Snapshot snapshot, const char *name);
/* Oid of one of our relations; error (with a hint) if the extension is not there. Cached, invalidated with the relcache. */
extern Oid	gl_relation_oid(GlRelation which);
/* InvalidOid instead: for what older versions of the SQL objects lack. */
extern Oid	gl_relation_oid_if_there(GlRelation which);
/* table_open on one of ours */
extern Relation gl_relation_open(GlRelation which, LOCKMODE lockmode);

/* GlGrowFunction for buffers in CurrentMemoryContext at creation (repalloc keeps the context); beyond 1 GB too. */
extern void *gl_grow(void *old, size_t size);
/* bytea datum in CurrentMemoryContext */
extern Datum gl_bytea(const void *data, size_t length);
/* bytes of a (detoasted) bytea datum */
extern GlBytes gl_bytea_bytes(Datum datum);

/* Microseconds since 1970-01-01 UTC (the formats' time) of a timestamptz, and back. */
extern int64 gl_unix_time(int64 timestamp);
extern int64 gl_timestamp(int64 unix_time);

/* UTF-8 bytes of a string in the database encoding (may return its argument). */
extern char *gl_to_utf8(const char *string, int *length);

/* The text with exactly one line feed at its end: copying and pasting takes the last one away or adds one. Palloc'd. */
extern char *gl_one_line_feed(const char *text);

/* Die here if the test build was told so: see src/core/README.md. */
#ifdef GL_FAULT_INJECTION
extern void gl_fault(const char *point);
#define GL_FAULT(point) gl_fault(point)
#else
#define GL_FAULT(point) ((void) 0)
#endif

/* True if the test build was told to do nothing beyond this point, so that a benchmark can tell what each stage costs. */
#ifdef GL_FAULT_INJECTION
extern bool gl_stop(const char *point);
#define GL_STOP(point) gl_stop(point)
#else
#define GL_STOP(point) false
#endif

#endif
