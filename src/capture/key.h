/*
 * key.h
 *		What makes the key of a ledger table a key.
 */
#ifndef GL_CAPTURE_KEY_H
#define GL_CAPTURE_KEY_H

#include "core/compat.h"
#include "ledger/table.h"
#include "utils/rel.h"

/*
 * Is there a valid, full, plain unique index, not among `without` (Oids), over exactly the key columns of the table? True for a table
 * without key.
 */
extern bool gl_key_is_unique(const GlLedgerTable *table, Relation relation, List *without);
/* Error if key columns could be null or equal in two rows from now on. */
extern void gl_key_check(const GlLedgerTable *table, Relation relation);
/* DROP INDEX begins: error if the key of a ledger table needs one of these indexes. Any Oids will do. */
extern void gl_key_check_drop(List *indexes);

#endif
