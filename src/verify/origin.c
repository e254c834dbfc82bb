/*
 * origin.c
 *		Which log a leaf belongs to, where a log was lost in part and another one continues it.
 *
 * The origin is in everything that is hashed and signed, so it must be known before the stream begins. The seals tell: the
 * origin changes where a seal of a later generation names another one. The table former_log and the succession records
 * must say the same. A log that never lost anything pays for none of this.
 */
#include "verify/log.h"

#include "ledger/former.h"

/* Leaves below `end`, and not below the end of the span before, have this origin. */
typedef struct GlOriginSpan
{
	GlBytes		origin;
	uint32		generation;		/* of its last seal */
	int64		height;			/* of that */
	int64		end;
} GlOriginSpan;

/* A succession record, and the entry it is in. */
typedef struct GlSuccessionRecord
{
	GlSuccession succession;	/* its bytes live as long as the run */
	int64		leaf;
	const char *entry;
} GlSuccessionRecord;

struct GlOrigins
{
	List	   *spans;			/* of GlOriginSpan *, former logs as the seals tell */
	List	   *former_logs;	/* of GlFormerLog *, as the table has them */
	List	   *records;		/* of GlSuccessionRecord *, in log order */
};

GlBytes
gl_origin_at(const GlVerify *verify, int64 leaf)
{
	ListCell   *cell;

	if (leaf == GL_NO_LEAF)
		return verify->origin;
	foreach(cell, verify->origins->spans)
	{
		const GlOriginSpan *span = lfirst(cell);

		if (leaf < span->end)
			return span->origin;
	}
	return verify->origin;
}

/* --- what the seals say --- */

static void
take_seal(GlOriginSpan *span, const GlStoredSeal *row)
{
	if (span->height == 0 || !gl_bytes_equal(span->origin, row->seal.origin))
		span->origin = gl_bytes_copy(row->seal.origin);
	span->generation = row->seal.generation;
	span->height = row->height;
	span->end = gl_seal_size(row);
}

/* A seal with another origin in the same generation is a changed seal and not another log. */
static void
read_spans(GlVerify *verify, GlOriginSpan *newest)
{
	GlSeals    *seals = gl_seals_open(verify->snapshot, PG_INT64_MIN);
	const GlStoredSeal *row;

	while ((row = gl_seals_next(seals)) != NULL)
	{
		bool		same = newest->height == 0 || gl_bytes_equal(newest->origin, row->seal.origin);

		gl_verify_progress(verify, "looking for former logs", 0, 0);
		if (!row->parsed || (!same && row->seal.generation <= newest->generation))
			continue;
		if (!same)
		{
			GlOriginSpan *span = palloc(sizeof(GlOriginSpan));

			*span = *newest;
			verify->origins->spans = lappend(verify->origins->spans, span);
		}
		take_seal(newest, row);
	}
	gl_seals_close(seals);
}

static bool
former_log_ends(const GlOrigins *origins, const GlOriginSpan *span)
{
	ListCell   *cell;

	foreach(cell, origins->former_logs)
	{
		const GlFormerLog *log = lfirst(cell);

		if (gl_bytes_are(span->origin, log->origin) && log->tree_size == (uint64) span->end)
			return true;
	}
	return false;
}

/*
 * The newest seal must be of the log that govledger.ledger names, unless that one has just begun. If not, it is the
 * seals that are in the tree.
 */
static void
compare_newest(GlVerify *verify, const GlOriginSpan *newest)
{
	GlFinding	finding = {.check = GL_CHECK_CATALOG, .object = "govledger.ledger", .leaf = GL_NO_LEAF};

	if (newest->height == 0 || gl_bytes_equal(verify->origin, newest->origin))
		return;
	if (verify->generation > newest->generation && former_log_ends(verify->origins, newest))
	{
		GlOriginSpan *span = palloc(sizeof(GlOriginSpan));

		*span = *newest;
		verify->origins->spans = lappend(verify->origins->spans, span);
		return;
	}
	finding.detail = "it names another origin than the seals";
	finding.column = "origin";
	finding.logged = gl_shown(newest->origin, false);
	finding.found = verify->origin.length > 0 ? gl_shown(verify->origin, false) : NULL;
	gl_report_finding(verify->report, &finding);
	verify->origin = newest->origin;
}

