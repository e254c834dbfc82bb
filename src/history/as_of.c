/*
 * as_of.c
 *		govledger.as_of(): the overloads that are made for each ledger table, see define.h, and what is found where there are none.
 *
 * An overload is a plain SQL function, which the planner takes into the query: so a condition on the key reaches the index, and
 * everything is done with the rights of whoever asks.
 */
#include "history/define.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/catalog.h"

PG_FUNCTION_INFO_V1(gl_as_of_time);
PG_FUNCTION_INFO_V1(gl_as_of_size);

/* The order of versions, the newest first; an update that changes the key ends the old one first. */
#define NEWEST_FIRST "ledger_entry DESC, h.ledger_command DESC, h.ledger_record DESC, h.ledger_operation = 'delete'"

/* --- where there is none --- */

static void GL_NORETURN
raise_no_history(FunctionCallInfo fcinfo)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);

	if (!type_is_rowtype(type))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("the first argument of govledger.as_of() must be of the row type of a ledger table"),
				 errhint("For example: SELECT * FROM govledger.as_of(NULL::schema.table, now()).")));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("there is no history of %s", format_type_be(type)),
			 errhint("A table gets one with govledger.protect(table, history => true); one that was protected before histories were made, "
					 "with govledger.rebuild(table).")));
}

Datum
gl_as_of_time(PG_FUNCTION_ARGS)
{
	raise_no_history(fcinfo);
}

Datum
gl_as_of_size(PG_FUNCTION_ARGS)
{
	raise_no_history(fcinfo);
}

/* --- columns --- */

