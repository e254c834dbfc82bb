/*
 * state.h
 *		The one row that says which ledger this is and which cluster may continue it.
 */
#ifndef GL_LEDGER_STATE_H
#define GL_LEDGER_STATE_H

#include "core/compat.h"
#include "format/entry.h"

typedef struct GlLedgerState
{
	bool		exists;			/* false: nothing was ever protected here */
	bool		has_origin;		/* pinned by the first seal */
	char		origin[GL_ORIGIN_MAX_SIZE + 1];
	int32		generation;
	uint64		system_identifier;
	Oid			database;
} GlLedgerState;

/* Read the row as committed now (own changes included). Cached until the row changes (relcache invalidation). */
extern const GlLedgerState *gl_ledger_state(void);
/* Make the row for this cluster if there is none. */
extern void gl_ledger_state_create(void);
/* Rewrite the row, for this database; origin NULL leaves it unpinned. Error if there is no row. */
extern void gl_ledger_state_change(const char *origin, int32 generation, uint64 system_identifier);
/* Pin the origin; the caller has checked it. Error if another one is pinned. */
extern void gl_ledger_state_pin_origin(const char *origin);
/* True iff this database may write and seal (same system identifier and database oid as the log). */
extern bool gl_ledger_is_ours(const GlLedgerState *state);
/* Error with the way out unless this cluster may continue the log. */
extern void gl_ledger_require_ours(const GlLedgerState *state);

#endif
