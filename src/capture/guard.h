/*
 * guard.h
 *		Honest mistakes against a ledger are refused, and the proper way is named.
 *
 * Every decision is one function here, whoever calls it: the hooks of a session that has the library loaded before the
 * command (guard.c), or an event trigger (events.c). Callers ask gl_guards_on() first. A superuser who means it sets
 * govledger.guards to off, or edits the catalog; verify names what was done.
 */
#ifndef GL_CAPTURE_GUARD_H
#define GL_CAPTURE_GUARD_H

#include "core/compat.h"
#include "nodes/nodes.h"
#include "nodes/pg_list.h"

/* The setting and the hooks; called by gl_capture_init alone. */
extern void gl_guard_init(void);

/*
 * Are refusals in force? Not where there is no ledger, in a copy that may not continue it, or when a superuser switched
 * them off; not for a binary upgrade, scripts of the extension and DDL of our own. Needs a transaction.
 */
extern bool gl_guards_on(void);
/* The part of it that an event trigger asks, which knows of the ledger already, and may come when relations of ours are gone. */
extern bool gl_guards_wanted(void);

/*
 * Before a command: refuse what takes the extension with its log away, hides it under another schema name, attaches a
 * ledger table to another table, or changes an event trigger of ours (no event trigger fires for that last, so it takes
 * the hook).
 */
extern void gl_guard_command(const Node *command);
/* A relation that is being dropped, or was: refuse the root of a ledger table. Partitions may go, with a record of it. */
extern void gl_guard_dropped_relation(Oid relation);
/* An index that is being dropped, or was: refuse one of the log's. */
extern void gl_guard_dropped_index(const char *schema, const char *name);
/* A trigger that was dropped, by schema, table and trigger name: refuse one of ours if the table is a ledger's still. */
extern void gl_guard_dropped_trigger(const List *names);
/*
 * After a command: an object that it created or altered. Refuse what changed a member of the extension, left a trigger
 * of a ledger table other than it must be, or took a name of our triggers.
 */
extern void gl_guard_altered(const Node *command, Oid class_id, Oid object_id);
/* The refusal to alter a member of the extension, described as for a message; of a table some things may be set. */
extern void gl_guard_refuse_member(const char *what, bool is_table);

#endif
