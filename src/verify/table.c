/*
 * table.c
 *		Ledger tables against the log: the sums of their rows, and only where these differ a search for the rows.
 */
#include "verify/tables.h"

#include "catalog/pg_class.h"
#include "utils/lsyscache.h"

typedef struct GlTableSums
{
	int64		rows;
	bool		equal;
} GlTableSums;

static const GlSum *
log_sum(const GlTable *table, int relation_id)
{
	static const GlSum none;

	return relation_id < table->sums_count ? &table->sums[relation_id] : &none;
}

static void
scan_relation(GlVerify *verify, GlTable *table, const GlLedgerRelation *relation, GlTableSums *sums)
{
	GlScan	   *scan = gl_scan_open(verify, table, relation);
	GlSum		sum = {0};
	GlBytes		row;
	GlHash		hash;

	while (gl_scan_next(scan, &row))
	{
		gl_sum_hash(relation->relation_id, row, &hash);
		gl_sum_add(&sum, &hash);
	}
	gl_scan_close(scan);
	sums->rows += sum.count;
	if (!gl_sum_equal(&sum, log_sum(table, relation->relation_id)))
		sums->equal = false;
}

static bool
has_relation(const GlTable *table, int relation_id)
{
	ListCell   *cell;

	foreach(cell, table->ledger->relations)
	{
		const GlLedgerRelation *relation = lfirst(cell);

		if (relation->relation_id == relation_id && OidIsValid(relation->relation))
			return true;
	}
	return false;
}

static void
scan_table(GlVerify *verify, GlTable *table, GlTableSums *sums)
{
	static const GlSum none;
	ListCell   *cell;
	int			i;

	sums->rows = 0;
	sums->equal = true;
	foreach(cell, table->ledger->relations)
	{
		const GlLedgerRelation *relation = lfirst(cell);

		if (OidIsValid(relation->relation) && get_rel_relkind(relation->relation) == RELKIND_RELATION)
			scan_relation(verify, table, relation, sums);
	}
	/* rows in relations that the catalog does not have any more, without a record that took them away */
	for (i = 0; i < table->sums_count; i++)
		if (!has_relation(table, i) && !gl_sum_equal(&table->sums[i], &none))
			sums->equal = false;
}

static void
name_rows(GlVerify *verify, GlTable *table, const GlTableSums *sums)
{
	GlNamingResult result;

	gl_naming_check(verify, table, &result);
	if (result.findings > 0)
		return;
	if (verify->since > 0)
		gl_report_pass(verify->report, GL_CHECK_ROWS, table->name, table->name,
					   "every row changed since tree size %lld is as the log says", (long long) verify->since);
	else if (result.printed > 0)
		gl_report_pass(verify->report, GL_CHECK_ROWS, table->name, table->name,
					   "%lld rows are those of the log; %lld print differently now and mean the same",
					   (long long) sums->rows, (long long) result.printed);
	else if (table->erased)
		gl_report_pass(verify->report, GL_CHECK_ROWS, table->name, table->name,
					   "%lld rows are those of the log, compared one by one because values were erased",
					   (long long) sums->rows);
	else
		gl_report_object(verify->report, GL_CHECK_ROWS, table->name,
						 "the rows are not those of the log, and a search for the difference found none");
}

static void
check_table(GlVerify *verify, GlTable *table)
{
	GlTableSums sums = {0, false};

	if (!table->wanted || table->ended || table->unprintable)
		return;
	if (verify->since > 0)
	{
		name_rows(verify, table, &sums);
		return;
	}
	scan_table(verify, table, &sums);
	if (sums.equal && !table->erased)
		gl_report_pass(verify->report, GL_CHECK_ROWS, table->name, table->name, "%lld rows are those of the log",
					   (long long) sums.rows);
	else
		name_rows(verify, table, &sums);
}

void
gl_tables_check(GlVerify *verify)
{
	ListCell   *cell;

	foreach(cell, gl_tables_list(verify->tables))
		check_table(verify, lfirst(cell));
}
