/*
 * columns.c
 *		Columns of a history, and which values go where; see define.h.
 *
 * A column whose type changes so that its text stays the same (longer, wider) keeps its place. Any other change of type gives the column
 * a new place; the old one is renamed and stays, with the values that were recorded with the old type.
 */
#include "history/define.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "core/catalog.h"
#include "history/decode.h"
#include "history/stream.h"

/* What a history keeps for one attribute of the table. */
typedef struct GlPlaceType
{
	Oid			type;
	int32		typmod;
	Oid			collation;
} GlPlaceType;

static void
place_type(Form_pg_attribute attribute, GlPlaceType *place)
{
	gl_history_type(attribute->atttypid, attribute->atttypmod, &place->type, &place->typmod);
	/* a key compares as in the table */
	place->collation = OidIsValid(get_typcollation(place->type)) ? attribute->attcollation : InvalidOid;
}

static char *
type_text(const GlPlaceType *place)
{
	char	   *text = format_type_extended(place->type, place->typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);

	if (!OidIsValid(place->collation) || place->collation == DEFAULT_COLLATION_OID)
		return text;
	return psprintf("%s COLLATE %s", text, generate_collation_name(place->collation));
}

/* --- names --- */

static bool
is_reserved(const char *name)
{
	int			i;

	for (i = 0; i < GL_HISTORY_FIELDS; i++)
		if (strcmp(name, gl_history_field_names[i]) == 0)
			return true;
	return false;
}

static bool
is_mapped(const GlHistoryTable *history, const char *name)
{
	ListCell   *cell;

	foreach(cell, history->columns)
		if (strcmp(((const GlHistoryColumn *) lfirst(cell))->name, name) == 0)
			return true;
	return false;
}

/* The name itself, or with the first number behind it that makes it free. */
static char *
free_name(const GlHistoryTable *history, const char *name, bool numbered)
{
	char	   *candidate = pstrdup(name);
	int			number = 0;

	while (numbered || is_reserved(candidate) || is_mapped(history, candidate) ||
		   (OidIsValid(history->history) && get_attnum(history->history, candidate) != InvalidAttrNumber))
	{
		char	   *suffix = psprintf("_%d", ++number);
		int			room = NAMEDATALEN - 1 - (int) strlen(suffix);

		candidate = psprintf("%.*s%s", pg_mbcliplen(name, (int) strlen(name), room), name, suffix);
		numbered = false;
	}
	return candidate;
}

static void
rename_place(GlHistoryTable *history, const char *from, const char *to)
{
	ListCell   *cell;
	char	   *old = pstrdup(from);

	gl_schema_run(psprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", gl_history_quoted(history->history),
						   quote_identifier(old), quote_identifier(to)));
	foreach(cell, history->columns)
	{
		GlHistoryColumn *column = lfirst(cell);

		if (strcmp(column->name, old) != 0)
			continue;
		column->name = pstrdup(to);
		gl_history_column_put(history->table_id, column);
	}
	CommandCounterIncrement();
}

/* Take the name for a column of the table; who has it now gets another. A name of the ledger's own columns is not to be had. */
static char *
claim_name(GlHistoryTable *history, const char *wanted)
{
	if (is_reserved(wanted))
		return free_name(history, wanted, true);
	if (get_attnum(history->history, wanted) != InvalidAttrNumber)
		rename_place(history, wanted, free_name(history, wanted, true));
	return pstrdup(wanted);
}

/* --- mappings --- */

static GlHistoryColumn *
find_current(const GlHistoryTable *history, int column_id)
{
	ListCell   *cell;

	foreach(cell, history->columns)
	{
		GlHistoryColumn *column = lfirst(cell);

		if (column->column_id == column_id && column->current)
			return column;
	}
	return NULL;
}

const char *
gl_history_place(const GlHistoryTable *history, int column_id)
{
	GlHistoryColumn *place = find_current(history, column_id);

	if (place == NULL)
		elog(ERROR, "column %d of ledger table %d has no place in its history", column_id, history->table_id);
	return place->name;
}

static GlHistoryColumn *
add_mapping(GlHistoryTable *history, int column_id, const char *type_name, const char *name, bool current)
{
	GlHistoryColumn *column = palloc0(sizeof(GlHistoryColumn));

	column->mapping_id = history->columns == NIL ? 1 : ((GlHistoryColumn *) llast(history->columns))->mapping_id + 1;
	column->column_id = column_id;
	column->type_name = pstrdup(type_name);
	column->name = pstrdup(name);
	column->current = current;
	history->columns = lappend(history->columns, column);
	return column;
}

