/*
 * policy.c
 *		Row security of a table on its history; see define.h.
 *
 * A policy speaks of the columns of the table, so it is asked about the row as the table would have it: its expression stands in a
 * sub-select over the columns of the history, cast to the types of the table. Truncates and removals carry no data and are shown
 * to everybody who may read the history, for as_of would else bring back what is gone; and everything to those whom the row security of the
 * table does not concern, its owner first of all.
 */
#include "history/define.h"

#include "access/table.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "core/catalog.h"

#define MARKS "ledger_operation IN ('truncate', 'removed')"
/* between the commands of a definition; no SQL has it */
#define SEPARATOR "\001"
#define HIDDEN_DETAIL "Nobody whom row security concerns can read the history until the policy is changed."
#define HIDDEN "\"!govledger_hidden\""

static bool
has_row_security(Oid relation)
{
	Relation	heap = table_open(relation, NoLock);
	bool		result = heap->rd_rel->relrowsecurity;

	table_close(heap, NoLock);
	return result;
}

/* What every policy lets through. */
static char *
shown(const GlHistoryTable *history)
{
	return psprintf(MARKS " OR (SELECT govledger.history_unrestricted(%s::pg_catalog.regclass))",
					quote_literal_cstr(gl_history_quoted(history->history)));
}

/* What takes the place of policies that cannot be copied: they might have hidden rows. */
static char *
hide(const GlHistoryTable *history)
{
	return psprintf("CREATE POLICY " HIDDEN " ON %s AS RESTRICTIVE FOR SELECT USING (%s)",
					gl_history_quoted(history->history), shown(history));
}

/*
 * Does a policy speak of the table's rows other than by their columns? A version in the history has another tableoid and
 * ctid, and a whole row of it is of no type that a function of the user would take.
 */
static bool
speaks_of_more(Node *node, int *depth)
{
	bool		found;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return (int) ((Var *) node)->varlevelsup == *depth && ((Var *) node)->varattno <= 0;
	if (!IsA(node, Query))
		return expression_tree_walker(node, speaks_of_more, depth);
	++*depth;
	found = query_tree_walker((Query *) node, speaks_of_more, depth, 0);
	--*depth;
	return found;
}

/* The policies of the table for reading: name, kind, roles, expression. */
static void
append_policies(StringInfo commands, const GlLedgerTable *table, Oid relation, const GlHistoryTable *history)
{
	char	   *query = psprintf("SELECT pg_catalog.quote_ident(p.polname), CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,"
								 " COALESCE((SELECT pg_catalog.string_agg(pg_catalog.quote_ident(r.rolname), ', ' ORDER BY r.rolname)"
								 " FROM pg_catalog.pg_roles r WHERE r.oid = ANY (p.polroles)), 'PUBLIC'),"
								 " pg_catalog.pg_get_expr(p.polqual, p.polrelid), p.polqual"
								 " FROM pg_catalog.pg_policy p WHERE p.polrelid = %u AND p.polcmd IN ('r', '*') AND p.polqual IS NOT NULL"
								 " ORDER BY p.polname", relation);
	char	   *quoted = gl_history_quoted(history->history);
	char	   *targets = gl_as_of_targets(table, relation, history, quote_identifier(get_rel_name(history->history)));
	const char *name = quote_identifier(get_rel_name(relation));
	char	   *always = shown(history);
	bool		hidden = false;
	uint64		i;

	/* not read-only: what the command in hand has just changed must be seen */
	if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(query, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the policies of a ledger table");
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	descriptor = SPI_tuptable->tupdesc;
		int			depth = 0;

		if (speaks_of_more(stringToNode(SPI_getvalue(row, descriptor, 5)), &depth))
		{
			hidden = true;
			continue;
		}
		appendStringInfo(commands, SEPARATOR "CREATE POLICY %s ON %s AS %s FOR SELECT TO %s USING (%s"
						 " OR (SELECT (%s) FROM (SELECT %s) AS %s))",
						 SPI_getvalue(row, descriptor, 1), quoted, SPI_getvalue(row, descriptor, 2),
						 SPI_getvalue(row, descriptor, 3), always, SPI_getvalue(row, descriptor, 4), targets, name);
	}
	SPI_finish();
	if (hidden)
		appendStringInfo(commands, SEPARATOR "%s", hide(history));
}

char *
gl_policy_definition(const GlLedgerTable *table, Oid relation, const GlHistoryTable *history)
{
	char	   *quoted = gl_history_quoted(history->history);
	StringInfoData commands;

	initStringInfo(&commands);
	if (!has_row_security(relation))
		return commands.data;
	appendStringInfo(&commands, "ALTER TABLE %s ENABLE ROW LEVEL SECURITY" SEPARATOR
					 "CREATE POLICY \"!govledger\" ON %s FOR SELECT USING (%s)", quoted, quoted, shown(history));
	append_policies(&commands, table, relation, history);
	return commands.data;
}

void
gl_policy_drop(const GlHistoryTable *history)
{
	char	   *query = psprintf("SELECT pg_catalog.quote_ident(polname) FROM pg_catalog.pg_policy WHERE polrelid = %u",
								 history->history);
	char	   *quoted = gl_history_quoted(history->history);
	MemoryContext caller = CurrentMemoryContext;
	StringInfoData commands;
	uint64		i;

	initStringInfo(&commands);
	if (has_row_security(history->history))
		appendStringInfo(&commands, "ALTER TABLE %s DISABLE ROW LEVEL SECURITY;", quoted);
	if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(query, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the policies of a history");
	for (i = 0; i < SPI_processed; i++)
	{
		char	   *name = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		MemoryContext spi = MemoryContextSwitchTo(caller);

		appendStringInfo(&commands, "DROP POLICY %s ON %s;", name, quoted);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	if (commands.len > 0)
		gl_schema_run(commands.data);
}

/* One command; false, with a warning, if it fails: an expression may speak of what a history does not have, say of tableoid. */
static bool
try_command(const GlHistoryTable *history, const char *command)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		gl_schema_run(command);
		ReleaseCurrentSubTransaction();
		done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
			ReThrowError(error);
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("a row security policy cannot be applied to history \"%s\": %s", get_rel_name(history->history),
						error->message),
				 errdetail(HIDDEN_DETAIL)));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return done;
}

void
gl_policy_apply(const GlHistoryTable *history, const char *definition)
{
	char	   *commands = pstrdup(definition);
	char	   *command;
	char	   *rest = NULL;
	bool		all = true;

	for (command = strtok_r(commands, SEPARATOR, &rest); command != NULL; command = strtok_r(NULL, SEPARATOR, &rest))
		all &= try_command(history, command);
	if (strstr(definition, HIDDEN) != NULL)
		ereport(WARNING,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a row security policy cannot be applied to history \"%s\": it speaks of a whole row or of a system column",
						get_rel_name(history->history)),
				 errdetail(HIDDEN_DETAIL)));
	else if (!all)
		gl_schema_run(hide(history));
}