void
gl_origins_open(GlVerify *verify)
{
	GlStoredSeal *newest = gl_seal_before(verify->snapshot, PG_INT64_MAX, verify->memory);
	GlStoredSeal *oldest = gl_seal_first(verify->snapshot, verify->memory);
	GlOriginSpan span = {0};

	verify->origins = palloc0(sizeof(GlOrigins));
	verify->origins->former_logs = gl_former_logs(verify->snapshot);
	if (newest == NULL || !newest->parsed || !oldest->parsed)
		return;
	if (verify->origins->former_logs == NIL && gl_bytes_equal(oldest->seal.origin, newest->seal.origin))
		take_seal(&span, newest);
	else
		read_spans(verify, &span);
	compare_newest(verify, &span);
}

/* --- what the records and the table say --- */

void
gl_origins_record(GlVerify *verify, const GlLogEntry *entry, const GlRecord *record)
{
	char	   *name = gl_entry_name(entry->generation, entry->transaction_id);
	MemoryContext old = MemoryContextSwitchTo(verify->memory);
	GlSuccessionRecord *found = palloc0(sizeof(GlSuccessionRecord));
	GlBytes		body = gl_bytes_copy(record->body);
	GlReader	reader;
	const char *problem = NULL;

	gl_reader_init(&reader, body.data, body.length);
	if (!gl_succession_read(&reader, &found->succession) || !gl_reader_done(&reader))
		problem = "its succession record cannot be read";
	else if (found->succession.generation != entry->generation ||
			 found->succession.previous_generation >= found->succession.generation)
		problem = "its succession record begins another generation than its entry's";
	if (problem == NULL)
	{
		found->leaf = entry->leaf;
		found->entry = pstrdup(name);
		verify->origins->records = lappend(verify->origins->records, found);
	}
	MemoryContextSwitchTo(old);
	if (problem != NULL)
		gl_report_log(verify->report, GL_CHECK_SUCCESSION, entry->leaf, name, "%s", problem);
}

static const GlSuccessionRecord *
find_record(const GlOrigins *origins, uint32 generation)
{
	ListCell   *cell;

	foreach(cell, origins->records)
	{
		const GlSuccessionRecord *record = lfirst(cell);

		if (record->succession.generation == generation)
			return record;
	}
	return NULL;
}

static const char *
compare_row(const GlFormerLog *log, const GlSuccessionRecord *record)
{
	const GlSuccession *said = &record->succession;

	if (!gl_bytes_are(said->origin, log->origin))
		return "origin";
	if (said->tree_size != log->tree_size)
		return "tree_size";
	if (said->lost_from != log->lost_from)
		return "lost_from";
	if (said->known_size != log->known_size)
		return "known_size";
	if (!gl_hash_equal(&said->known_root, &log->known_root))
		return "known_root";
	return NULL;
}

/* The rows of former_log against the records. */
static void
check_rows(GlVerify *verify)
{
	GlOrigins  *origins = verify->origins;
	ListCell   *cell;

	foreach(cell, origins->former_logs)
	{
		const GlFormerLog *log = lfirst(cell);
		const GlSuccessionRecord *record = find_record(origins, (uint32) log->generation);
		GlFinding	finding = {.check = GL_CHECK_SUCCESSION, .leaf = GL_NO_LEAF};

		finding.object = psprintf("former_log %d", log->generation);
		if (record == NULL && log->tree_size < (uint64) verify->since)
			continue;			/* where nobody looked */
		if (record == NULL)
			finding.detail = "no record of the log speaks of it";
		else
		{
			finding.column = compare_row(log, record);
			finding.leaf = record->leaf;
			finding.detail = finding.column != NULL ? "it says otherwise than the succession record" : NULL;
		}
		if (finding.detail != NULL)
			gl_report_finding(verify->report, &finding);
	}
	if (list_length(origins->records) > list_length(origins->former_logs))
		gl_report_log(verify->report, GL_CHECK_SUCCESSION, GL_NO_LEAF, "former_log",
					  "it has %d rows, the log %d succession records", list_length(origins->former_logs),
					  list_length(origins->records));
}

