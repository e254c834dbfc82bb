/*
 * xact.h
 *		The extension's only transaction callbacks.
 *
 * The order between several callbacks of one extension is undefined, so there is one of each, and it calls the
 * features' hooks in the order they were registered.
 */
#ifndef GL_CORE_XACT_H
#define GL_CORE_XACT_H

#include "core/compat.h"

typedef struct GlXactHooks
{
	/* before commit or prepare; may write and may raise an error */
	void		(*pre_commit) (void);
	/* the transaction is over in this backend; must not fail. committed is true for COMMIT only, not for PREPARE */
	void		(*end) (bool committed);
	/* before a subtransaction of this nest level commits into its parent; may write and may raise an error */
	void		(*pre_commit_sub) (int nest_level);
	/* subtransaction of this nest level is over; must not fail */
	void		(*end_sub) (int nest_level, bool committed);
} GlXactHooks;

/* Register for the life of the backend; any member may be NULL. */
extern void gl_xact_register(const GlXactHooks *hooks);

#endif
