/*
 * content.c
 *		Gives each record to the parts that follow records of its kind.
 */
#include "verify/tables.h"

static void
report_broken(GlVerify *verify, const GlLogEntry *entry, uint64 number, const char *problem)
{
	gl_report_log(verify->report, GL_CHECK_ENTRY, entry->leaf,
				  gl_entry_name(entry->generation, entry->transaction_id), "record %llu %s",
				  (unsigned long long) number, problem);
}

static void
check_adoption(GlVerify *verify, const GlLogEntry *entry, uint64 number, const GlRecord *record)
{
	GlReader	reader;
	GlAdoption	adoption;

	gl_reader_init(&reader, record->body.data, record->body.length);
	if (!gl_adoption_read(&reader, &adoption) || !gl_reader_done(&reader))
		report_broken(verify, entry, number, "is not an adoption");
	else if (adoption.generation != entry->generation || adoption.previous_generation >= adoption.generation)
		report_broken(verify, entry, number, "adopts the log for another generation than its entry's");
}

void
gl_content_record(GlVerify *verify, const GlLogEntry *entry, uint64 number, GlBytes bytes)
{
	GlRecord	record;

	if (!gl_record_read(bytes, &record))
	{
		report_broken(verify, entry, number, "cannot be read");
		return;
	}
	switch (record.kind)
	{
		case GL_RECORD_INSERT:
		case GL_RECORD_GENESIS:
		case GL_RECORD_UPDATE:
		case GL_RECORD_DELETE:
		case GL_RECORD_TRUNCATE:
			gl_sums_record(verify, entry, number, &record);
			break;
		case GL_RECORD_SCHEMA:
			gl_schemas_record(verify, entry, &record);
			break;
		case GL_RECORD_KEY:
			gl_keys_record(verify, entry, &record);
			break;
		case GL_RECORD_ERASURE:
			gl_erasures_record(verify, entry, &record);
			break;
		case GL_RECORD_ADOPTION:
			check_adoption(verify, entry, number, &record);
			break;
		case GL_RECORD_SUCCESSION:
			gl_origins_record(verify, entry, &record);
			break;
		default:
			/* a note says what it says */
			break;
	}
}
