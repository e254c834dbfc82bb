/*
 * define.h
 *		The relation of a history, its indexes, as_of and its row security: made and changed with the schema of the table.
 */
#ifndef GL_HISTORY_DEFINE_H
#define GL_HISTORY_DEFINE_H

#include "core/compat.h"
#include "lib/stringinfo.h"
#include "utils/rel.h"

#include "capture/schema.h"
#include "history/table.h"

/* --- define.c --- */

/* GlSchemaHook */
extern void gl_history_follow(const GlSchemaChange *change);
/* The history of a table that has none. `name` NULL: by the name of the table. */
extern GlHistoryTable *gl_history_create(const GlLedgerTable *table, Oid relation, const char *name);
/* Bring columns, indexes, as_of and row security in line with the table; nothing if they are. */
extern void gl_history_align(const GlLedgerTable *table, Oid relation, GlHistoryTable *history);

/* Make those of its indexes that are not there. */
extern void gl_history_indexes(int table_id, Oid history);

/* --- columns.c --- */

/* Give every column of the table a place; true if anything had to be changed. With `look` only look whether. */
extern bool gl_history_align_columns(const GlLedgerTable *table, Oid relation, GlHistoryTable *history, bool look);
/* The column list of the new history, and the mappings. */
extern char *gl_history_column_list(const GlLedgerTable *table, Oid relation, GlHistoryTable *history);
/* Name of the place that values of this column go to now; error if it has none. */
extern const char *gl_history_place(const GlHistoryTable *history, int column_id);
/* A place for values that were recorded with a type the column does not have now; for filling anew from the log. */
extern void gl_history_add_past(GlHistoryTable *history, int column_id, const char *column_name, const char *type_name);

/* --- as_of.c --- */

/* The commands that make the overloads, one after the other; `secured`: row security applies to the history. */
extern char *gl_as_of_definition(const GlLedgerTable *table, Oid relation, const GlHistoryTable *history, bool secured);
/* Run the commands. */
extern void gl_as_of_make(const char *definition, Oid row_type);
extern void gl_as_of_drop(Oid row_type);
/* Are both overloads there? */
extern bool gl_as_of_exists(Oid row_type);
/* "expression AS column, ..." of the table's columns out of the columns of the history, which `alias` names. */
extern char *gl_as_of_targets(const GlLedgerTable *table, Oid relation, const GlHistoryTable *history, const char *alias);

/* --- policy.c --- */

/* The commands that give the history the row security of the table; empty if the table has none. */
extern List *gl_policy_commands(const GlLedgerTable *table, Oid relation, const GlHistoryTable *history);
/* Take off what there is; then run the commands. A policy that cannot be copied hides the history, with a warning. */
extern void gl_policy_drop(const GlHistoryTable *history);
extern void gl_policy_apply(const GlHistoryTable *history, List *commands);

/* --- rights.c --- */

/* The owner of the log, and so of histories. */
extern Oid	gl_history_owner(void);
/* Make the relation ours alone. */
extern void gl_history_take(const char *quoted);
/* The owner of the table, and no former one, may read its history and grant that. */
extern void gl_history_grant_owner(Oid relation, const GlHistoryTable *history);
/* The same for all histories, after a command that may have changed owners. */
extern void gl_history_follow_owners(void);
/* GlVisibilityHook: what govledger_public may read of the history, if the table has one. */
extern void gl_history_publish(const GlLedgerTable *table);

/* --- value.c --- */

/* The ledger table of a history; InvalidOid if it is no longer protected, or this is no history. */
extern Oid	gl_history_root(Oid history);

/*
 * Run one command that would evaluate expressions or fire triggers, with the rights of a superuser: error if somebody, as a member of the
 * role that owns histories, has put any there.
 */
extern void gl_history_run(Oid history, const char *command);

/* schema and name of a relation, quoted; in CurrentMemoryContext */
extern char *gl_history_quoted(Oid relation);

#endif
