/*
 * define.c
 *		The relation of a history; see define.h.
 *
 * All DDL here runs as the bootstrap superuser, with names that are qualified and quoted, in the transaction of the user's own DDL.
 */
#include "history/define.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "core/catalog.h"
#include "history/key.h"
#include "history/stream.h"

#define SUFFIX "_history"
#define MARKS "ledger_operation IN ('truncate', 'removed')"

char *
gl_history_quoted(Oid relation)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation));
}

static bool
is_plain(Relation heap)
{
	TupleDesc	descriptor = RelationGetDescr(heap);
	int			i;

	for (i = 0; i < descriptor->natts; i++)
		if (TupleDescAttr(descriptor, i)->atthasdef)
			return false;
	return heap->rd_rel->relkind == RELKIND_RELATION && heap->rd_rel->relchecks == 0 && heap->trigdesc == NULL &&
		heap->rd_rules == NULL;
}

void
gl_history_run(Oid history, const char *command)
{
	Relation	heap = table_open(history, AccessExclusiveLock);
	bool		plain = is_plain(heap);

	/* no relation may be open while it is altered */
	table_close(heap, NoLock);
	if (!plain)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("history \"%s\" has triggers, rules, defaults or constraints", get_rel_name(history)),
				 errdetail("They would be run with the rights of a superuser."),
				 errhint("Drop them, or drop the history and run SELECT govledger.rebuild('schema.table').")));
	gl_schema_run(command);
}

/* --- creation --- */

/* Is this the history of a table that is no longer protected? It stays when that ends. */
static bool
is_ended(Oid history)
{
	int			table_id = OidIsValid(history) ? gl_history_table_of(history) : 0;

	return table_id != 0 && gl_ledger_table_load(table_id)->unprotected;
}

/* The usual name, with a number where that is an ended history's; the relation of somebody else is the caller's matter. */
static char *
free_name(Oid relation, const char *table_name)
{
	Oid			schema = get_rel_namespace(relation);
	char	   *usual = psprintf("%s" SUFFIX, table_name);
	char	   *name = usual;
	int			number;

	for (number = 2; is_ended(get_relname_relid(name, schema)); number++)
		name = psprintf("%s_%d", usual, number);
	if (strlen(name) >= NAMEDATALEN)
		return usual;
	if (name != usual)
		ereport(NOTICE,
				(errmsg("the history of \"%s\" is called \"%s\"", table_name, name),
				 errdetail("\"%s\" is the history of a table that is no longer protected.", usual)));
	return name;
}

static char *
choose_name(Oid relation, const char *given)
{
	char	   *table_name = get_rel_name(relation);
	char	   *name;

	if (given != NULL && *given == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("argument \"history_name\" is empty")));
	if (given == NULL && strlen(table_name) + strlen(SUFFIX) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("the name of the history of \"%s\" would be too long", table_name),
				 errhint("Choose one with history_name => 'name', or do without: history => false.")));
	name = given != NULL ? pstrdup(given) : free_name(relation, table_name);
	if (OidIsValid(get_relname_relid(name, get_rel_namespace(relation))))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("the history of \"%s\" cannot be called \"%s\": there is such a relation", table_name, name),
				 errhint("Choose another name with history_name => 'name', or do without: history => false.")));
	return name;
}

/* When no other history is filled, nothing sealed so far concerns this one: do not go through it. */
static void
skip_past(void)
{
	int64		tree_size;
	List	   *all;
	ListCell   *cell;

	/* whoever has it is at the same, or filling: then there is no hurry */
	if (!gl_history_try_lock())
		return;
	/* first the seal: a history that is committed after it was read is seen below, and one that is not yet begins behind it */
	tree_size = gl_sealed_size(GetLatestSnapshot());
	all = gl_history_load_all(NULL);
	foreach(cell, all)
		if (!((GlHistoryTable *) lfirst(cell))->ended)
			return;
	gl_history_set_projected(tree_size);
}

static bool
has_time_index(Relation heap)
{
	List	   *indexes = RelationGetIndexList(heap);
	ListCell   *cell;
	bool		found = false;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		found |= index->rd_rel->relam == BRIN_AM_OID;
		index_close(index, AccessShareLock);
	}
	return found;
}

