/*
 * history.c
 *		Histories against the log: is each what would be filled from the log again, up to where it is filled?
 *
 * Both sides are printed as rows of the history's columns, the ledger's own too (but for the command, which is corrected where triggers
 * turn the order around), and compared by multiset sums; only a difference sorts them by entry and record, to name rows. With `since`
 * histories are not looked at: the schema at its start is not known.
 */
#include "verify/tables.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/tuplesort.h"

#include "capture/encode.h"
#include "core/catalog.h"
#include "history/decode.h"
#include "history/define.h"
#include "history/key.h"
#include "history/stream.h"

enum
{
	COLUMN_ENTRY,
	COLUMN_RECORD,
	COLUMN_PART,				/* 0: an old key that ends; 1: anything else */
	COLUMN_SIDE,
	COLUMN_ROW,
	COLUMNS_COUNT
};

#define SIDE_LOG 0
#define SIDE_HISTORY 1

typedef struct GlHistoryCheck
{
	GlVerify   *verify;
	GlTable    *table;
	GlHistoryTable *history;
	const char *name;			/* of the history, quoted */
	int64		limit;			/* the log is read up to here: what is filled, so nothing of the history is beyond */
	Relation	heap;
	AttrNumber	fields[GL_HISTORY_FIELDS];
	GlValueWriter *writers;		/* by attribute number - 1 */
	GlDecoder  *decoders;
	GlHistorySource source;
	MemoryContext row_memory;
	GlBuffer	row;

	GlSum		logged;
	GlSum		found;

	/* when they differ */
	TupleDesc	descriptor;
	TupleTableSlot *input;
	TupleTableSlot *output;
	Tuplesortstate *sort;		/* NULL: only sums are made */
	GlColumnTypes *types;
	int64		findings;
} GlHistoryCheck;

/* --- rows --- */

static void
put_value(GlBuffer *row, int attribute, GlBytes value)
{
	gl_buffer_varint(row, (uint64) attribute);
	gl_buffer_varint(row, (uint64) value.length << 1);
	gl_buffer_append(row, value.data, value.length);
}

static void
put_datum(GlHistoryCheck *check, int attribute, Datum value)
{
	char		scratch[GL_VALUE_SCRATCH];

	put_value(&check->row, attribute, gl_value_bytes(&check->writers[attribute - 1], value, scratch));
}

/* What the log says a column of the ledger's own holds. */
static bool
put_field(GlHistoryCheck *check, const GlHistoryRow *row, int attribute)
{
	const GlBytes texts[] = {row->user, row->actor, row->reason};
	int			field;

	for (field = 0; field < GL_HISTORY_FIELDS; field++)
		if (check->fields[field] == attribute)
			break;
	switch (field)
	{
		case GL_HISTORY_OPERATION:
			put_value(&check->row, attribute, gl_bytes_of(gl_history_operation_names[row->operation]));
			return true;
		case GL_HISTORY_ENTRY:
			put_datum(check, attribute, Int64GetDatum(row->entry->leaf));
			return true;
		case GL_HISTORY_RECORD:
			put_datum(check, attribute, Int64GetDatum((int64) row->record));
			return true;
		case GL_HISTORY_COMMAND:
			return true;
		case GL_HISTORY_RELATION:
			put_datum(check, attribute, Int32GetDatum((int32) row->relation));
			return true;
		case GL_HISTORY_TIME:
			put_datum(check, attribute, TimestampTzGetDatum(gl_timestamp(row->entry->time)));
			return true;
		case GL_HISTORY_USER:
		case GL_HISTORY_ACTOR:
		case GL_HISTORY_REASON:
			if (texts[field - GL_HISTORY_USER].length > 0)
				put_value(&check->row, attribute, texts[field - GL_HISTORY_USER]);
			return true;
		default:
			return false;
	}
}

/* For naming, a value is printed as the history would print it: another version may print another way. */
static void
put_logged(GlHistoryCheck *check, int attribute, GlBytes value)
{
	if (check->sort == NULL || check->decoders[attribute - 1].type == TEXTOID)
		put_value(&check->row, attribute, value);
	else
		put_datum(check, attribute, gl_decode(&check->decoders[attribute - 1], value));
}

static void
sort_row(GlHistoryCheck *check, int64 entry, int64 record, bool is_delete, int side)
{
	TupleTableSlot *slot = check->input;
	int			i;

	ExecClearTuple(slot);
	slot->tts_values[COLUMN_ENTRY] = Int64GetDatum(entry);
	slot->tts_values[COLUMN_RECORD] = Int64GetDatum(record);
	slot->tts_values[COLUMN_PART] = Int64GetDatum(is_delete ? 0 : 1);
	slot->tts_values[COLUMN_SIDE] = Int64GetDatum(side);
	slot->tts_values[COLUMN_ROW] = gl_bytea(check->row.data, check->row.length);
	for (i = 0; i < COLUMNS_COUNT; i++)
		slot->tts_isnull[i] = false;
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(check->sort, slot);
}

