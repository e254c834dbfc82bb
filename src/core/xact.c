/*
 * xact.c
 *		The extension's only transaction callbacks; see xact.h.
 */
#include "core/xact.h"

#include "access/xact.h"

#define GL_MAX_XACT_HOOKS 8

static const GlXactHooks *gl_hooks[GL_MAX_XACT_HOOKS];
static int	gl_hook_count = 0;

static void
gl_call_end(bool committed)
{
	int			i;

	for (i = 0; i < gl_hook_count; i++)
		if (gl_hooks[i]->end != NULL)
			gl_hooks[i]->end(committed);
}

static void
gl_xact_callback(XactEvent event, void *arg)
{
	int			i;

	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			for (i = 0; i < gl_hook_count; i++)
				if (gl_hooks[i]->pre_commit != NULL)
					gl_hooks[i]->pre_commit();
			break;
		case XACT_EVENT_COMMIT:
			gl_call_end(true);
			break;
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			gl_call_end(false);
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			/* parallel workers never write rows, so they have nothing of ours */
			break;
	}
}

static void
gl_subxact_callback(SubXactEvent event, SubTransactionId subxact, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();
	int			i;

	for (i = 0; i < gl_hook_count; i++)
	{
		switch (event)
		{
			case SUBXACT_EVENT_START_SUB:
				break;
			case SUBXACT_EVENT_PRE_COMMIT_SUB:
				if (gl_hooks[i]->pre_commit_sub != NULL)
					gl_hooks[i]->pre_commit_sub(level);
				break;
			case SUBXACT_EVENT_COMMIT_SUB:
				if (gl_hooks[i]->end_sub != NULL)
					gl_hooks[i]->end_sub(level, true);
				break;
			case SUBXACT_EVENT_ABORT_SUB:
				if (gl_hooks[i]->end_sub != NULL)
					gl_hooks[i]->end_sub(level, false);
				break;
		}
	}
}

void
gl_xact_register(const GlXactHooks *hooks)
{
	Assert(gl_hook_count < GL_MAX_XACT_HOOKS);
	if (gl_hook_count == 0)
	{
		RegisterXactCallback(gl_xact_callback, NULL);
		RegisterSubXactCallback(gl_subxact_callback, NULL);
	}
	gl_hooks[gl_hook_count++] = hooks;
}