static void
set_current(GlHistoryTable *history, int column_id, GlHistoryColumn *now)
{
	ListCell   *cell;

	foreach(cell, history->columns)
	{
		GlHistoryColumn *column = lfirst(cell);

		if (column->column_id != column_id || column->current == (column == now))
			continue;
		column->current = column == now;
		gl_history_column_put(history->table_id, column);
	}
}

/* --- types --- */

/* Place in a row of types of which each can hold the text of those before it; 0 if in none. */
static int
width_of(Oid type)
{
	switch (type)
	{
		case INT2OID:
			return 1;
		case INT4OID:
			return 2;
		case INT8OID:
			return 3;
		case NUMERICOID:
			return 4;
		default:
			return 0;
	}
}

/* Can the place go on as it is, or (`widen`) with another type and the same texts? */
static bool
can_stay(Form_pg_attribute place, const GlPlaceType *wanted, GlPlaceType *widen)
{
	bool		texts = (place->atttypid == TEXTOID || place->atttypid == VARCHAROID) &&
		(wanted->type == TEXTOID || wanted->type == VARCHAROID);

	widen->type = place->atttypid;
	widen->typmod = place->atttypmod;
	widen->collation = place->attcollation;
	if (place->attcollation != wanted->collation && OidIsValid(wanted->collation))
		return false;
	if (width_of(place->atttypid) > 0 && width_of(wanted->type) > 0)
	{
		if (width_of(wanted->type) > width_of(place->atttypid))
			widen->type = wanted->type;
		return true;
	}
	if (texts)
	{
		if (place->atttypid != wanted->type)
			widen->type = TEXTOID;
		if (widen->type != VARCHAROID || wanted->typmod == -1)
			widen->typmod = -1;
		else if (place->atttypmod != -1)
			widen->typmod = Max(place->atttypmod, wanted->typmod);
		return true;
	}
	return place->atttypid == wanted->type;
}

static Form_pg_attribute
history_attribute(Relation heap, const char *name)
{
	AttrNumber	number = get_attnum(RelationGetRelid(heap), name);

	if (number == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("history \"%s\" has no column \"%s\"", RelationGetRelationName(heap), name),
				 errhint("Somebody altered it. Drop it and run SELECT govledger.rebuild('schema.table').")));
	return TupleDescAttr(RelationGetDescr(heap), number - 1);
}

/* --- one column of the table --- */

static GlHistoryColumn *
new_place(GlHistoryTable *history, const GlLedgerColumn *column, const GlPlaceType *wanted)
{
	char	   *name = claim_name(history, column->name);

	gl_schema_run(psprintf("ALTER TABLE %s ADD COLUMN %s %s", gl_history_quoted(history->history), quote_identifier(name),
						   type_text(wanted)));
	CommandCounterIncrement();
	return add_mapping(history, column->column_id, column->type_name, name, false);
}

/* The place of the values from now on, for a type that the column has not had before. */
static GlHistoryColumn *
place_for(GlHistoryTable *history, const GlLedgerColumn *column, const GlPlaceType *wanted)
{
	GlHistoryColumn *before = find_current(history, column->column_id);
	Relation	heap;
	GlPlaceType widen;
	Form_pg_attribute attribute;
	bool		stays;
	bool		changes;

	if (before == NULL)
		return new_place(history, column, wanted);
	heap = table_open(history->history, AccessShareLock);
	attribute = history_attribute(heap, before->name);
	stays = can_stay(attribute, wanted, &widen);
	changes = widen.type != attribute->atttypid || widen.typmod != attribute->atttypmod;
	table_close(heap, NoLock);
	if (!stays)
		return new_place(history, column, wanted);
	if (changes)
		gl_history_run(history->history,
					   psprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s", gl_history_quoted(history->history),
								quote_identifier(before->name), type_text(&widen)));
	CommandCounterIncrement();
	return add_mapping(history, column->column_id, column->type_name, before->name, false);
}

/* Has the place the name of the column, or one that comes from it because that is the ledger's own? */
static bool
is_named(const GlHistoryColumn *place, const char *name)
{
	size_t		length = strlen(name);

	if (!is_reserved(name))
		return strcmp(place->name, name) == 0;
	return strncmp(place->name, name, Min(length, NAMEDATALEN - 5)) == 0;
}

