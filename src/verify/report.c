/*
 * report.c
 *		Rows of the result, capped per check and scope; see report.h.
 */
#include "verify/report.h"

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

enum
{
	COLUMN_CHECK,
	COLUMN_OBJECT,
	COLUMN_OK,
	COLUMN_DETAIL,
	COLUMN_KEY,
	COLUMN_NAME,
	COLUMN_LOGGED,
	COLUMN_FOUND,
	COLUMN_ENTRY,
	COLUMNS_COUNT
};

typedef struct GlReportCount
{
	const char *check;
	const char *scope;
	int64		count;
} GlReportCount;

struct GlReport
{
	ReturnSetInfo *result;
	List	   *counts;			/* of GlReportCount *: few, a check with no finding has none */
	MemoryContext memory;
};

GlReport *
gl_report_open(FunctionCallInfo fcinfo)
{
	GlReport   *report = palloc0(sizeof(GlReport));

	gl_init_materialized_srf(fcinfo);
	report->result = (ReturnSetInfo *) fcinfo->resultinfo;
	report->memory = CurrentMemoryContext;
	return report;
}

static GlReportCount *
find_count(const GlReport *report, const char *check, const char *scope)
{
	ListCell   *cell;

	foreach(cell, report->counts)
	{
		GlReportCount *count = lfirst(cell);

		if (strcmp(count->check, check) == 0 && strcmp(count->scope, scope ? scope : "") == 0)
			return count;
	}
	return NULL;
}

int64
gl_report_count(const GlReport *report, const char *check, const char *scope)
{
	const GlReportCount *count = find_count(report, check, scope);

	return count != NULL ? count->count : 0;
}

static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	if (text != NULL)
		values[column] = CStringGetTextDatum(text);
}

static void
put_row(GlReport *report, const GlFinding *finding, bool ok)
{
	Datum		values[COLUMNS_COUNT] = {0};
	bool		nulls[COLUMNS_COUNT] = {0};

	put_text(values, nulls, COLUMN_CHECK, finding->check);
	put_text(values, nulls, COLUMN_OBJECT, finding->object);
	values[COLUMN_OK] = BoolGetDatum(ok);
	put_text(values, nulls, COLUMN_DETAIL, finding->detail);
	nulls[COLUMN_KEY] = finding->key == NULL;
	if (finding->key != NULL)
		values[COLUMN_KEY] = JsonbPGetDatum(finding->key);
	put_text(values, nulls, COLUMN_NAME, finding->column);
	put_text(values, nulls, COLUMN_LOGGED, finding->logged);
	put_text(values, nulls, COLUMN_FOUND, finding->found);
	nulls[COLUMN_ENTRY] = finding->leaf == GL_NO_LEAF;
	values[COLUMN_ENTRY] = Int64GetDatum(finding->leaf);
	tuplestore_putvalues(report->result->setResult, report->result->setDesc, values, nulls);
}

void
gl_report_finding(GlReport *report, const GlFinding *finding)
{
	GlReportCount *count = find_count(report, finding->check, finding->scope);

	if (count == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(report->memory);

		count = palloc0(sizeof(GlReportCount));
		count->check = pstrdup(finding->check);
		count->scope = pstrdup(finding->scope ? finding->scope : "");
		report->counts = lappend(report->counts, count);
		MemoryContextSwitchTo(old);
	}
	if (count->count++ < GL_REPORT_CAP)
		put_row(report, finding, false);
}

/* The caller's arguments as text, however long the result. */
static char *format_detail(const char *format, va_list arguments) GL_PRINTF(1, 0);

static char *
format_detail(const char *format, va_list arguments)
{
	StringInfoData text;

	initStringInfo(&text);
	for (;;)
	{
		va_list		copy;
		int			needed;

		va_copy(copy, arguments);
		needed = appendStringInfoVA(&text, format, copy);
		va_end(copy);
		if (needed == 0)
			return text.data;
		enlargeStringInfo(&text, needed);
	}
}

void
gl_report_log(GlReport *report, const char *check, int64 leaf, const char *object, const char *format,...)
{
	GlFinding	finding = {.check = check, .object = object, .leaf = leaf};
	va_list		arguments;

	va_start(arguments, format);
	finding.detail = format_detail(format, arguments);
	va_end(arguments);
	gl_report_finding(report, &finding);
}

void
gl_report_object(GlReport *report, const char *check, const char *object, const char *format,...)
{
	GlFinding	finding = {.check = check, .scope = object, .object = object, .leaf = GL_NO_LEAF};
	va_list		arguments;

	va_start(arguments, format);
	finding.detail = format_detail(format, arguments);
	va_end(arguments);
	gl_report_finding(report, &finding);
}

void
gl_report_pass(GlReport *report, const char *check, const char *scope, const char *object, const char *format,...)
{
	GlFinding	finding = {.check = check, .object = object, .leaf = GL_NO_LEAF};
	va_list		arguments;

	if (gl_report_count(report, check, scope) > 0)
		return;
	va_start(arguments, format);
	finding.detail = format_detail(format, arguments);
	va_end(arguments);
	put_row(report, &finding, true);
}

void
gl_report_close(GlReport *report)
{
	ListCell   *cell;

	foreach(cell, report->counts)
	{
		const GlReportCount *count = lfirst(cell);
		GlFinding	finding = {.check = count->check, .object = count->scope, .leaf = GL_NO_LEAF};

		if (count->count <= GL_REPORT_CAP)
			continue;
		if (count->scope[0] == '\0')
			finding.object = "log";
		finding.detail = psprintf("%lld findings, of which the first %d are shown",
								  (long long) count->count, GL_REPORT_CAP);
		put_row(report, &finding, false);
	}
}
