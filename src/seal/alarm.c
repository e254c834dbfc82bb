/*
 * alarm.c
 *		Say in the server log that entries or seals have been waiting for too long.
 */
#include "seal/step.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "core/clock.h"
#include "seal/query.h"
#include "seal/settings.h"

/* look at so many entries for the oldest one: they come in order of their transaction ids */
#define GL_ALARM_ENTRIES 1000

/* Time of the oldest seal that no checkpoint covers, 0 if there is none. */
static TimestampTz
gl_oldest_unsigned_seal(void)
{
	static GlQuery query = {
		.text = "SELECT sealed_at FROM govledger.seal WHERE tree_size > $1 ORDER BY tree_size LIMIT 1",
		.arguments = 1,.types = {INT8OID}
	};
	uint64		signed_size;
	uint32		key_id;
	Datum		value;

	(void) gl_latest_checkpoint(&signed_size, &key_id);
	value = Int64GetDatum((int64) signed_size);
	return gl_query_read(&query, &value, 1) == 0 ? 0 : DatumGetTimestampTz(gl_query_value(0, 1));
}

/* What waits, and how long this process has seen it wait: a clock that was set back makes the time of day useless. */
typedef struct GlAlarm
{
	const char *message;
	TimestampTz since;			/* 0: nothing waits */
	int64		seen;			/* by gl_clock() */
} GlAlarm;

/* True if it was worth a warning. */
static bool
gl_alarm(GlAlarm *alarm, TimestampTz since)
{
	int64		limit = gl_setting_alarm_after * INT64CONST(1000);

	if (since != alarm->since)
	{
		alarm->since = since;
		alarm->seen = gl_clock();
	}
	if (since == 0 || (GetCurrentTimestamp() - since < limit * 1000 && gl_clock() - alarm->seen < limit))
		return false;
	ereport(WARNING,
			(errmsg("govledger: %s since %s", alarm->message, timestamptz_to_str(since)),
			 errhint("SELECT * FROM govledger.status shows the reason.")));
	return true;
}

void
gl_alarm_step(void)
{
	static GlAlarm unsealed = {.message = "entries are waiting to be sealed"};
	static GlAlarm unsigned_seals = {.message = "seals are waiting to be signed"};
	static int64 next_look = 0;
	int64		now = gl_clock();
	TimestampTz oldest_entry;
	GlSealRow	seal;
	bool		warned;

	if (gl_setting_alarm_after == 0 || now < next_look || !gl_step_begin())
		return;
	gl_step_snapshot();
	gl_seal_latest(&seal);
	(void) gl_candidates_count(&seal, GL_ALARM_ENTRIES, &oldest_entry);
	warned = gl_alarm(&unsealed, oldest_entry);
	/* without any key nobody waits for a signature */
	if (gl_registered_key() != 0 || *gl_setting_signing_key != '\0')
		warned |= gl_alarm(&unsigned_seals, gl_oldest_unsigned_seal());
	gl_step_commit();

	/* look often enough to be in time, repeat rarely enough to be read */
	next_look = now + (warned ? gl_setting_alarm_after * INT64CONST(1000) :
					   Max(gl_setting_alarm_after * INT64CONST(100), 200));
}