void
gl_history_indexes(int table_id, Oid history)
{
	Relation	heap = table_open(history, AccessShareLock);
	char	   *quoted = gl_history_quoted(history);
	GlHistoryKey key;
	StringInfoData commands;
	int			i;

	gl_history_key(heap, table_id, &key);
	initStringInfo(&commands);
	if (key.count > 0 && !OidIsValid(key.index))
	{
		appendStringInfo(&commands, "CREATE INDEX ON %s (", quoted);
		for (i = 0; i < key.count; i++)
			appendStringInfo(&commands, "%s, ", quote_identifier(get_attname(history, key.attributes[i], false)));
		appendStringInfoString(&commands, "ledger_entry DESC);");
	}
	if (!has_time_index(heap))
		appendStringInfo(&commands, "CREATE INDEX ON %s USING brin (ledger_time) WITH (autosummarize = on);", quoted);
	if (!OidIsValid(gl_history_marks_index(heap)))
		appendStringInfo(&commands, "CREATE INDEX ON %s (ledger_entry) WHERE " MARKS ";", quoted);
	table_close(heap, AccessShareLock);
	if (commands.len > 0)
		gl_schema_run(commands.data);
}

GlHistoryTable *
gl_history_create(const GlLedgerTable *table, Oid relation, const char *given)
{
	GlHistoryTable *history = palloc0(sizeof(GlHistoryTable));
	char	   *schema = get_namespace_name(get_rel_namespace(relation));
	char	   *name = choose_name(relation, given);
	char	   *quoted = quote_qualified_identifier(schema, name);
	ListCell   *cell;

	skip_past();
	history->table_id = table->table_id;
	history->projected = GL_HISTORY_NONE;
	history->first_leaf = GL_HISTORY_NONE;
	gl_schema_run(psprintf("CREATE TABLE %s (%s)", quoted, gl_history_column_list(table, relation, history)));
	gl_schema_run(psprintf("COMMENT ON TABLE %s IS %s", quoted,
						   quote_literal_cstr(psprintf("history of ledger table %s, filled from the log by govledger",
													   gl_history_quoted(relation)))));
	gl_history_take(quoted);
	CommandCounterIncrement();
	history->history = get_relname_relid(name, get_rel_namespace(relation));
	gl_history_put(history);
	foreach(cell, history->columns)
		gl_history_column_put(history->table_id, lfirst(cell));
	gl_history_align(table, relation, history);
	if (table->visibility == GL_VISIBILITY_PUBLIC)
		gl_history_publish(table);
	return history;
}

/* --- following --- */

void
gl_history_align(const GlLedgerTable *table, Oid relation, GlHistoryTable *history)
{
	Oid			row_type = get_rel_type_id(relation);
	bool		columns = gl_history_align_columns(table, relation, history, true);
	List	   *policies;
	ListCell   *cell;
	char	   *overloads;
	char	   *definition;

	gl_history_grant_owner(relation, history);
	if (columns)
	{
		/* what depends on a column stands in the way of a change of its type */
		gl_as_of_drop(row_type);
		gl_policy_drop(history);
		(void) gl_history_align_columns(table, relation, history, false);
	}
	policies = gl_policy_commands(table, relation, history);
	overloads = gl_as_of_definition(table, relation, history, policies != NIL);
	definition = overloads;
	foreach(cell, policies)
		definition = psprintf("%s\n%s", definition, (const char *) lfirst(cell));
	if (!columns && history->definition != NULL && strcmp(history->definition, definition) == 0 &&
		gl_as_of_exists(row_type))
	{
		gl_as_of_soften(row_type);
		return;
	}
	gl_history_indexes(table->table_id, history->history);
	gl_as_of_drop(row_type);
	gl_policy_drop(history);
	gl_policy_apply(history, policies);
	gl_as_of_make(overloads, row_type);
	history->definition = definition;
	gl_history_put(history);
}

void
gl_history_follow(const GlSchemaChange *change)
{
	GlHistoryTable *history;

	if (!gl_history_installed())
		return;
	if (change->operation == GL_SCHEMA_PROTECT)
	{
		if (change->table->history)
			(void) gl_history_create(change->table, change->relation, change->history_name);
		else if (change->history_name != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"history_name\" is given, and \"history\" is false")));
		return;
	}
	history = gl_history_load(change->table->table_id, NULL);
	if (history == NULL || !OidIsValid(change->relation) || get_rel_name(history->history) == NULL)
		return;
	if (change->operation == GL_SCHEMA_UNPROTECT)
		gl_as_of_drop(get_rel_type_id(change->relation));
	else
		gl_history_align(change->table, change->relation, history);
}
