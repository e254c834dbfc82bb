/*
 * report.c
 *		What the sealer last said; see report.h.
 */
#include "seal/report.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "seal/query.h"
#include "seal/step.h"

char *
gl_key_state_text(const char *error)
{
	switch (gl_key_phase)
	{
		case GL_KEY_UNKNOWN:
			break;
		case GL_KEY_NONE:
			return pstrdup("none configured");
		case GL_KEY_OPENING:
			return psprintf("unreadable: %s", error != NULL ? error : "no reason given");
		case GL_KEY_COMPARING:
			return psprintf("wrong: %s", error != NULL ? error : "no reason given");
		case GL_KEY_READY:
			return pstrdup("registered");
	}
	return pstrdup("not used yet");
}

void
gl_report_step(const char *error, const char *key_state)
{
	static GlQuery query = {
		.text = "UPDATE govledger.sealer_state SET last_error = $1, key_state = $2, "
		"last_error_at = CASE WHEN $1 IS NULL THEN NULL ELSE pg_catalog.clock_timestamp() END "
		"WHERE last_error IS DISTINCT FROM $1 OR key_state IS DISTINCT FROM $2",
		.arguments = 2,.types = {TEXTOID, TEXTOID}
	};
	Datum		values[2];
	char		nulls[3] = "  ";

	if (!gl_step_begin())
		return;
	/* nothing depends on it: do not wait for a disk or a standby, which may be what the report is about */
	set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	gl_step_snapshot();
	values[0] = error != NULL ? CStringGetTextDatum(error) : (Datum) 0;
	nulls[0] = error != NULL ? ' ' : 'n';
	values[1] = CStringGetTextDatum(key_state);
	gl_query_write(&query, values, nulls);
	gl_step_commit();
}