static void
finish_row(GlHistoryCheck *check, GlSum *sum, int64 entry, int64 record, bool is_delete, int side)
{
	GlBytes		bytes = {check->row.data, check->row.length};
	GlHash		hash;

	gl_sum_hash(0, bytes, &hash);
	gl_sum_add(sum, &hash);
	if (check->sort != NULL)
		sort_row(check, entry, record, is_delete, side);
}

static void
logged_row(GlHistorySource *source, const GlHistoryRow *row)
{
	GlHistoryCheck *check = source->arg;
	MemoryContext old;
	int			i;

	if (row->entry->leaf >= check->limit)
		return;
	MemoryContextReset(check->row_memory);
	old = MemoryContextSwitchTo(check->row_memory);
	check->row.length = 0;
	for (i = 0; i < row->count; i++)
		if (!put_field(check, row, i + 1) && !row->nulls[i])
			put_logged(check, i + 1, row->values[i]);
	finish_row(check, &check->logged, row->entry->leaf, (int64) row->record, row->operation == GL_HISTORY_DELETE, SIDE_LOG);
	MemoryContextSwitchTo(old);
}

static void
found_row(GlHistoryCheck *check, TupleTableSlot *slot)
{
	MemoryContext old;
	int			natts = RelationGetDescr(check->heap)->natts;
	int			i;
	int64		entry;
	int64		record;
	bool		isnull;
	text	   *operation;

	MemoryContextReset(check->row_memory);
	old = MemoryContextSwitchTo(check->row_memory);
	slot_getallattrs(slot);
	entry = slot->tts_isnull[check->fields[GL_HISTORY_ENTRY] - 1] ? -1 :
		DatumGetInt64(slot->tts_values[check->fields[GL_HISTORY_ENTRY] - 1]);
	record = slot->tts_isnull[check->fields[GL_HISTORY_RECORD] - 1] ? -1 :
		DatumGetInt64(slot->tts_values[check->fields[GL_HISTORY_RECORD] - 1]);
	check->row.length = 0;
	for (i = 0; i < natts; i++)
		if (!slot->tts_isnull[i] && i + 1 != check->fields[GL_HISTORY_COMMAND] &&
			!TupleDescAttr(RelationGetDescr(check->heap), i)->attisdropped)
			put_datum(check, i + 1, slot->tts_values[i]);
	/* rows beyond the limit too: they were stored with it, so a smaller one was written there to have them overlooked */
	isnull = slot->tts_isnull[check->fields[GL_HISTORY_OPERATION] - 1];
	operation = isnull ? NULL : DatumGetTextPP(slot->tts_values[check->fields[GL_HISTORY_OPERATION] - 1]);
	finish_row(check, &check->found, entry, record,
			   operation != NULL && VARSIZE_ANY_EXHDR(operation) > 0 && *VARDATA_ANY(operation) == 'd', SIDE_HISTORY);
	MemoryContextSwitchTo(old);
}

/* --- both sides --- */

static void
read_histories(GlVerify *verify, List *checks)
{
	List	   *sources = NIL;
	GlHistoryStream *stream;
	ListCell   *cell;
	int64		limit = 0;

	foreach(cell, checks)
	{
		GlHistoryCheck *check = lfirst(cell);

		sources = lappend(sources, &check->source);
		limit = Max(limit, check->limit);
	}
	stream = gl_stream_open(verify->snapshot, sources);
	(void) gl_stream_run(stream, 0, limit, NULL, NULL);
	gl_stream_close(stream);
	foreach(cell, checks)
	{
		GlHistoryCheck *check = lfirst(cell);
		TableScanDesc scan = table_beginscan(check->heap, verify->snapshot, 0, NULL);
		TupleTableSlot *slot = table_slot_create(check->heap, NULL);
		double		blocks = (double) RelationGetNumberOfBlocks(check->heap);

		while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		{
			gl_verify_progress(verify, check->name, (double) ItemPointerGetBlockNumber(&slot->tts_tid), blocks);
			found_row(check, slot);
		}
		ExecDropSingleTupleTableSlot(slot);
		table_endscan(scan);
	}
}

