/*
 * schema.h
 *		The catalog of a ledger table follows the table, and the log follows the catalog.
 */
#ifndef GL_CAPTURE_SCHEMA_H
#define GL_CAPTURE_SCHEMA_H

#include "core/compat.h"
#include "access/tupdesc.h"
#include "capture/intact.h"
#include "format/record.h"
#include "ledger/table.h"
#include "utils/rel.h"

/* True while we run DDL of our own: the event triggers then look away. */
extern bool gl_schema_busy;
/*
 * Nothing to follow: no ledger here, one that this database may not write, or DDL of our own. Needs the extension to be
 * installed.
 */
extern bool gl_nothing_to_follow(void);

/* Run one SQL command as the bootstrap superuser with gl_schema_busy set (a user may lack rights on our trigger functions). */
extern void gl_schema_run(const char *command);

/* Error unless a relation of this kind, storage and column types can be in a ledger. */
extern void gl_relation_check(Relation relation);
/* Type name as the catalog and the log keep it. */
extern char *gl_column_type_name(Form_pg_attribute attribute);

/* Append a schema record that states the table as `table` has it. */
extern void gl_schema_record(const GlLedgerTable *table, GlSchemaOperation operation, int relation_id, const char *reason);

/*
 * The table and all partitions below it, parents before children. Those that DETACH CONCURRENTLY has not finished
 * with are in it: they keep the row trigger until then.
 */
extern List *gl_relation_tree(Oid root, LOCKMODE lockmode);

/* Put our triggers on one relation of the tree; the row trigger only on the root, for it is cloned to partitions. */
extern void gl_triggers_create(Oid relation, bool root);
extern void gl_triggers_drop(Oid relation, bool root);
/* Drop triggers of ours that came with a table from another database; `tree` as from gl_relation_tree. */
extern void gl_triggers_drop_left_over(const List *tree);

/*
 * Bring the catalog in line with the table after DDL: names, columns, partitions that came and went. Writes a schema
 * record for each kind of change and the rows of new partitions. Error where that cannot be done truthfully.
 */
extern void gl_schema_sync(int table_id, const char *reason);
/* The refusal to make the ledger table of this name a partition of another table. */
extern void gl_schema_refuse_attach(const char *name);

/* Of two sessions that bring one table's catalog in line, the second waits here for the first; then it must read anew. */
extern void gl_schema_lock(int table_id);

/*
 * What stands right of capture and follows the schema of ledger tables: called in the transaction of the change, when
 * catalog and log have it. `operation`: P before the rows that are there are recorded (with the arguments of protect()), A after any DDL that concerned
 * the table, its policies included, U at the end.
 */
typedef struct GlSchemaChange
{
	GlSchemaOperation operation;
	const GlLedgerTable *table;
	Oid			relation;
	const char *history_name;	/* P: NULL if not given */
} GlSchemaChange;

typedef void (*GlSchemaHook) (const GlSchemaChange *change);

extern GlSchemaHook gl_schema_hook;
extern void gl_schema_tell(const GlLedgerTable *table, GlSchemaOperation operation, const char *history_name);

/* Add the rows that a relation holds as genesis records; progress is told as NOTICE. */
extern void gl_genesis(Oid relation);

/* --- protect.c --- */

/* Error unless `relid` is a ledger table (no partition) and the current user owns it. */
extern GlLedgerTable *gl_ledger_table_owned(Oid relid);
/* Error if the reason given to a function is blank: it goes into the log. */
extern void gl_require_reason(const char *reason, const char *function);

/* --- visibility.c --- */

/* Error (with the words there are) if it is none of them. */
extern GlVisibility gl_visibility_parse(const char *name);
/* Columns that govledger_public may read (List of char *); none unless the table is public and protected. */
extern List *gl_public_columns(const GlLedgerTable *table);
/* Exactly these columns of `relation` can be read by govledger_public from now on; NOTICE and true if that is more than before. */
extern bool gl_public_grant(Oid relation, List *columns);
/* What else must follow when the public's columns of a table change. */
typedef void (*GlVisibilityHook) (const GlLedgerTable *table);
extern GlVisibilityHook gl_visibility_hook;
/* The same for a ledger table, as its visibility says; NOTICE if its schema is closed to it. */
extern void gl_visibility_apply(const GlLedgerTable *table);

#endif
