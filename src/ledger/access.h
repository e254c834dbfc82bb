/*
 * access.h
 *		Which values of the log may the current user see?
 *
 * The log holds the values of every ledger table. What a function prints of them is bound by the same rules as the table itself:
 * USAGE on its schema, SELECT on the column, and no row security that applies to the user. Row security is all or nothing here,
 * for a row that is no longer in the table cannot be given to a policy.
 */
#ifndef GL_LEDGER_ACCESS_H
#define GL_LEDGER_ACCESS_H

#include "core/compat.h"
#include "ledger/table.h"

typedef struct GlAccess GlAccess;

/*
 * Rights of the current user on a ledger table, as they are now; in CurrentMemoryContext. Call it before changing the user.
 * Raises nothing: a relation that is gone or was never there can be read by those who may read everything.
 */
extern GlAccess *gl_access_open(const GlLedgerTable *table);
/* A column of the table; NULL: one that the catalog does not know. */
extern bool gl_access_column(const GlAccess *access, const GlLedgerColumn *column);
/* Is there a column, not dropped, that the user may not read? */
extern bool gl_access_limited(const GlAccess *access);
/* What to print instead of a value. */
extern const char *gl_access_withheld(const GlAccess *access);

#endif