static void
begin_source(GlHistoryCheck *check)
{
	static const GlHistoryCallbacks callbacks = {.row = logged_row};
	GlHistoryTable *start = palloc(sizeof(GlHistoryTable));

	/* from the beginning of the log again */
	*start = *check->history;
	start->has_schema = false;
	start->schema.length = 0;
	start->first_leaf = GL_HISTORY_NONE;
	start->ended = false;
	memset(&check->source, 0, sizeof(check->source));
	check->source.table = start;
	check->source.descriptor = RelationGetDescr(check->heap);
	check->source.callbacks = &callbacks;
	check->source.arg = check;
	gl_source_open(&check->source);
	memset(&check->logged, 0, sizeof(GlSum));
	memset(&check->found, 0, sizeof(GlSum));
}

static GlHistoryCheck *
open_check(GlVerify *verify, GlTable *table, GlHistoryTable *history, int64 projected)
{
	GlHistoryCheck *check = palloc0(sizeof(GlHistoryCheck));
	TupleDesc	descriptor;
	int			i;

	check->verify = verify;
	check->table = table;
	check->history = history;
	check->limit = gl_history_reached(history, projected);
	check->heap = table_open(history->history, AccessShareLock);
	check->name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(check->heap)),
											 RelationGetRelationName(check->heap));
	descriptor = RelationGetDescr(check->heap);
	gl_history_fields(check->heap, check->fields);
	check->writers = palloc0(sizeof(GlValueWriter) * (descriptor->natts + 1));
	check->decoders = palloc0(sizeof(GlDecoder) * (descriptor->natts + 1));
	for (i = 0; i < descriptor->natts; i++)
	{
		if (TupleDescAttr(descriptor, i)->attisdropped)
			continue;
		gl_value_writer_init(&check->writers[i], TupleDescAttr(descriptor, i)->atttypid, CurrentMemoryContext);
		(void) gl_decoder_init(&check->decoders[i], TupleDescAttr(descriptor, i)->atttypid);
	}
	check->row_memory = AllocSetContextCreate(CurrentMemoryContext, "govledger history row", ALLOCSET_DEFAULT_SIZES);
	gl_buffer_init(&check->row, gl_grow);
	gl_buffer_reserve(&check->row, 1024);
	begin_source(check);
	return check;
}

/* --- naming --- */

static void
open_sort(GlHistoryCheck *check)
{
	AttrNumber	columns[] = {1, 2, 3, 4};
	Oid			operators[] = {Int8LessOperator, Int8LessOperator, Int8LessOperator, Int8LessOperator};
	Oid			collations[] = {InvalidOid, InvalidOid, InvalidOid, InvalidOid};
	bool		nulls_first[] = {false, false, false, false};
	int			i;

	check->descriptor = CreateTemplateTupleDesc(COLUMNS_COUNT);
	for (i = 0; i < COLUMNS_COUNT; i++)
		TupleDescInitEntry(check->descriptor, i + 1, NULL, i == COLUMN_ROW ? BYTEAOID : INT8OID, -1, 0);
	check->input = MakeSingleTupleTableSlot(check->descriptor, &TTSOpsVirtual);
	check->output = MakeSingleTupleTableSlot(check->descriptor, &TTSOpsMinimalTuple);
	check->sort = tuplesort_begin_heap(check->descriptor, lengthof(columns), columns, operators, collations, nulls_first,
									   work_mem, NULL, 0);
}

/* The key as the table names it, out of a row of the history. */
static Jsonb *
key_of(GlHistoryCheck *check, GlBytes row)
{
	GlBuffer	image;
	GlBytes		bytes;
	ListCell   *cell;

	if (check->types == NULL)
		return NULL;
	gl_buffer_init(&image, gl_grow);
	gl_buffer_reserve(&image, 64);
	foreach(cell, check->table->ledger->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);
		ListCell   *mapped;

		if (column->key_ordinal == 0)
			continue;
		foreach(mapped, check->history->columns)
		{
			const GlHistoryColumn *place = lfirst(mapped);
			GlCursor	field;

			if (place->column_id == column->column_id && place->current &&
				gl_row_value(row, (uint64) get_attnum(RelationGetRelid(check->heap), place->name), &field))
				put_value(&image, column->column_id, field.value);
		}
	}
	bytes.data = image.data;
	bytes.length = image.length;
	return gl_value_key(check->types, check->table, bytes);
}

static void
report(GlHistoryCheck *check, const char *detail, int64 entry, GlBytes row)
{
	GlFinding	finding = {.check = GL_CHECK_HISTORY,.scope = check->name,.object = check->name};

	finding.detail = detail;
	finding.leaf = entry;
	finding.key = key_of(check, row);
	gl_report_finding(check->verify->report, &finding);
	check->findings++;
}

