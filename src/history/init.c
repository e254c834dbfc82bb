/*
 * init.c
 *		Start-up of this feature; see history.h.
 */
#include "history/history.h"

#include "core/utility.h"
#include "history/define.h"
#include "history/worker.h"

/* No event trigger is told of it. */
static void
after_command(NodeTag command)
{
	if (command == T_ReassignOwnedStmt && gl_history_installed())
		gl_history_follow_owners();
}

static const GlUtilityHooks utility_hooks = {.after = after_command};

void
gl_history_init(void)
{
	gl_utility_register(&utility_hooks);
	gl_schema_hook = gl_history_follow;
	gl_visibility_hook = gl_history_publish;
	gl_follower = &gl_history_follower;
}
