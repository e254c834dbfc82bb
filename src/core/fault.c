/*
 * fault.c
 *		Crash or stop at a named point, in test builds only (make FAULTS=1).
 */
#include "core/catalog.h"

#ifdef GL_FAULT_INJECTION
#include <signal.h>
#include <unistd.h>
#include "core/core.h"
#include "utils/guc.h"

static char *gl_fault_point = NULL;
static char *gl_stop_point = NULL;

void
gl_fault(const char *point)
{
	if (gl_fault_point != NULL && strcmp(gl_fault_point, point) == 0)
		kill(getpid(), SIGKILL);
}

bool
gl_stop(const char *point)
{
	return gl_stop_point != NULL && strcmp(gl_stop_point, point) == 0;
}

void
gl_fault_init(void)
{
	DefineCustomStringVariable( /* name= */ "govledger.fault",
							   /* short_desc= */ "Point of the program at which this process kills itself (test builds only).",
							   /* long_desc= */ NULL, &gl_fault_point, /* bootValue= */ "",
							   PGC_SUSET, GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
	DefineCustomStringVariable( /* name= */ "govledger.stop",
							   /* short_desc= */ "Stage of capture after which nothing is recorded (test builds only; the log is then incomplete).",
							   /* long_desc= */ NULL, &gl_stop_point, /* bootValue= */ "",
							   PGC_SUSET, GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
}
#endif
