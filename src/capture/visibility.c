/*
 * visibility.c
 *		Who may read a table for its visibility: grants to govledger_public, and govledger.set_visibility().
 *
 * A public table is readable column by column: personal ones never, new ones as they come. The grants are PostgreSQL's own, so
 * row security, views and every client respect them. Partitions need none: they are reached through the table.
 */
#include "core/compat.h"

#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "capture/schema.h"
#include "ledger/state.h"
#include "ledger/table.h"

PG_FUNCTION_INFO_V1(gl_set_visibility);

GlVisibilityHook gl_visibility_hook = NULL;

#define GL_PUBLIC_ROLE "govledger_public"

/* A grant on a table nobody can reach would only look like one. The schema may be another's, so it is not ours to open. */
static void
gl_check_reachable(Oid relation, Oid role)
{
	Oid			schema = get_rel_namespace(relation);
	const char *name = quote_identifier(get_namespace_name(schema));

	if (!gl_may_use_schema(schema, role))
		ereport(NOTICE,
				(errmsg("members of " GL_PUBLIC_ROLE " cannot reach \"%s\" yet", get_rel_name(relation)),
				 errdetail("They have no right to use schema \"%s\".", get_namespace_name(schema)),
				 errhint("Run GRANT USAGE ON SCHEMA %s TO " GL_PUBLIC_ROLE ".", name)));
}

/* Said whenever it becomes more: a column that somebody adds to a public table is public too. True if it did. */
static bool
gl_announce_columns(Oid relation, Oid role, List *columns)
{
	StringInfoData list;
	ListCell   *cell;

	initStringInfo(&list);
	foreach(cell, columns)
	{
		AttrNumber	number = get_attnum(relation, lfirst(cell));

		if (pg_class_aclcheck(relation, role, ACL_SELECT) != ACLCHECK_OK &&
			pg_attribute_aclcheck(relation, number, role, ACL_SELECT) != ACLCHECK_OK)
			appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", quote_identifier(lfirst(cell)));
	}
	if (list.len > 0)
		ereport(NOTICE,
				(errmsg("members of " GL_PUBLIC_ROLE " can read columns of \"%s\": %s", get_rel_name(relation), list.data)));
	return list.len > 0;
}

bool
gl_public_grant(Oid relation, List *columns)
{
	char	   *name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation));
	Oid			role = get_role_oid(GL_PUBLIC_ROLE, true);
	StringInfoData list;
	bool		more;
	ListCell   *cell;

	if (!OidIsValid(role) && columns != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"" GL_PUBLIC_ROLE "\" does not exist"),
				 errhint("It came with the extension; run CREATE ROLE " GL_PUBLIC_ROLE " NOLOGIN to have it again.")));
	if (!OidIsValid(role))
		return false;
	more = gl_announce_columns(relation, role, columns);
	/* what was granted on other columns, or on all of them at once, goes too */
	gl_schema_run(psprintf("REVOKE SELECT ON TABLE %s FROM " GL_PUBLIC_ROLE " CASCADE", name));
	if (columns == NIL)
		return false;
	initStringInfo(&list);
	foreach(cell, columns)
		appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", quote_identifier(lfirst(cell)));
	gl_schema_run(psprintf("GRANT SELECT (%s) ON TABLE %s TO " GL_PUBLIC_ROLE, list.data, name));
	return more;
}

List *
gl_public_columns(const GlLedgerTable *table)
{
	List	   *names = NIL;
	ListCell   *cell;

	if (table->visibility != GL_VISIBILITY_PUBLIC || table->unprotected)
		return NIL;
	foreach(cell, table->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (!column->dropped && !column->personal)
			names = lappend(names, column->name);
	}
	return names;
}

void
gl_visibility_apply(const GlLedgerTable *table)
{
	Oid			root = ((const GlLedgerRelation *) linitial(table->relations))->relation;

	if (OidIsValid(root) && gl_public_grant(root, gl_public_columns(table)))
		gl_check_reachable(root, get_role_oid(GL_PUBLIC_ROLE, false));
	if (gl_visibility_hook != NULL)
		gl_visibility_hook(table);
}

GlVisibility
gl_visibility_parse(const char *name)
{
	int			visibility = gl_visibility_from_name(name);

	if (visibility < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown visibility \"%s\"", name),
				 errhint("Visibility is \"private\", \"peers\" or \"public\".")));
	return (GlVisibility) visibility;
}

Datum
gl_set_visibility(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	GlVisibility visibility = gl_visibility_parse(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	char	   *reason = text_to_cstring(PG_GETARG_TEXT_PP(2));
	GlLedgerTable *table;

	gl_require_reason(reason, "set_visibility");
	table = gl_ledger_table_owned(relid);
	/* keeps other DDL out and lets reads and writes go on */
	LockRelationOid(relid, ShareUpdateExclusiveLock);
	gl_schema_lock(table->table_id);
	table = gl_ledger_table_owned(relid);
	gl_ledger_require_ours(gl_ledger_state());
	if (table->visibility != visibility)
	{
		table->visibility = visibility;
		gl_ledger_table_put(table);
		gl_schema_record(table, GL_SCHEMA_ALTER, 0, reason);
	}
	/* also when nothing changed: it puts right what was granted or revoked by hand */
	gl_visibility_apply(table);
	PG_RETURN_VOID();
}