/* The column of the table whose values go into this one; NULL for the ledger's own. */
static const GlLedgerColumn *
column_of(GlHistoryCheck *check, const char *attribute)
{
	ListCell   *cell;

	foreach(cell, check->history->columns)
	{
		const GlHistoryColumn *place = lfirst(cell);

		if (strcmp(place->name, attribute) == 0)
			return gl_table_column(check->table, (uint64) place->column_id);
	}
	return NULL;
}

/* A value for a reader. */
static const char *
show_value(GlHistoryCheck *check, Form_pg_attribute attribute, const GlCursor *field)
{
	if (!gl_access_column(check->table->access, column_of(check, NameStr(attribute->attname))))
		return gl_access_withheld(check->table->access);
	return field != NULL ? gl_shown(field->value, attribute->atttypid == BYTEAOID) : NULL;
}

static void
report_column(GlHistoryCheck *check, int attribute, const GlCursor *logged, const GlCursor *found, int64 entry, GlBytes row)
{
	GlFinding	finding = {.check = GL_CHECK_HISTORY,.scope = check->name,.object = check->name};
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(check->heap), attribute - 1);

	finding.detail = "the history has another value than the log";
	finding.leaf = entry;
	finding.key = key_of(check, row);
	finding.column = NameStr(column->attname);
	finding.logged = show_value(check, column, logged);
	finding.found = show_value(check, column, found);
	gl_report_finding(check->verify->report, &finding);
	check->findings++;
}

static void
compare_rows(GlHistoryCheck *check, int64 entry, GlBytes logged, GlBytes found)
{
	int			i;

	for (i = 1; i <= RelationGetDescr(check->heap)->natts; i++)
	{
		GlCursor	a;
		GlCursor	b;
		bool		has_a = gl_row_value(logged, (uint64) i, &a);
		bool		has_b = gl_row_value(found, (uint64) i, &b);

		if (has_a != has_b || (has_a && !gl_bytes_equal(a.value, b.value)))
			report_column(check, i, has_a ? &a : NULL, has_b ? &b : NULL, entry, logged);
	}
}

/* The rows of one place in the log: one of each side, as a rule. */
typedef struct GlPlaceRows
{
	bool		any;
	int64		place[3];
	bool		has_logged;
	GlBytes		logged;
	bool		has_found;
} GlPlaceRows;

static void
end_place(GlHistoryCheck *check, GlPlaceRows *rows)
{
	if (rows->any && rows->has_logged && !rows->has_found)
		report(check, "a row of the log is not in the history", rows->place[0], rows->logged);
	if (rows->any && rows->has_logged)
		pfree(unconstify(uint8 *, rows->logged.data));
	memset(rows, 0, sizeof(*rows));
}

static void
take_place(GlHistoryCheck *check, GlPlaceRows *rows, TupleTableSlot *slot)
{
	GlBytes		row = gl_bytea_bytes(slot->tts_values[COLUMN_ROW]);
	int			i;

	for (i = 0; i < 3; i++)
		if (rows->any && rows->place[i] != DatumGetInt64(slot->tts_values[i]))
			end_place(check, rows);
	rows->any = true;
	for (i = 0; i < 3; i++)
		rows->place[i] = DatumGetInt64(slot->tts_values[i]);
	if (DatumGetInt64(slot->tts_values[COLUMN_SIDE]) == SIDE_LOG)
	{
		rows->has_logged = true;
		rows->logged = gl_bytes_copy(row);
		return;
	}
	if (!rows->has_logged || rows->has_found)
		report(check, "the history has a row that is not in the log", rows->place[0], row);
	else
		compare_rows(check, rows->place[0], rows->logged, row);
	rows->has_found = true;
}

/* The ledger table, if it is there: the catalog of the ledger may have been tampered with. */
static Oid
root_of(const GlHistoryCheck *check)
{
	const List *relations = check->table->ledger->relations;

	return relations != NIL ? ((const GlLedgerRelation *) linitial(relations))->relation : InvalidOid;
}

static void
name_rows(GlVerify *verify, GlHistoryCheck *check)
{
	GlPlaceRows rows = {0};
	Oid			root = root_of(check);

	open_sort(check);
	begin_source(check);
	read_histories(verify, list_make1(check));
	if (OidIsValid(root))
	{
		Relation	heap = table_open(root, AccessShareLock);

		check->types = gl_column_types_open(check->table, RelationGetDescr(heap), heap->rd_rel->relowner);
		table_close(heap, NoLock);
	}
	tuplesort_performsort(check->sort);
	while (tuplesort_gettupleslot(check->sort, true, false, check->output, NULL))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(check->output);
		take_place(check, &rows, check->output);
	}
	end_place(check, &rows);
	tuplesort_end(check->sort);
	ExecDropSingleTupleTableSlot(check->input);
	ExecDropSingleTupleTableSlot(check->output);
}

