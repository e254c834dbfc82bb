/*
 * intact.h
 *		The two triggers of a ledger relation as they must be: there, enabled ALWAYS, unconditional, calling our functions.
 *
 * One description for the guards, which refuse a command that leaves them otherwise, and for verify, which names them.
 */
#ifndef GL_CAPTURE_INTACT_H
#define GL_CAPTURE_INTACT_H

#include "core/compat.h"
#include "utils/snapshot.h"

#define GL_ROW_TRIGGER "!govledger"
#define GL_TRUNCATE_TRIGGER "!govledger_truncate"

/* Every ledger relation has all of these. */
#define GL_TRIGGER_COUNT 2

extern const char *gl_trigger_name(int which);
/* Is it the name of one of our triggers? */
extern bool gl_trigger_is_own_name(const char *name);
/* What keeps the trigger from seeing every change under this snapshot (NULL: the newest); NULL if nothing. */
extern const char *gl_trigger_problem(Snapshot snapshot, Oid relation, int which);

#endif
