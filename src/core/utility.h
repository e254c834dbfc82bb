/*
 * utility.h
 *		The extension's only ProcessUtility hook.
 *
 * It calls the features' hooks in the order they were registered, and whoever had the hook before.
 */
#ifndef GL_CORE_UTILITY_H
#define GL_CORE_UTILITY_H

#include "core/compat.h"
#include "nodes/nodes.h"

typedef struct GlUtilityHooks
{
	/*
	 * Before the command; may raise an error. Called for every utility command, ROLLBACK in a failed transaction among
	 * them: look at the node tag before anything else.
	 */
	void		(*before) (const Node *command);
	/* the command succeeded; told its tag alone, for a command may free its own tree */
	void		(*after) (NodeTag command);
} GlUtilityHooks;

/* Register for the life of the backend; any member may be NULL. */
extern void gl_utility_register(const GlUtilityHooks *hooks);

#endif
