/*
 * writer.c
 *		Rows of the log into the relation of a history; see writer.h.
 */
#include "history/writer.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/catalog.h"
#include "history/decode.h"
#include "history/key.h"

/* Rows, and bytes of the log, that are gathered before they are inserted. */
#define BATCH_ROWS 1000
#define BATCH_BYTES (1024 * 1024)

struct GlWriter
{
	Relation	heap;
	MemoryContext memory;		/* as long as the writer */
	MemoryContext rows;			/* values of the rows gathered */
	GlHistoryKey key;
	AttrNumber	fields[GL_HISTORY_FIELDS];
	GlDecoder  *decoders;		/* by attribute number - 1 */
	Datum		operations[GL_HISTORY_REMOVED + 1];

	EState	   *estate;
	ResultRelInfo *result;
	BulkInsertState bulk;
	bool		plain;			/* all indexes are of the kinds that we make */
	TupleTableSlot *slots[BATCH_ROWS];
	bool		marks[BATCH_ROWS];	/* truncates and removals */
	int			count;
	size_t		bytes;
	int64		written;

	/* what is the same for all rows of an entry, while they are gathered */
	int64		context_leaf;	/* GL_NO_LEAF: none */
	Datum		context[3];
	bool		context_null[3];

	/* the entry in hand: has it deleted rows, by commands up to which? */
	int64		order_leaf;
	bool		deletes;
	uint64		last_delete;
};

/* An index with expressions, a predicate or a uniqueness of its own is left to the executor. */
static bool
is_plain(const GlWriter *writer, Relation index, const IndexInfo *info)
{
	if (info->ii_Expressions != NIL || info->ii_Unique || info->ii_ExclusionOps != NULL)
		return false;
	return info->ii_Predicate == NIL || RelationGetRelid(index) == gl_history_marks_index(writer->heap);
}

static void
open_result(GlWriter *writer)
{
	int			i;

	writer->estate = CreateExecutorState();
	writer->result = makeNode(ResultRelInfo);
	InitResultRelInfo(writer->result, writer->heap, 0, NULL, 0);
	ExecOpenIndices(writer->result, false);
	writer->plain = true;
	for (i = 0; i < writer->result->ri_NumIndices; i++)
		writer->plain &= is_plain(writer, writer->result->ri_IndexRelationDescs[i], writer->result->ri_IndexRelationInfo[i]);
	writer->bulk = GetBulkInsertState();
}

GlWriter *
gl_writer_open(Relation heap, int table_id)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "govledger history writer", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	GlWriter   *writer = palloc0(sizeof(GlWriter));
	TupleDesc	descriptor = RelationGetDescr(heap);
	int			i;

	writer->heap = heap;
	writer->memory = memory;
	writer->rows = AllocSetContextCreate(memory, "govledger history rows", ALLOCSET_DEFAULT_SIZES);
	gl_history_key(heap, table_id, &writer->key);
	gl_history_fields(heap, writer->fields);
	writer->decoders = palloc0(sizeof(GlDecoder) * (descriptor->natts + 1));
	for (i = 0; i < descriptor->natts; i++)
		if (!TupleDescAttr(descriptor, i)->attisdropped)
			(void) gl_decoder_init(&writer->decoders[i], TupleDescAttr(descriptor, i)->atttypid);
	for (i = 0; i <= GL_HISTORY_REMOVED; i++)
		writer->operations[i] = CStringGetTextDatum(gl_history_operation_names[i]);
	for (i = 0; i < BATCH_ROWS; i++)
		writer->slots[i] = NULL;
	writer->context_leaf = GL_NO_LEAF;
	writer->order_leaf = GL_NO_LEAF;
	open_result(writer);
	MemoryContextSwitchTo(old);
	return writer;
}

int64
gl_writer_rows(const GlWriter *writer)
{
	return writer->written + writer->count;
}

/* A summary per range of blocks is told of a time once per block. */
static bool
is_summarized(const GlWriter *writer, int row)
{
	const int	column = writer->fields[GL_HISTORY_TIME];
	TupleTableSlot *now = writer->slots[row];
	TupleTableSlot *before;
	bool		isnull;

	if (row == 0)
		return false;
	before = writer->slots[row - 1];
	return ItemPointerGetBlockNumber(&now->tts_tid) == ItemPointerGetBlockNumber(&before->tts_tid) &&
		slot_getattr(now, column, &isnull) == slot_getattr(before, column, &isnull);
}

