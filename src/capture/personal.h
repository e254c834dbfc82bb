/*
 * personal.h
 *		Which columns may hold what is personal.
 */
#ifndef GL_CAPTURE_PERSONAL_H
#define GL_CAPTURE_PERSONAL_H

#include "core/compat.h"
#include "ledger/table.h"
#include "utils/rel.h"

/*
 * Error if this column, which is not personal, is generated from one that is: its values would be public where the table is, and
 * stay in the record when the personal ones are erased.
 */
extern void gl_personal_check(const GlLedgerTable *table, Relation relation, const GlLedgerColumn *column);

#endif
