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
#include "nodes/primnodes.h"
#include "nodes/readfuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "core/catalog.h"

#define MARKS "ledger_operation IN ('truncate', 'removed')"
/* in the place of a command: the policy of this name cannot be copied */
#define NOT_COPIED "-- "

static bool
has_row_security(Oid relation)
{
	Relation	heap = table_open(relation, NoLock);
	bool		result = heap->rd_rel->relrowsecurity;

	table_close(heap, NoLock);
	return result;
}

/* Looks for what a row of the history does not have: system columns and the whole row of the table. */
typedef struct GlPolicyLook
{
	int			level;			/* of sub-selects */
	bool		foreign;
} GlPolicyLook;

static bool
look_for_foreign(Node *node, void *arg)
{
	GlPolicyLook *look = arg;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		const Var  *var = (const Var *) node;

		look->foreign |= var->varlevelsup == look->level && var->varno == 1 && var->varattno <= 0;
		return false;
	}
	if (IsA(node, Query))
	{
		look->level++;
		(void) query_tree_walker((Query *) node, look_for_foreign, arg, 0);
		look->level--;
		return false;
	}
	return expression_tree_walker(node, look_for_foreign, arg);
}

static bool
can_be_copied(char *expression)
{
	GlPolicyLook look = {0, false};

	(void) look_for_foreign(stringToNode(expression), &look);
	return !look.foreign;
}

/* What every policy lets through. */
static char *
shown(const GlHistoryTable *history)
{
	return psprintf(MARKS " OR (SELECT govledger.history_unrestricted(%s::pg_catalog.regclass))",
					quote_literal_cstr(gl_history_quoted(history->history)));
}

/* The policies of the table for reading: name, kind, roles, expression. Not read-only: the command in hand may have changed them. */
static List *
copied_policies(const GlLedgerTable *table, Oid relation, const GlHistoryTable *history)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *query = psprintf("SELECT pg_catalog.quote_ident(p.polname), CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,"
								 " COALESCE((SELECT pg_catalog.string_agg(pg_catalog.quote_ident(r.rolname), ', ' ORDER BY r.rolname)"
								 " FROM pg_catalog.pg_roles r WHERE r.oid = ANY (p.polroles)), 'PUBLIC'),"
								 " pg_catalog.pg_get_expr(p.polqual, p.polrelid), p.polqual::pg_catalog.text"
								 " FROM pg_catalog.pg_policy p WHERE p.polrelid = %u AND p.polcmd IN ('r', '*') AND p.polqual IS NOT NULL"
								 " ORDER BY p.polname", relation);
	char	   *quoted = gl_history_quoted(history->history);
	char	   *targets = gl_as_of_targets(table, relation, history, quote_identifier(get_rel_name(history->history)));
	const char *name = quote_identifier(get_rel_name(relation));
	char	   *always = shown(history);
	List	   *commands = NIL;
	uint64		i;

	if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(query, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the policies of a ledger table");
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	descriptor = SPI_tuptable->tupdesc;
		MemoryContext spi = MemoryContextSwitchTo(caller);
		char	   *command;

		if (!can_be_copied(SPI_getvalue(row, descriptor, 5)))
			command = psprintf(NOT_COPIED "%s", SPI_getvalue(row, descriptor, 1));
		else
			command = psprintf("CREATE POLICY %s ON %s AS %s FOR SELECT TO %s USING (%s OR (SELECT (%s) FROM (SELECT %s) AS %s))",
							   SPI_getvalue(row, descriptor, 1), quoted, SPI_getvalue(row, descriptor, 2),
							   SPI_getvalue(row, descriptor, 3), always, SPI_getvalue(row, descriptor, 4), targets, name);
		commands = lappend(commands, command);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return commands;
}

List *
gl_policy_commands(const GlLedgerTable *table, Oid relation, const GlHistoryTable *history)
{
	char	   *quoted = gl_history_quoted(history->history);
	List	   *commands;

	if (!has_row_security(relation))
		return NIL;
	commands = list_make2(psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", quoted),
						  psprintf("CREATE POLICY \"!govledger\" ON %s FOR SELECT USING (%s)", quoted, shown(history)));
	return list_concat(commands, copied_policies(table, relation, history));
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

static void
warn_hidden(const GlHistoryTable *history, int code, const char *reason)
{
	ereport(WARNING,
			(errcode(code),
			 errmsg("a row security policy cannot be applied to history \"%s\": %s", get_rel_name(history->history), reason),
			 errdetail("Nobody whom row security concerns can read the history until the policy is changed.")));
}

/* One command; false, with a warning, if it fails. */
static bool
try_command(const GlHistoryTable *history, const char *command)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	if (strncmp(command, NOT_COPIED, strlen(NOT_COPIED)) == 0)
	{
		warn_hidden(history, ERRCODE_FEATURE_NOT_SUPPORTED,
					psprintf("policy %s uses a system column or the whole row", command + strlen(NOT_COPIED)));
		return false;
	}
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
		warn_hidden(history, error->sqlerrcode, error->message);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return done;
}

void
gl_policy_apply(const GlHistoryTable *history, List *commands)
{
	bool		all = true;
	ListCell   *cell;

	foreach(cell, commands)
		all &= try_command(history, lfirst(cell));
	/* what cannot be copied might have hidden rows */
	if (!all)
		gl_schema_run(psprintf("CREATE POLICY \"!govledger_hidden\" ON %s AS RESTRICTIVE FOR SELECT USING (%s)",
							   gl_history_quoted(history->history), shown(history)));
}