/* One of our own indexes: without looking at predicates, and only where there is something new for it. */
static void
insert_plain(GlWriter *writer, int i)
{
	Relation	index = writer->result->ri_IndexRelationDescs[i];
	IndexInfo  *info = writer->result->ri_IndexRelationInfo[i];
	bool		summary = index->rd_rel->relam == BRIN_AM_OID && info->ii_NumIndexAttrs == 1 &&
		info->ii_IndexAttrNumbers[0] == writer->fields[GL_HISTORY_TIME];
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];
	int			row;

	for (row = 0; row < writer->count; row++)
	{
		TupleTableSlot *slot = writer->slots[row];

		if ((info->ii_Predicate != NIL && !writer->marks[row]) || (summary && is_summarized(writer, row)))
			continue;
		FormIndexDatum(info, slot, writer->estate, values, nulls);
		(void) index_insert(index, values, nulls, &slot->tts_tid, writer->heap, UNIQUE_CHECK_NO, false, info);
	}
}

static void
insert_index_entries(GlWriter *writer)
{
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(writer->estate));
	int			i;

	for (i = 0; writer->plain && i < writer->result->ri_NumIndices; i++)
	{
		insert_plain(writer, i);
		ResetPerTupleExprContext(writer->estate);
	}
	MemoryContextSwitchTo(old);
	for (i = 0; !writer->plain && i < writer->count; i++)
	{
		list_free(gl_insert_index_tuples(writer->result, writer->slots[i], writer->estate));
		ResetPerTupleExprContext(writer->estate);
	}
}

void
gl_writer_flush(GlWriter *writer)
{
	MemoryContext old;
	int			i;

	if (writer->count == 0)
		return;
	old = MemoryContextSwitchTo(GetPerTupleMemoryContext(writer->estate));
	heap_multi_insert(writer->heap, writer->slots, writer->count, GetCurrentCommandId(true), 0, writer->bulk);
	MemoryContextSwitchTo(old);
	ResetPerTupleExprContext(writer->estate);
	insert_index_entries(writer);
	for (i = 0; i < writer->count; i++)
		ExecClearTuple(writer->slots[i]);
	writer->written += writer->count;
	writer->count = 0;
	writer->bytes = 0;
	writer->context_leaf = GL_NO_LEAF;
	MemoryContextReset(writer->rows);
}

void
gl_writer_close(GlWriter *writer)
{
	int			i;

	gl_writer_flush(writer);
	for (i = 0; i < BATCH_ROWS && writer->slots[i] != NULL; i++)
		ExecDropSingleTupleTableSlot(writer->slots[i]);
	FreeBulkInsertState(writer->bulk);
	ExecCloseIndices(writer->result);
	FreeExecutorState(writer->estate);
	MemoryContextDelete(writer->memory);
}

/* --- the order inside an entry --- */

/*
 * A trigger that fires before an insert may delete the row that has the key: the delete then has the higher command and
 * happened first. If a trigger that fires after another row's insert deletes the new row, the same two records
 * come in the same order, and the delete happened last. Which of them it was, the other versions show: in the second case there is a
 * delete too many before the insert is counted.
 */
typedef struct GlOrderSearch
{
	Relation	heap;
	int64		entry;
	int64		command;
	int64		last_delete;	/* highest command of a later delete in this entry; -1: none */
	bool		found;
	GlVersion	before;			/* the last version of earlier entries */
	List	   *versions;		/* of GlVersion *, in this entry */
} GlOrderSearch;

static bool
look_at_version(void *arg, const GlVersion *version)
{
	GlOrderSearch *search = arg;

	if (version->place.entry == search->entry)
	{
		GlVersion  *copy = palloc(sizeof(GlVersion));

		*copy = *version;
		search->versions = lappend(search->versions, copy);
		if (version->place.is_delete && version->place.command > search->command)
			search->last_delete = Max(search->last_delete, version->place.command);
		return true;
	}
	if (search->found && version->place.entry < search->before.place.entry)
		return false;
	if (!search->found || gl_place_compare(&version->place, &search->before.place) > 0)
		search->before = *version;
	search->found = true;
	return true;
}

static int
compare_versions(const ListCell *a, const ListCell *b)
{
	return gl_place_compare(&((const GlVersion *) lfirst(a))->place, &((const GlVersion *) lfirst(b))->place);
}

/* How many rows there are of a key by what is recorded so far: 1, 0, or -1, if one is deleted whose insert is still to come. */
static int
count_rows(GlOrderSearch *search)
{
	int			count = search->found && !search->before.place.is_delete &&
		!gl_version_is_gone(search->heap, SnapshotSelf, &search->before, search->entry + 1);
	ListCell   *cell;

	list_sort(search->versions, compare_versions);
	foreach(cell, search->versions)
	{
		const GlVersion *version = lfirst(cell);

		if (gl_version_is_gone(search->heap, SnapshotSelf, version, search->entry + 1))
			continue;
		if (version->place.is_delete)
			count--;
		/* an update of a row that was not there had another key before */
		else if (version->operation != 'u' || count <= 0)
			count++;
	}
	return count;
}

