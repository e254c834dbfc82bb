/*
 * capture.c
 *		Start-up of this feature.
 */
#include "capture/capture.h"

#include "capture/context.h"
#include "capture/ddl.h"
#include "capture/guard.h"
#include "capture/pending.h"

void
gl_capture_init(void)
{
	gl_context_init();
	gl_pending_init();
	gl_ddl_init();
	gl_guard_init();
}