/* One place of a column, as the type that the column has now. Without a length: a value that is too long must be an error, not cut. */
static char *
place_expression(Oid history, const char *place, const char *alias, Form_pg_attribute attribute)
{
	Oid			kept = get_atttype(history, get_attnum(history, place));
	char	   *name = psprintf("%s.%s", alias, quote_identifier(place));
	char	   *type = format_type_extended(attribute->atttypid, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
	bool		is_domain = get_typtype(attribute->atttypid) == TYPTYPE_DOMAIN;

	if (kept == attribute->atttypid)
		return name;
	/* code of users: see value.c */
	if (attribute->atttypid >= FirstNormalObjectId)
		return psprintf("govledger.history_%s(%s%s, %s::pg_catalog.regclass, NULL::%s%s)",
						is_domain ? "domain_value" : "value", name,
						kept == TEXTOID || kept == getBaseType(attribute->atttypid) ? "" : "::pg_catalog.text",
						quote_literal_cstr(gl_history_quoted(history)), type, is_domain ? "[]" : "");
	if (kept == TEXTOID || kept == getBaseType(attribute->atttypid))
		return psprintf("%s::%s", name, type);
	return psprintf("%s::pg_catalog.text::%s", name, type);
}

/* The places of a column, each once, that of its present type first. */
static List *
places_of(const GlHistoryTable *history, int column_id)
{
	List	   *places = NIL;
	ListCell   *cell;
	int			now;

	for (now = 1; now >= 0; now--)
		foreach(cell, history->columns)
		{
			const GlHistoryColumn *place = lfirst(cell);
			ListCell   *known;
			bool		seen = false;

			if (place->column_id != column_id || place->current != (now == 1) ||
				get_attnum(history->history, place->name) == InvalidAttrNumber)
				continue;
			foreach(known, places)
				seen |= strcmp(lfirst(known), place->name) == 0;
			if (!seen)
				places = lappend(places, place->name);
		}
	return places;
}

/* At most one of the places of a column has a value in a row: that of the type it was recorded with. */
static char *
column_expression(const GlHistoryTable *history, const GlLedgerColumn *column, const char *alias,
				  Form_pg_attribute attribute)
{
	List	   *places = places_of(history, column->column_id);
	StringInfoData expression;
	ListCell   *cell;

	if (list_length(places) == 1)
		return place_expression(history->history, linitial(places), alias, attribute);
	initStringInfo(&expression);
	foreach(cell, places)
		appendStringInfo(&expression, "%s%s", expression.len > 0 ? ", " : "COALESCE(",
						 place_expression(history->history, lfirst(cell), alias, attribute));
	appendStringInfoChar(&expression, ')');
	return places == NIL ? psprintf("NULL::%s", format_type_extended(attribute->atttypid, -1, FORMAT_TYPE_TYPEMOD_GIVEN |
																	  FORMAT_TYPE_FORCE_QUALIFY)) : expression.data;
}

/* The value as text, in whatever place: a value of a former type may be none of the present one. */
static char *
column_text(const GlHistoryTable *history, int column_id, const char *alias)
{
	List	   *places = places_of(history, column_id);
	StringInfoData expression;
	ListCell   *cell;

	if (places == NIL)
		return pstrdup("NULL::pg_catalog.text");
	initStringInfo(&expression);
	foreach(cell, places)
		appendStringInfo(&expression, "%s%s.%s::pg_catalog.text", expression.len > 0 ? ", " : "COALESCE(", alias,
						 quote_identifier(lfirst(cell)));
	appendStringInfoChar(&expression, ')');
	return expression.data;
}

char *
gl_as_of_targets(const GlLedgerTable *table, Oid relation, const GlHistoryTable *history, const char *alias)
{
	Relation	heap = table_open(relation, NoLock);
	TupleDesc	descriptor = RelationGetDescr(heap);
	StringInfoData targets;
	int			i;

	initStringInfo(&targets);
	for (i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		const GlLedgerColumn *column;

		if (attribute->attisdropped)
			continue;
		column = gl_ledger_column_find(table, NameStr(attribute->attname));
		appendStringInfoString(&targets, targets.len > 0 ? ", " : "");
		/* not stored, so not in the log: a virtual generated column */
		if (column == NULL)
			appendStringInfo(&targets, "NULL::%s", format_type_extended(attribute->atttypid, -1, FORMAT_TYPE_TYPEMOD_GIVEN |
																		FORMAT_TYPE_FORCE_QUALIFY));
		else
			appendStringInfoString(&targets, column_expression(history, column, alias, attribute));
		appendStringInfo(&targets, " AS %s", quote_identifier(NameStr(attribute->attname)));
	}
	table_close(heap, NoLock);
	return targets.data;
}

static bool
is_dropped(const GlLedgerTable *table, int column_id)
{
	ListCell   *cell;

	foreach(cell, table->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (column->column_id == column_id)
			return column->dropped;
	}
	return true;
}

/* The places of all columns that the table has, each once: no right on what was dropped is asked of who reads the others. */
static char *
all_places(const GlLedgerTable *table, const GlHistoryTable *history)
{
	StringInfoData list;
	List	   *seen = NIL;
	ListCell   *cell;

	initStringInfo(&list);
	foreach(cell, history->columns)
	{
		const GlHistoryColumn *place = lfirst(cell);
		ListCell   *known;
		bool		known_already = is_dropped(table, place->column_id) ||
			get_attnum(history->history, place->name) == InvalidAttrNumber;

		foreach(known, seen)
			known_already |= strcmp(lfirst(known), place->name) == 0;
		if (known_already)
			continue;
		seen = lappend(seen, place->name);
		appendStringInfo(&list, "h.%s, ", quote_identifier(place->name));
	}
	return list.data;
}

/* Expressions of the key in the history, in the order of the key; "" if the table has none. `erasable`: one of them is personal. */
static char *
key_list(const GlLedgerTable *table, Oid relation, const GlHistoryTable *history, char **not_erased)
{
	Relation	heap = table_open(relation, NoLock);
	TupleDesc	descriptor = RelationGetDescr(heap);
	StringInfoData keys;
	StringInfoData present;
	int			ordinal;
	bool		found = true;

	initStringInfo(&keys);
	initStringInfo(&present);
	for (ordinal = 1; found; ordinal++)
	{
		int			i;

		found = false;
		for (i = 0; i < descriptor->natts; i++)
		{
			Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
			const GlLedgerColumn *column = attribute->attisdropped ? NULL : gl_ledger_column_find(table, NameStr(attribute->attname));
			char	   *expression;

			if (column == NULL || column->key_ordinal != ordinal)
				continue;
			found = true;
			/* the place alone, where there is one: for that there is an index */
			if (list_length(places_of(history, column->column_id)) > 1)
				expression = column_text(history, column->column_id, "h");
			else
				expression = psprintf("h.%s", quote_identifier(gl_history_place(history, column->column_id)));
			appendStringInfo(&keys, "%s%s", keys.len > 0 ? ", " : "", expression);
			if (column->personal)
				appendStringInfo(&present, " AND %s IS NOT NULL", expression);
		}
	}
	table_close(heap, NoLock);
	*not_erased = present.data;
	return keys.data;
}

/* --- the overloads --- */

static bool
has_key(const GlLedgerTable *table)
{
	ListCell   *cell;

	foreach(cell, table->columns)
		if (((const GlLedgerColumn *) lfirst(cell))->key_ordinal > 0)
			return true;
	return false;
}

/*
 * Rows without a key are never deleted but by DDL that gives them other values; what it took away was there before that command and
 * has the same values. "" where there is a key.
 */
static char *
not_taken_away(const GlLedgerTable *table, const GlHistoryTable *history, const char *limit)
{
	StringInfoData condition;
	ListCell   *cell;

	if (has_key(table))
		return pstrdup("");
	initStringInfo(&condition);
	appendStringInfo(&condition, " AND NOT EXISTS (SELECT FROM %s d WHERE d.ledger_operation = 'delete' AND d.ledger_entry < %s "
					 "AND d.ledger_relation = v.ledger_relation "
					 "AND (d.ledger_entry, d.ledger_command) > (v.ledger_entry, v.ledger_command)",
					 gl_history_quoted(history->history), limit);
	appendStringInfoString(&condition, " AND ROW(");
	foreach(cell, table->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (!column->dropped)
			appendStringInfo(&condition, "%s, ", column_text(history, column->column_id, "d"));
	}
	appendStringInfoString(&condition, "'')::pg_catalog.text = ROW(");
	foreach(cell, table->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (!column->dropped)
			appendStringInfo(&condition, "%s, ", column_text(history, column->column_id, "v"));
	}
	appendStringInfoString(&condition, "'')::pg_catalog.text)");
	return condition.data;
}

/* The newest version of each key, less what is deleted and what was truncated after it. */
static char *
plain_body(const GlLedgerTable *table, Oid relation, const GlHistoryTable *history, const char *limit)
{
	char	   *name = gl_history_quoted(history->history);
	char	   *not_erased;
	char	   *keys = key_list(table, relation, history, &not_erased);
	char	   *distinct = *keys != '\0' ? psprintf("DISTINCT ON (%s) ", keys) : "";
	char	   *order = *keys != '\0' ? psprintf(" ORDER BY %s, h." NEWEST_FIRST, keys) : "";

	return psprintf("SELECT %s FROM (SELECT %s%sh.ledger_operation, h.ledger_entry, h.ledger_command, h.ledger_record, h.ledger_relation "
					"FROM %s h WHERE h.ledger_entry < %s AND h.ledger_operation NOT IN ('truncate', 'removed')%s%s) v "
					"WHERE v.ledger_operation <> 'delete' AND NOT EXISTS (SELECT FROM %s t "
					"WHERE t.ledger_operation IN ('truncate', 'removed') AND t.ledger_entry >= v.ledger_entry AND t.ledger_entry < %s "
					"AND t.ledger_relation = v.ledger_relation AND (t.ledger_entry, t.ledger_command, t.ledger_record) > "
					"(v.ledger_entry, v.ledger_command, v.ledger_record))%s",
					gl_as_of_targets(table, relation, history, "v"), distinct, all_places(table, history), name, limit, not_erased,
					order, name, limit, not_taken_away(table, history, limit));
}

/*
 * With row security: a version that the policies show may have been followed by one that they do not. So each is asked whether it
 * was the last one, by a function that looks at all.
 */
static char *
secured_body(const GlLedgerTable *table, Oid relation, const GlHistoryTable *history, const char *limit)
{
	return psprintf("SELECT %s FROM %s v WHERE v.ledger_entry < %s AND v.ledger_operation NOT IN ('delete', 'truncate', 'removed') "
					"AND govledger.history_is_latest(v.tableoid, v.ctid, %s)%s",
					gl_as_of_targets(table, relation, history, "v"), gl_history_quoted(history->history), limit, limit,
					not_taken_away(table, history, limit));
}

char *
gl_as_of_definition(const GlLedgerTable *table, Oid relation, const GlHistoryTable *history, bool secured)
{
	static const char *const types[] = {"timestamptz", "bigint"};
	char	   *name = gl_history_quoted(relation);
	char	   *limit = psprintf("(SELECT govledger.history_limit(%d, $2))", table->table_id);
	char	   *body = secured ? secured_body(table, relation, history, limit) : plain_body(table, relation, history, limit);
	StringInfoData commands;
	int			i;

	initStringInfo(&commands);
	for (i = 0; i < (int) lengthof(types); i++)
		appendStringInfo(&commands, "CREATE FUNCTION govledger.as_of(%s, %s) RETURNS SETOF %s LANGUAGE sql STABLE PARALLEL SAFE "
						 "ROWS 1000 BEGIN ATOMIC %s; END;", name, types[i], name, body);
	for (i = 0; i < (int) lengthof(types); i++)
		appendStringInfo(&commands, "GRANT EXECUTE ON FUNCTION govledger.as_of(%s, %s) TO PUBLIC;"
						 "COMMENT ON FUNCTION govledger.as_of(%s, %s) IS %s;", name, types[i], name, types[i],
						 quote_literal_cstr(psprintf("the rows of %s as they were, with the caller's rights on its history", name)));
	return commands.data;
}

/*
 * An overload goes with its table and the types in it, without a word: DROP TABLE is refused by capture, with the way to do it, and not by a
 * function that the user knows nothing of. And ALTER DOMAIN ... VALIDATE refuses to work while anything depends on arrays of the
 * domain, so an example that is one depends on the domain instead.
 */
static void
depend_softly(Oid function)
{
	Relation	heap = table_open(DependRelationId, RowExclusiveLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(ProcedureRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(function));
	scan = systable_beginscan(heap, DependDependerIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		HeapTuple	copy;
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		Oid			element;

		if (form->deptype != DEPENDENCY_NORMAL || form->refclassid != TypeRelationId)
			continue;
		copy = heap_copytuple(tuple);
		form = (Form_pg_depend) GETSTRUCT(copy);
		form->deptype = DEPENDENCY_AUTO;
		element = get_element_type(form->refobjid);
		if (OidIsValid(element) && get_typtype(element) == TYPTYPE_DOMAIN)
			form->refobjid = element;
		CatalogTupleUpdate(heap, &copy->t_self, copy);
	}
	systable_endscan(scan);
	table_close(heap, RowExclusiveLock);
}

static Oid
find_overload(Oid row_type, Oid when)
{
	List	   *name = list_make2(makeString(pstrdup(GL_SCHEMA)), makeString(pstrdup("as_of")));
	Oid			types[] = {row_type, when};

	return LookupFuncName(name, 2, types, true);
}

void
gl_as_of_make(const char *definition, Oid row_type)
{
	gl_schema_run(definition);
	CommandCounterIncrement();
	gl_as_of_soften(row_type);
}

void
gl_as_of_soften(Oid row_type)
{
	depend_softly(find_overload(row_type, TIMESTAMPTZOID));
	depend_softly(find_overload(row_type, INT8OID));
}

bool
gl_as_of_exists(Oid row_type)
{
	return OidIsValid(find_overload(row_type, TIMESTAMPTZOID)) && OidIsValid(find_overload(row_type, INT8OID));
}

void
gl_as_of_drop(Oid row_type)
{
	char	   *type = format_type_be_qualified(row_type);

	if (OidIsValid(find_overload(row_type, TIMESTAMPTZOID)))
		gl_schema_run(psprintf("DROP FUNCTION govledger.as_of(%s, timestamptz)", type));
	if (OidIsValid(find_overload(row_type, INT8OID)))
		gl_schema_run(psprintf("DROP FUNCTION govledger.as_of(%s, bigint)", type));
}