static uint64
true_command(GlWriter *writer, const GlHistoryRow *row, const Datum *values)
{
	GlOrderSearch search = {.heap = writer->heap,.entry = row->entry->leaf,.last_delete = -1};
	int			i;

	search.command = (int64) row->command;
	for (i = 0; i < writer->key.count; i++)
		if (writer->key.attributes[i] > row->count || row->nulls[writer->key.attributes[i] - 1])
			return row->command;	/* its key was erased */
	gl_versions_walk(writer->heap, &writer->key, SnapshotSelf, values, look_at_version, &search);
	if (search.last_delete < 0 || count_rows(&search) < 0)
		return row->command;
	return (uint64) search.last_delete;
}

static uint64
command_of(GlWriter *writer, const GlHistoryRow *row, const Datum *values)
{
	if (writer->key.count == 0)
		return row->command;
	if (writer->order_leaf != row->entry->leaf)
	{
		writer->order_leaf = row->entry->leaf;
		writer->deletes = false;
	}
	if (row->operation == GL_HISTORY_DELETE)
	{
		writer->last_delete = writer->deletes ? Max(writer->last_delete, row->command) : row->command;
		writer->deletes = true;
	}
	if (!row->takes_key || !writer->deletes || row->command >= writer->last_delete)
		return row->command;
	return true_command(writer, row, values);
}

/* --- one row --- */

static void
set_text(GlWriter *writer, int i, GlBytes text)
{
	writer->context_null[i] = text.length == 0;
	if (text.length > 0)
	{
		GlDecoder	decoder = {.type = TEXTOID};

		writer->context[i] = gl_decode(&decoder, text);
	}
}

static void
set_context(GlWriter *writer, const GlHistoryRow *row, TupleTableSlot *slot)
{
	int			i;

	if (writer->context_leaf != row->entry->leaf)
	{
		set_text(writer, 0, row->user);
		set_text(writer, 1, row->actor);
		set_text(writer, 2, row->reason);
		writer->context_leaf = row->entry->leaf;
	}
	for (i = 0; i < 3; i++)
	{
		int			column = writer->fields[GL_HISTORY_USER + i] - 1;

		slot->tts_values[column] = writer->context[i];
		slot->tts_isnull[column] = writer->context_null[i];
	}
}

static void
set_field(GlWriter *writer, TupleTableSlot *slot, GlHistoryField field, Datum value)
{
	slot->tts_values[writer->fields[field] - 1] = value;
	slot->tts_isnull[writer->fields[field] - 1] = false;
}

static TupleTableSlot *
next_slot(GlWriter *writer)
{
	TupleTableSlot *slot;

	if (writer->slots[writer->count] == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(writer->memory);

		writer->slots[writer->count] = table_slot_create(writer->heap, NULL);
		MemoryContextSwitchTo(old);
	}
	slot = writer->slots[writer->count];
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts);
	return slot;
}

static void
decode_values(GlWriter *writer, const GlHistoryRow *row, Datum *values, bool *nulls)
{
	int			i;

	for (i = 0; i < row->count; i++)
	{
		if (row->nulls[i])
			continue;
		values[i] = gl_decode(&writer->decoders[i], row->values[i]);
		nulls[i] = false;
		writer->bytes += row->values[i].length + sizeof(Datum);
	}
}

void
gl_writer_row(GlWriter *writer, const GlHistoryRow *row)
{
	TupleTableSlot *slot = next_slot(writer);
	MemoryContext old = MemoryContextSwitchTo(writer->rows);
	uint64		command;

	decode_values(writer, row, slot->tts_values, slot->tts_isnull);
	command = row->command;
	if (row->operation == GL_HISTORY_DELETE || row->takes_key)
	{
		/* rows of the same entry that are only gathered yet must be seen */
		if (row->takes_key && writer->deletes && writer->order_leaf == row->entry->leaf &&
			row->command < writer->last_delete && writer->count > 0)
		{
			MemoryContextSwitchTo(old);
			gl_writer_flush(writer);
			gl_writer_row(writer, row);
			return;
		}
		command = command_of(writer, row, slot->tts_values);
	}
	set_field(writer, slot, GL_HISTORY_OPERATION, writer->operations[row->operation]);
	set_field(writer, slot, GL_HISTORY_ENTRY, Int64GetDatum(row->entry->leaf));
	set_field(writer, slot, GL_HISTORY_RECORD, Int64GetDatum((int64) row->record));
	set_field(writer, slot, GL_HISTORY_COMMAND, Int64GetDatum((int64) command));
	set_field(writer, slot, GL_HISTORY_RELATION, Int32GetDatum((int32) row->relation));
	set_field(writer, slot, GL_HISTORY_TIME, TimestampTzGetDatum(gl_timestamp(row->entry->time)));
	set_context(writer, row, slot);
	ExecStoreVirtualTuple(slot);
	writer->marks[writer->count] = row->operation == GL_HISTORY_TRUNCATE || row->operation == GL_HISTORY_REMOVED;
	MemoryContextSwitchTo(old);
	if (++writer->count == BATCH_ROWS || writer->bytes > BATCH_BYTES)
		gl_writer_flush(writer);
}

