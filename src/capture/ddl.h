/*
 * ddl.h
 *		Commands that may change what rows of ledger tables print: what is kept between their beginning and their end.
 *
 * At the beginning such a command's ledger relations are locked in ACCESS EXCLUSIVE mode (as the command will do, if it changes the
 * relation itself and not a type that it uses), and if values may change their rows are spooled. At the end they are compared. What is kept dies with
 * the (sub)transaction.
 */
#ifndef GL_CAPTURE_DDL_H
#define GL_CAPTURE_DDL_H

#include "core/compat.h"
#include "nodes/nodes.h"
#include "nodes/pg_list.h"

/* ddl_command_start: names are looked up as the command will do it, so search_path must be the caller's. */
extern void gl_ddl_begin(const Node *command);

/* Was this relation taken care of when the command that is running began? */
extern bool gl_ddl_covers(Oid relation);
/* Error if the rows of this relation are being compared: what changes between beginning and end (by event triggers) is no DDL. */
extern void gl_ddl_refuse_change(Oid relation);
/* Ledger tables (ids) that the command concerns, besides those that the server reports. */
extern List *gl_ddl_tables(const Node *command);
/* Does the command change the row type of its relation, and so rows that contain it? */
extern bool gl_ddl_changes_row_type(const Node *command);
/* ddl_command_end, after gl_schema_sync: record what is different. */
extern void gl_ddl_finish(const Node *command);

extern void gl_ddl_init(void);

#endif