static bool
align_column(const GlLedgerColumn *column, GlHistoryTable *history, Form_pg_attribute attribute, bool look)
{
	GlHistoryColumn *place = unconstify(GlHistoryColumn *,
										gl_history_column_find(history, column->column_id, column->type_name));
	GlPlaceType wanted;

	if (place != NULL && place->current && is_named(place, column->name))
		return false;
	if (look)
		return true;
	place_type(attribute, &wanted);
	if (place == NULL)
		place = place_for(history, column, &wanted);
	set_current(history, column->column_id, place);
	if (!is_named(place, column->name))
		rename_place(history, place->name, claim_name(history, column->name));
	/* a new mapping is stored by set_current */
	return true;
}

static Form_pg_attribute
table_attribute(Relation heap, const char *name)
{
	TupleDesc	descriptor = RelationGetDescr(heap);
	int			i;

	for (i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), name) == 0)
			return attribute;
	}
	return NULL;
}

bool
gl_history_align_columns(const GlLedgerTable *table, Oid relation, GlHistoryTable *history, bool look)
{
	Relation	heap = table_open(relation, NoLock);
	bool		changed = false;
	ListCell   *cell;

	foreach(cell, table->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);
		Form_pg_attribute attribute = column->dropped ? NULL : table_attribute(heap, column->name);

		if (attribute != NULL)
			changed |= align_column(column, history, attribute, look);
		else if (!look && column->dropped)
			set_current(history, column->column_id, NULL);
	}
	table_close(heap, NoLock);
	return changed;
}

char *
gl_history_column_list(const GlLedgerTable *table, Oid relation, GlHistoryTable *history)
{
	Relation	heap = table_open(relation, NoLock);
	StringInfoData list;
	ListCell   *cell;
	int			i;

	initStringInfo(&list);
	foreach(cell, table->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);
		Form_pg_attribute attribute = column->dropped ? NULL : table_attribute(heap, column->name);
		GlPlaceType wanted;
		char	   *name;

		if (attribute == NULL)
			continue;
		place_type(attribute, &wanted);
		name = free_name(history, column->name, false);
		appendStringInfo(&list, "%s %s, ", quote_identifier(name), type_text(&wanted));
		(void) add_mapping(history, column->column_id, column->type_name, name, true);
	}
	for (i = 0; i < GL_HISTORY_FIELDS; i++)
		appendStringInfo(&list, "%s%s %s", i > 0 ? ", " : "", gl_history_field_names[i],
						 format_type_be_qualified(gl_history_field_types[i]));
	table_close(heap, NoLock);
	return list.data;
}

/* --- types of long ago --- */

/* A type by the name that the log has; text if there is no such type any more. */
static void
past_type(const char *type_name, GlPlaceType *place)
{
	LOCAL_FCINFO(call, 1);
	Datum		type;

	InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
	call->args[0].value = CStringGetTextDatum(type_name);
	call->args[0].isnull = false;
	type = to_regtype(call);
	place->type = TEXTOID;
	place->typmod = -1;
	if (!call->isnull)
		gl_history_type(DatumGetObjectId(type), -1, &place->type, &place->typmod);
	place->collation = get_typcollation(place->type);
}

void
gl_history_add_past(GlHistoryTable *history, int column_id, const char *column_name, const char *type_name)
{
	GlHistoryColumn *column = find_current(history, column_id);
	GlPlaceType place;
	GlPlaceType widen;

	past_type(type_name, &place);
	if (column != NULL)
	{
		Relation	heap = table_open(history->history, AccessShareLock);
		Form_pg_attribute attribute = history_attribute(heap, column->name);

		place.collation = attribute->attcollation;
		if (!can_stay(attribute, &place, &widen) || widen.type != attribute->atttypid)
			column = NULL;
		table_close(heap, NoLock);
	}
	place.collation = get_typcollation(place.type);
	if (column != NULL)
		column = add_mapping(history, column_id, type_name, column->name, false);
	else
	{
		char	   *name = free_name(history, column_name, true);

		gl_schema_run(psprintf("ALTER TABLE %s ADD COLUMN %s %s", gl_history_quoted(history->history),
							   quote_identifier(name), type_text(&place)));
		CommandCounterIncrement();
		column = add_mapping(history, column_id, type_name, name, false);
	}
	gl_history_column_put(history->table_id, column);
}