/* --- the check --- */

static bool
has_row_security(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	bool		result = HeapTupleIsValid(tuple) && ((Form_pg_class) GETSTRUCT(tuple))->relrowsecurity;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return result;
}

/* What would show other rows to readers than those that are compared. */
static void
check_readers_view(GlVerify *verify, GlHistoryCheck *check)
{
	if (find_inheritance_children(RelationGetRelid(check->heap), NoLock) != NIL)
	{
		gl_report_object(verify->report, GL_CHECK_HISTORY, check->name, "other tables inherit from it: who reads it gets their rows too");
		check->findings++;
	}
	if (!check->table->ledger->unprotected && OidIsValid(root_of(check)) && has_row_security(root_of(check)) && !check->heap->rd_rel->relrowsecurity)
	{
		gl_report_object(verify->report, GL_CHECK_HISTORY, check->name, "row security is switched off: its readers see rows that the table hides");
		check->findings++;
	}
}

static void
check_histories(GlVerify *verify, List *checks)
{
	ListCell   *cell;

	read_histories(verify, checks);
	foreach(cell, checks)
	{
		GlHistoryCheck *check = lfirst(cell);

		if (!gl_sum_equal(&check->logged, &check->found))
			name_rows(verify, check);
		check_readers_view(verify, check);
		if (check->findings == 0)
			gl_report_pass(verify->report, GL_CHECK_HISTORY, check->name, check->name,
						   "%lld rows are those of the log up to tree size %lld", (long long) check->found.count,
						   (long long) check->limit);
		table_close(check->heap, NoLock);
	}
}

/* A table that was protected before there were histories has none until rebuild(); that somebody took its row away looks the same. */
static void
tell_without_history(GlVerify *verify, List *histories)
{
	ListCell   *cell;

	foreach(cell, gl_tables_list(verify->tables))
	{
		const GlTable *table = lfirst(cell);
		bool		found = false;
		ListCell   *known;

		foreach(known, histories)
			found |= ((const GlHistoryTable *) lfirst(known))->table_id == table->ledger->table_id;
		if (!found && table->ledger->history && !table->ledger->unprotected &&
			(verify->target_table == 0 || verify->target_table == table->ledger->table_id))
			gl_report_pass(verify->report, GL_CHECK_HISTORY, table->name, table->name,
						   "it has no history: govledger.rebuild() makes one");
	}
}

static List *
open_checks(GlVerify *verify)
{
	List	   *histories = gl_history_load_all(verify->snapshot);
	int64		projected = gl_history_projected(verify->snapshot);
	List	   *checks = NIL;
	ListCell   *cell;

	foreach(cell, histories)
	{
		GlHistoryTable *history = lfirst(cell);
		GlTable    *table = gl_tables_find(verify->tables, (uint64) history->table_id);

		if (table == NULL || (verify->target_table != 0 && verify->target_table != history->table_id))
			continue;
		if (get_rel_relkind(history->history) == RELKIND_RELATION)
			checks = lappend(checks, open_check(verify, table, history, projected));
		/* after the end of the protection it is the owner's to drop */
		else if (!history->ended && !table->ledger->unprotected)
			gl_report_object(verify->report, GL_CHECK_HISTORY, table->name, "its history is gone");
	}
	tell_without_history(verify, histories);
	return checks;
}

/* What cannot be read ends this check and not the verification. */
static void
run_guarded(GlVerify *verify)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	GlOwnerScope scope;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(verify->memory);
	PG_TRY();
	{
		/* a column that somebody gave a type of his own is printed with the rights of the owner of histories */
		gl_owner_enter(&scope, gl_history_owner());
		check_histories(verify, open_checks(verify));
		gl_owner_leave(&scope);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(verify->memory);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN ||
			error->sqlerrcode == ERRCODE_OUT_OF_MEMORY)
			ReThrowError(error);
		gl_report_object(verify->report, GL_CHECK_HISTORY, "govledger.history_table",
						 "histories cannot be compared with the log: %s", error->message);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
}

void
gl_histories_check(GlVerify *verify)
{
	/* a damaged log is said already, and nothing can be compared with it */
	if (verify->since > 0 || gl_report_count(verify->report, GL_CHECK_ENTRY, NULL) > 0 ||
		gl_report_count(verify->report, GL_CHECK_TREE, NULL) > 0)
		return;
	run_guarded(verify);
}
