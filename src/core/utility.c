/*
 * utility.c
 *		The extension's only ProcessUtility hook; see utility.h.
 */
#include "core/utility.h"

#include "tcop/utility.h"

#define GL_MAX_UTILITY_HOOKS 4

static const GlUtilityHooks *gl_hooks[GL_MAX_UTILITY_HOOKS];
static int	gl_hook_count = 0;
static ProcessUtility_hook_type gl_next_utility = NULL;

static void
gl_utility(PlannedStmt *statement, const char *query, bool read_only_tree, ProcessUtilityContext context,
		   ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *destination, QueryCompletion *completion)
{
	ProcessUtility_hook_type next = gl_next_utility != NULL ? gl_next_utility : standard_ProcessUtility;
	NodeTag		tag = nodeTag(statement->utilityStmt);
	int			i;

	for (i = 0; i < gl_hook_count; i++)
		if (gl_hooks[i]->before != NULL)
			gl_hooks[i]->before(statement->utilityStmt);
	next(statement, query, read_only_tree, context, parameters, environment, destination, completion);
	for (i = 0; i < gl_hook_count; i++)
		if (gl_hooks[i]->after != NULL)
			gl_hooks[i]->after(tag);
}

void
gl_utility_register(const GlUtilityHooks *hooks)
{
	Assert(gl_hook_count < GL_MAX_UTILITY_HOOKS);
	if (gl_hook_count == 0)
	{
		gl_next_utility = ProcessUtility_hook;
		ProcessUtility_hook = gl_utility;
	}
	gl_hooks[gl_hook_count++] = hooks;
}
