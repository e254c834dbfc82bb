/*
 * query.c
 *		Saved query plans over our own tables.
 */
#include "seal/query.h"

#include "utils/guc.h"

SPIPlanPtr
gl_query_plan(GlQuery *query)
{
	Assert(query->arguments <= GL_QUERY_MAX_ARGUMENTS);
	if (query->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(query->text, query->arguments, query->types);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not plan \"%s\": %s", query->text, SPI_result_code_string(SPI_result));
		query->plan = plan;
	}
	return query->plan;
}

static uint64
gl_query_execute(GlQuery *query, const Datum *values, const char *nulls, bool read_only, long limit)
{
	/* SPI does not change the values, it only forgets to say so */
	int			result = SPI_execute_plan(gl_query_plan(query), unconstify(Datum *, values), nulls, read_only, limit);

	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", query->text, SPI_result_code_string(result));
	return SPI_processed;
}

uint64
gl_query_read(GlQuery *query, const Datum *values, long limit)
{
	return gl_query_execute(query, values, NULL, true, limit);
}

uint64
gl_query_write(GlQuery *query, const Datum *values, const char *nulls)
{
	return gl_query_execute(query, values, nulls, false, 0);
}

Datum
gl_query_value(uint64 row, int column)
{
	bool		is_null;
	Datum		value;

	Assert(SPI_tuptable != NULL && row < SPI_processed);
	value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &is_null);
	if (is_null)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("column \"%s\" of a govledger table is unexpectedly null", SPI_fname(SPI_tuptable->tupdesc, column)),
				 errhint("Run SELECT * FROM govledger.verify().")));
	return value;
}

bool
gl_query_is_null(uint64 row, int column)
{
	bool		is_null;

	Assert(SPI_tuptable != NULL && row < SPI_processed);
	SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &is_null);
	return is_null;
}

void
gl_query_pin_settings(void)
{
	static const char *const settings[][2] = {
		{"search_path", "pg_catalog, pg_temp"},
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		{"lock_timeout", "0"},
		{"statement_timeout", "0"},
#ifdef GL_TRANSACTION_TIMEOUT
		{GL_TRANSACTION_TIMEOUT, "0"},
#endif
		/* a large block is sorted on disk, or it can never be sealed */
		{"temp_file_limit", "-1"},
		{"row_security", "off"},
		{"jit", "off"},
		{"max_parallel_workers_per_gather", "0"},
		/* all queries here are index look-ups, also on a table whose statistics are old */
		{"enable_seqscan", "off"},
		{"enable_bitmapscan", "off"},
		{"plan_cache_mode", "force_generic_plan"},
	};
	int			i;

	for (i = 0; i < lengthof(settings); i++)
		SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET, PGC_S_OVERRIDE);
}