/* What is wrong with a record, seen from the seals; NULL if nothing. */
static const char *
check_record(GlVerify *verify, const GlSuccessionRecord *record)
{
	const GlSuccession *said = &record->succession;
	MemoryContext old = MemoryContextSwitchTo(verify->scratch);
	GlStoredSeal *last = gl_seal_before(verify->snapshot, (int64) said->tree_size, verify->scratch);
	int64		size = last != NULL ? gl_seal_size(last) : 0;
	GlSeals    *seals;
	const GlStoredSeal *first;
	const char *problem = NULL;

	if ((uint64) size != said->tree_size)
		problem = "it names a tree of the former log that no seal ends";
	else if (last != NULL && last->edge_ok && !gl_hash_equal(&last->edge_root, &said->root))
		problem = "it names another root of the former log than the seals";
	else if (last != NULL && last->parsed && !gl_bytes_equal(last->seal.origin, said->origin))
		problem = "it names another former log than the seals";
	else if (record->leaf != GL_NO_LEAF)
	{
		seals = gl_seals_open(verify->snapshot, last != NULL ? last->height + 1 : PG_INT64_MIN);
		first = gl_seals_next(seals);
		if (record->leaf < size || first == NULL || record->leaf >= gl_seal_size(first))
			problem = "its record is not in the first block after the former log";
		gl_seals_close(seals);
	}
	MemoryContextSwitchTo(old);
	return problem;
}

/* Where the seals change their origin, a record must say why. */
static void
check_spans(GlVerify *verify)
{
	ListCell   *cell;

	foreach(cell, verify->origins->spans)
	{
		const GlOriginSpan *span = lfirst(cell);
		ListCell   *record_cell;
		bool		explained = span->end <= verify->since;

		foreach(record_cell, verify->origins->records)
			explained |= ((GlSuccessionRecord *) lfirst(record_cell))->succession.tree_size == (uint64) span->end;
		if (!explained)
			gl_report_log(verify->report, GL_CHECK_SUCCESSION, span->end, psprintf("leaf %lld", (long long) span->end),
						  "log %s ends here and another one goes on, and no succession record says so",
						  gl_shown(span->origin, false));
	}
}

void
gl_origins_check(GlVerify *verify)
{
	GlOrigins  *origins = verify->origins;
	ListCell   *cell;

	if (origins->spans == NIL && origins->records == NIL && origins->former_logs == NIL)
		return;
	foreach(cell, origins->records)
	{
		const GlSuccessionRecord *record = lfirst(cell);
		const char *problem = check_record(verify, record);

		if (problem != NULL)
			gl_report_log(verify->report, GL_CHECK_SUCCESSION, record->leaf, record->entry, "%s", problem);
	}
	check_rows(verify);
	check_spans(verify);
	gl_report_pass(verify->report, GL_CHECK_SUCCESSION, NULL, "log",
				   "%d former logs, each with a record that says what of it was lost", list_length(origins->former_logs));
}

bool
gl_origin_known(const GlVerify *verify, GlBytes origin)
{
	ListCell   *cell;

	if (gl_bytes_equal(origin, verify->origin))
		return true;
	foreach(cell, verify->origins->spans)
		if (gl_bytes_equal(origin, ((GlOriginSpan *) lfirst(cell))->origin))
			return true;
	foreach(cell, verify->origins->former_logs)
		if (gl_bytes_are(origin, ((GlFormerLog *) lfirst(cell))->origin))
			return true;
	return false;
}

const char *
gl_origin_loss(const GlVerify *verify, GlBytes origin, uint64 size)
{
	ListCell   *cell;

	if (gl_bytes_equal(origin, verify->origin))
		return NULL;
	foreach(cell, verify->origins->former_logs)
	{
		const GlFormerLog *log = lfirst(cell);
		const GlSuccessionRecord *record = find_record(verify->origins, (uint32) log->generation);

		if (!gl_bytes_are(origin, log->origin) || size <= log->lost_from)
			continue;
		if (size > log->known_size)
			return psprintf("it signs a tree of %llu leaves, more than the successor admits to have known (%llu): the former "
							"log went on, or more of it was lost than was said",
							(unsigned long long) size, (unsigned long long) log->known_size);
		return psprintf("it signs leaves of the former log that were given up as lost%s%s",
						record != NULL ? ": see the succession record of " : "", record != NULL ? record->entry : "");
	}
	return NULL;
}