/* --- erasure --- */

/* Rows by time, for which there is an index, and number of the record. */
static List *
find_rows(GlWriter *writer, const GlErasure *erasure)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(writer->heap)),
												  RelationGetRelationName(writer->heap));
	char	   *query;
	List	   *found = NIL;
	Oid			user;
	int			context;
	uint64		i;

	query = psprintf("SELECT h.ctid FROM %s h WHERE h.ledger_record IN (%lld%s) AND h.ledger_time = (SELECT e.entry_time "
					 "FROM govledger.entry e WHERE e.generation = %u AND e.transaction_id = '%llu')",
					 name, (long long) erasure->record,
					 erasure->record == GL_ERASURE_CONTEXT ? ", h.ledger_record" : "", erasure->generation,
					 (unsigned long long) erasure->transaction_id);
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, context);
	if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(query, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look for the rows of an erasure");
	for (i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		MemoryContext spi = MemoryContextSwitchTo(caller);
		ItemPointer tid = palloc(sizeof(ItemPointerData));

		ItemPointerCopy((ItemPointer) DatumGetPointer(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull)),
						tid);
		found = lappend(found, tid);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	SetUserIdAndSecContext(user, context);
	return found;
}

static void
erase_columns(GlWriter *writer, const GlHistoryTable *table, const GlErasure *erasure, Datum *values, bool *nulls,
			  bool *replace)
{
	GlReader	reader;
	uint64		left;

	gl_reader_init(&reader, erasure->column_ids.data, erasure->column_ids.length);
	for (left = gl_read_varint(&reader); left > 0 && !reader.failed; left--)
	{
		uint64		column_id = gl_read_varint(&reader);
		ListCell   *cell;

		foreach(cell, table->columns)
		{
			const GlHistoryColumn *column = lfirst(cell);
			AttrNumber	number;

			if ((uint64) column->column_id != column_id)
				continue;
			number = get_attnum(RelationGetRelid(writer->heap), column->name);
			if (number <= 0)
				continue;
			values[number - 1] = (Datum) 0;
			nulls[number - 1] = true;
			replace[number - 1] = true;
		}
	}
	if (erasure->record != GL_ERASURE_CONTEXT)
		return;
	nulls[writer->fields[GL_HISTORY_USER] - 1] = replace[writer->fields[GL_HISTORY_USER] - 1] = true;
	nulls[writer->fields[GL_HISTORY_ACTOR] - 1] = replace[writer->fields[GL_HISTORY_ACTOR] - 1] = true;
	nulls[writer->fields[GL_HISTORY_REASON] - 1] = replace[writer->fields[GL_HISTORY_REASON] - 1] = true;
}

static void
erase_row(GlWriter *writer, const GlHistoryTable *table, const GlErasure *erasure, ItemPointer tid)
{
	TupleDesc	descriptor = RelationGetDescr(writer->heap);
	TupleTableSlot *slot = table_slot_create(writer->heap, NULL);
	Datum	   *values = palloc0(sizeof(Datum) * descriptor->natts);
	bool	   *nulls = palloc0(sizeof(bool) * descriptor->natts);
	bool	   *replace = palloc0(sizeof(bool) * descriptor->natts);

	if (table_tuple_fetch_row_version(writer->heap, tid, SnapshotSelf, slot))
	{
		GlUpdateIndexes indexes;
		HeapTuple	tuple;

		erase_columns(writer, table, erasure, values, nulls, replace);
		tuple = heap_modify_tuple(ExecFetchSlotHeapTuple(slot, false, NULL), descriptor, values, nulls, replace);
		ExecForceStoreHeapTuple(tuple, slot, false);
		simple_table_tuple_update(writer->heap, tid, slot, GetActiveSnapshot(), &indexes);
		if (gl_update_needs_indexes(indexes))
			list_free(gl_insert_index_tuples(writer->result, slot, writer->estate));
		ResetPerTupleExprContext(writer->estate);
	}
	ExecDropSingleTupleTableSlot(slot);
}

void
gl_writer_erase(GlWriter *writer, const GlHistoryTable *table, const GlErasure *erasure)
{
	List	   *rows;
	ListCell   *cell;

	gl_writer_flush(writer);
	/* the query must see them */
	CommandCounterIncrement();
	rows = find_rows(writer, erasure);
	foreach(cell, rows)
		erase_row(writer, table, erasure, lfirst(cell));
	list_free_deep(rows);
}
