/*
 * init.c
 *		Start-up of this feature; see history.h.
 */
#include "history/history.h"

#include "history/define.h"
#include "history/worker.h"

void
gl_history_init(void)
{
	gl_schema_hook = gl_history_follow;
	gl_visibility_hook = gl_history_publish;
	gl_follower = &gl_history_follower;
}
