/*
 * value.c
 *		Values of a row for comparing and showing: here, and only here, text goes back through the types.
 */
#include "verify/tables.h"

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/resowner.h"

typedef struct GlColumnType
{
	uint64		column_id;
	const char *name;
	Oid			type;			/* InvalidOid: the table has no such column */
	int32		typmod;
	Oid			input;
	Oid			parameter;
	Oid			output;
	GlBytes		logged_type;	/* by the newest schema record; no bytes before the first */
	uint64		retyped;		/* order of the entry that gave it that type, 0 if it always had it */
} GlColumnType;

struct GlColumnTypes
{
	int			count;
	GlColumnType *columns;
	Oid			owner;
	MemoryContext memory;
	MemoryContext scratch;
};

static void
fill_type(GlColumnType *column, TupleDesc descriptor)
{
	int			i;

	for (i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		bool		is_varlena;

		if (attribute->attisdropped || strcmp(NameStr(attribute->attname), column->name) != 0)
			continue;
		column->type = attribute->atttypid;
		column->typmod = attribute->atttypmod;
		getTypeInputInfo(column->type, &column->input, &column->parameter);
		getTypeOutputInfo(column->type, &column->output, &is_varlena);
	}
}

GlColumnTypes *
gl_column_types_open(const GlTable *table, TupleDesc descriptor, Oid owner)
{
	GlColumnTypes *types = palloc0(sizeof(GlColumnTypes));
	ListCell   *cell;

	types->columns = palloc0(sizeof(GlColumnType) * (list_length(table->ledger->columns) + 1));
	types->owner = owner;
	types->memory = CurrentMemoryContext;
	types->scratch = AllocSetContextCreate(CurrentMemoryContext, "govledger values", ALLOCSET_DEFAULT_SIZES);
	foreach(cell, table->ledger->columns)
	{
		const GlLedgerColumn *known = lfirst(cell);
		GlColumnType *column = &types->columns[types->count++];

		column->column_id = (uint64) known->column_id;
		column->name = known->name;
		if (!known->dropped)
			fill_type(column, descriptor);
	}
	return types;
}

static GlColumnType *
find_type(const GlColumnTypes *types, uint64 column_id)
{
	int			i;

	for (i = 0; i < types->count; i++)
		if (types->columns[i].column_id == column_id)
			return &types->columns[i];
	return NULL;
}

void
gl_column_types_schema(GlColumnTypes *types, uint64 order, GlBytes body)
{
	MemoryContext old = MemoryContextSwitchTo(types->memory);
	GlReader	reader;
	GlSchemaHead head;
	GlSchemaColumn logged;
	uint64		left;

	gl_reader_init(&reader, body.data, body.length);
	left = gl_schema_read_head(&reader, &head) ? gl_read_varint(&reader) : 0;
	for (; left > 0 && gl_schema_read_column(&reader, &logged); left--)
	{
		GlColumnType *column = find_type(types, logged.column_id);

		if (column == NULL || gl_bytes_equal(column->logged_type, logged.type))
			continue;
		if (column->logged_type.length > 0)
			column->retyped = order;
		column->logged_type = gl_bytes_copy(logged.type);
	}
	MemoryContextSwitchTo(old);
}

/* What the type prints today for what it printed then. */
static char *
print_again(const GlColumnType *column, GlBytes text)
{
	char	   *string = gl_server_text(text);

	if (string == NULL)
		return NULL;
	return OidOutputFunctionCall(column->output,
								 OidInputFunctionCall(column->input, string, column->parameter, column->typmod));
}

static bool
same_printed(const GlColumnType *column, GlBytes a, GlBytes b)
{
	char	   *x = print_again(column, a);
	char	   *y = print_again(column, b);

	return x != NULL && y != NULL && strcmp(x, y) == 0;
}

/*
 * Whoever wants to stop the verification must be able to. But a domain's check can raise any SQLSTATE, and its owner would
 * like to see this one end the verification before his row is named.
 */
static bool
is_cancel(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED && error->funcname != NULL &&
		strcmp(error->funcname, "ProcessInterrupts") == 0;
}

/* A tampered text may be no value of the type at all: then the two differ, and the error ends here. */
bool
gl_value_same(GlColumnTypes *types, uint64 column_id, uint64 order, GlBytes a, GlBytes b)
{
	const GlColumnType *column = find_type(types, column_id);
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	GlOwnerScope scope;
	volatile bool same = false;

	if (gl_bytes_equal(a, b))
		return true;
	/* not printed by the type of now, and the command that gave it that type recorded every text it changed */
	if (column != NULL && order < column->retyped)
		return false;
	if (column == NULL || !OidIsValid(column->type) || getBaseType(column->type) == BYTEAOID)
		return false;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(types->scratch);
	PG_TRY();
	{
		gl_owner_enter(&scope, types->owner);
		same = same_printed(column, a, b);
		gl_owner_leave(&scope);
		/* a domain's check may have written: what only reads must leave nothing behind */
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(types->scratch);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (is_cancel(error))
		{
			MemoryContextSwitchTo(caller);
			CurrentResourceOwner = owner;
			ReThrowError(error);
		}
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	MemoryContextReset(types->scratch);
	return same;
}

char *
gl_value_shown(const GlColumnTypes *types, uint64 column_id, GlBytes value)
{
	const GlColumnType *column = find_type(types, column_id);

	return gl_shown(value, column != NULL && OidIsValid(column->type) && getBaseType(column->type) == BYTEAOID);
}

/* Numbers are shown as JSON numbers, where JSON can. */
static bool
is_json_number(const GlColumnType *column, const char *text)
{
	if (column == NULL || strspn(text, "-0123456789.") != strlen(text))
		return false;
	switch (getBaseType(column->type))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
			return true;
		default:
			return false;
	}
}

static void
push_value(JsonbParseState **state, const GlColumnType *column, char *text)
{
	JsonbValue	value;

	if (is_json_number(column, text))
	{
		value.type = jbvNumeric;
		value.val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
																 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	}
	else
	{
		value.type = jbvString;
		value.val.string.val = text;
		value.val.string.len = (int) strlen(text);
	}
	(void) pushJsonbValue(state, WJB_VALUE, &value);
}

Jsonb *
gl_value_key(const GlColumnTypes *types, const GlTable *table, GlBytes row)
{
	JsonbParseState *state = NULL;
	int			ordinal;
	bool		any = true;
	ListCell   *cell;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (ordinal = 1; any; ordinal++)
	{
		any = false;
		foreach(cell, table->ledger->columns)
		{
			const GlLedgerColumn *column = lfirst(cell);
			JsonbValue	name = {.type = jbvString};
			GlCursor	field;

			if (column->key_ordinal != ordinal)
				continue;
			any = true;
			if (!gl_access_column(table->access, column))
				continue;
			name.val.string.val = column->name;
			name.val.string.len = (int) strlen(column->name);
			(void) pushJsonbValue(&state, WJB_KEY, &name);
			if (gl_row_value(row, (uint64) column->column_id, &field))
				push_value(&state, find_type(types, (uint64) column->column_id),
						   gl_value_shown(types, (uint64) column->column_id, field.value));
			else
				(void) pushJsonbValue(&state, WJB_VALUE, &(JsonbValue) {.type = jbvNull});
		}
	}
	if (ordinal == 2)
		return NULL;			/* no key */
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}
