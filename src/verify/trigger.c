/*
 * trigger.c
 *		The two triggers of a ledger relation, as the snapshot of the run shows them.
 */
#include "verify/tables.h"

#include "capture/intact.h"

void
gl_triggers_check(GlVerify *verify, const GlTable *table, Oid relation, const char *name)
{
	int			i;

	for (i = 0; i < GL_TRIGGER_COUNT; i++)
	{
		const char *problem = gl_trigger_problem(verify->snapshot, relation, i);

		if (problem != NULL)
			gl_report_object(verify->report, GL_CHECK_TRIGGER, name, "trigger \"%s\": %s", gl_trigger_name(i), problem);
	}
}
