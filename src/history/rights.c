/*
 * rights.c
 *		Who may do what with a history; see define.h.
 *
 * It belongs to the owner of the log, like the log: a role with members would let each of them read every history, switch row
 * security off, or put an expression into an index that then runs where the history is filled. The owner of the table, who can
 * read every row of it, reads its history and lets others read it.
 */
#include "history/define.h"

#include "access/table.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "core/catalog.h"
#include "history/stream.h"

PG_FUNCTION_INFO_V1(gl_history_unrestricted);

Oid
gl_history_owner(void)
{
	Relation	log = gl_relation_open(GL_REL_ENTRY, AccessShareLock);
	Oid			owner = log->rd_rel->relowner;

	table_close(log, AccessShareLock);
	return owner;
}

/* Run the commands that a query makes, one a row. */
static void
run_each(const char *query)
{
	MemoryContext caller = CurrentMemoryContext;
	StringInfoData commands;
	uint64		i;

	initStringInfo(&commands);
	if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(query, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the rights on a history");
	for (i = 0; i < SPI_processed; i++)
	{
		char	   *command = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		MemoryContext spi = MemoryContextSwitchTo(caller);

		appendStringInfo(&commands, "%s;", command);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	if (commands.len > 0)
		gl_schema_run(commands.data);
}

/* Is the user one whom the row security of the table does not concern, so that of its history should not? */
Datum
gl_history_unrestricted(PG_FUNCTION_ARGS)
{
	Oid			root = gl_history_root(PG_GETARG_OID(0));

	PG_RETURN_BOOL(OidIsValid(root) && check_enable_rls(root, GetUserId(), true) != RLS_ENABLED);
}

void
gl_history_take(const char *quoted)
{
	gl_schema_run(psprintf("ALTER TABLE %s OWNER TO %s", quoted,
						   quote_identifier(GetUserNameFromId(gl_history_owner(), false))));
	/* default privileges may have given rights to anybody */
	run_each(psprintf("SELECT DISTINCT pg_catalog.format('REVOKE ALL ON TABLE %%s FROM %%s', %s,"
					  " CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END)"
					  " FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a"
					  " WHERE c.oid = %s::pg_catalog.regclass AND a.grantee <> c.relowner",
					  quote_literal_cstr(quoted), quote_literal_cstr(quoted)));
}

/* The option to grant is what tells the owner of the table from others: whoever has it and is not him was the owner before. */
void
gl_history_grant_owner(Oid relation, const GlHistoryTable *history)
{
	char	   *quoted = quote_literal_cstr(gl_history_quoted(history->history));

	run_each(psprintf("WITH rights AS (SELECT t.relowner AS owner, h.relowner AS ours, a.grantee"
					  " FROM pg_catalog.pg_class t, pg_catalog.pg_class h LEFT JOIN LATERAL pg_catalog.aclexplode(h.relacl) a"
					  " ON a.is_grantable AND a.privilege_type = 'SELECT' AND a.grantor = h.relowner AND a.grantee <> h.relowner"
					  " WHERE t.oid = %u AND h.oid = %u)"
					  " SELECT pg_catalog.format('REVOKE SELECT ON TABLE %%s FROM %%I CASCADE', %s, pg_catalog.pg_get_userbyid(grantee))"
					  " FROM rights WHERE grantee <> owner"
					  " UNION ALL"
					  " SELECT pg_catalog.format('GRANT SELECT ON TABLE %%s TO %%I WITH GRANT OPTION', %s, pg_catalog.pg_get_userbyid(owner))"
					  " FROM rights GROUP BY owner, ours HAVING owner <> ours AND pg_catalog.bool_and(grantee IS DISTINCT FROM owner)",
					  relation, history->history, quoted, quoted));
}

void
gl_history_follow_owners(void)
{
	List	   *all = gl_history_load_all(NULL);
	int			guc_level = NewGUCNestLevel();
	ListCell   *cell;

	/* the user's command runs under his own */
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	foreach(cell, all)
	{
		const GlHistoryTable *history = lfirst(cell);
		Oid			root = gl_history_root(history->history);

		if (OidIsValid(root) && get_rel_name(history->history) != NULL)
			gl_history_grant_owner(root, history);
	}
	AtEOXact_GUC(false, guc_level);
}

static bool
is_listed(const List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

/* All places of the columns that can be read in the table, and where a version stands. Not who and why: a reason may be about a person. */
static List *
public_places(const GlLedgerTable *table, const GlHistoryTable *history)
{
	static const GlHistoryField fields[] = {
		GL_HISTORY_OPERATION, GL_HISTORY_ENTRY, GL_HISTORY_RECORD, GL_HISTORY_COMMAND, GL_HISTORY_RELATION, GL_HISTORY_TIME
	};
	List	   *names = NIL;
	ListCell   *cell;
	ListCell   *place_cell;
	int			i;

	if (table->visibility != GL_VISIBILITY_PUBLIC || table->unprotected)
		return NIL;
	foreach(cell, table->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (column->dropped || column->personal)
			continue;
		foreach(place_cell, history->columns)
		{
			const GlHistoryColumn *place = lfirst(place_cell);

			if (place->column_id == column->column_id && !is_listed(names, place->name) &&
				get_attnum(history->history, place->name) != InvalidAttrNumber)
				names = lappend(names, place->name);
		}
	}
	for (i = 0; i < (int) lengthof(fields); i++)
		names = lappend(names, unconstify(char *, gl_history_field_names[fields[i]]));
	return names;
}

void
gl_history_publish(const GlLedgerTable *table)
{
	GlHistoryTable *history = gl_history_load(table->table_id, NULL);

	if (history != NULL && get_rel_name(history->history) != NULL)
		(void) gl_public_grant(history->history, public_places(table, history));
}
