/*
 * erasure.c
 *		Personal values and contexts that are gone must have been erased by a record, and what a record erased must be gone.
 *
 * The record comes later in the log than what it erases, so both sides are collected and compared at the end, sorted
 * outside of memory if there are many.
 */
#include "verify/tables.h"

#include "access/htup_details.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"

enum
{
	COLUMN_GENERATION,
	COLUMN_TRANSACTION,
	COLUMN_RECORD,
	COLUMN_COLUMN,
	COLUMN_ABSENT,				/* 0: a record announced it; else the table whose value is gone */
	COLUMN_LEAF,
	COLUMNS_COUNT
};

struct GlErasures
{
	MemoryContext memory;
	TupleDesc	descriptor;
	TupleTableSlot *slot;		/* what comes out */
	TupleTableSlot *input;
	Tuplesortstate *sort;		/* NULL until there is something */
	int64		announced;
};

/* What is being erased, and by which side it is known. */
typedef struct GlErasureGroup
{
	bool		any;
	uint32		generation;
	uint64		transaction_id;
	uint64		record;
	uint64		column_id;
	int64		leaf;			/* of the entry whose value is gone */
	int			table_id;		/* of what is absent */
	bool		absent;
	bool		announced;
} GlErasureGroup;

GlErasures *
gl_erasures_open(void)
{
	GlErasures *erasures = palloc0(sizeof(GlErasures));

	erasures->memory = CurrentMemoryContext;
	return erasures;
}

static void
open_sort(GlErasures *erasures)
{
	AttrNumber	columns[] = {1, 2, 3, 4};
	Oid			operators[] = {Int8LessOperator, Int8LessOperator, Int8LessOperator, Int8LessOperator};
	Oid			collations[] = {InvalidOid, InvalidOid, InvalidOid, InvalidOid};
	bool		nulls_first[] = {false, false, false, false};
	MemoryContext old = MemoryContextSwitchTo(erasures->memory);
	int			i;

	erasures->descriptor = CreateTemplateTupleDesc(COLUMNS_COUNT);
	for (i = 0; i < COLUMNS_COUNT; i++)
		TupleDescInitEntry(erasures->descriptor, i + 1, NULL, INT8OID, -1, 0);
	erasures->slot = MakeSingleTupleTableSlot(erasures->descriptor, &TTSOpsMinimalTuple);
	erasures->input = MakeSingleTupleTableSlot(erasures->descriptor, &TTSOpsVirtual);
	erasures->sort = tuplesort_begin_heap(erasures->descriptor, lengthof(columns), columns, operators, collations,
										  nulls_first, work_mem / 4, NULL, 0);
	MemoryContextSwitchTo(old);
}

static void
put(GlErasures *erasures, uint32 generation, uint64 transaction_id, uint64 record, uint64 column_id, int64 absent,
	int64 leaf)
{
	TupleTableSlot *slot;
	int			i;

	if (erasures->sort == NULL)
		open_sort(erasures);
	slot = erasures->input;
	ExecClearTuple(slot);
	slot->tts_values[COLUMN_GENERATION] = Int64GetDatum(generation);
	slot->tts_values[COLUMN_TRANSACTION] = Int64GetDatum((int64) transaction_id);
	slot->tts_values[COLUMN_RECORD] = Int64GetDatum((int64) record);
	slot->tts_values[COLUMN_COLUMN] = Int64GetDatum((int64) column_id);
	slot->tts_values[COLUMN_ABSENT] = Int64GetDatum(absent);
	slot->tts_values[COLUMN_LEAF] = Int64GetDatum(leaf);
	for (i = 0; i < COLUMNS_COUNT; i++)
		slot->tts_isnull[i] = false;
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(erasures->sort, slot);
}

void
gl_erasures_absent(GlVerify *verify, const GlLogEntry *entry, uint64 record, int table_id, uint64 column_id)
{
	put(verify->erasures, entry->generation, entry->transaction_id, record, column_id, Max(table_id, 1), entry->leaf);
}

void
gl_erasures_record(GlVerify *verify, const GlLogEntry *entry, const GlRecord *record)
{
	GlReader	reader;
	GlErasure	erasure;
	GlReader	columns;
	uint64		left;

	gl_reader_init(&reader, record->body.data, record->body.length);
	if (!gl_erasure_read(&reader, &erasure) || !gl_reader_done(&reader))
	{
		gl_report_log(verify->report, GL_CHECK_ENTRY, entry->leaf,
					  gl_entry_name(entry->generation, entry->transaction_id), "its erasure record cannot be read");
		return;
	}
	verify->erasures->announced++;
	if (erasure.record == GL_ERASURE_CONTEXT)
	{
		put(verify->erasures, erasure.generation, erasure.transaction_id, erasure.record, 0, 0, entry->leaf);
		return;
	}
	gl_reader_init(&columns, erasure.column_ids.data, erasure.column_ids.length);
	for (left = gl_read_varint(&columns); left > 0 && !columns.failed; left--)
		put(verify->erasures, erasure.generation, erasure.transaction_id, erasure.record, gl_read_varint(&columns),
			0, entry->leaf);
}

static void
close_group(GlVerify *verify, const GlErasureGroup *group)
{
	GlFinding	finding = {.check = GL_CHECK_ERASURE, .leaf = group->leaf};
	const GlTable *table;
	const GlLedgerColumn *column;
	const char *what;

	if (!group->any || group->absent == group->announced)
		return;
	/* what an erasure after `since` names may lie before it, where nobody looked */
	if (group->announced && verify->since > 0)
		return;
	if (group->record == GL_ERASURE_CONTEXT)
		what = "its context";
	else
		what = psprintf("the personal value of column %llu in its record %llu", (unsigned long long) group->column_id,
						(unsigned long long) group->record);
	table = gl_tables_find(verify->tables, (uint64) group->table_id);
	column = table != NULL && group->record != GL_ERASURE_CONTEXT ? gl_table_column(table, group->column_id) : NULL;
	if (column != NULL)
	{
		what = psprintf("the personal value in its record %llu, a change of %s,", (unsigned long long) group->record,
						table->name);
		finding.column = column->name;
	}
	finding.object = gl_entry_name(group->generation, group->transaction_id);
	finding.detail = psprintf("%s %s", what, group->absent ? "is gone and no erasure record says so"
							  : "was erased by a record and is still there");
	gl_report_finding(verify->report, &finding);
}

void
gl_erasures_check(GlVerify *verify)
{
	GlErasures *erasures = verify->erasures;
	GlErasureGroup group = {0};
	TupleTableSlot *slot = erasures->slot;

	if (erasures->sort != NULL)
	{
		tuplesort_performsort(erasures->sort);
		while (tuplesort_gettupleslot(erasures->sort, true, false, slot, NULL))
		{
			GlErasureGroup next = {.any = true};

			CHECK_FOR_INTERRUPTS();
			slot_getallattrs(slot);
			next.generation = (uint32) DatumGetInt64(slot->tts_values[COLUMN_GENERATION]);
			next.transaction_id = (uint64) DatumGetInt64(slot->tts_values[COLUMN_TRANSACTION]);
			next.record = (uint64) DatumGetInt64(slot->tts_values[COLUMN_RECORD]);
			next.column_id = (uint64) DatumGetInt64(slot->tts_values[COLUMN_COLUMN]);
			if (!group.any || group.generation != next.generation || group.transaction_id != next.transaction_id ||
				group.record != next.record || group.column_id != next.column_id)
			{
				close_group(verify, &group);
				group = next;
			}
			if (DatumGetInt64(slot->tts_values[COLUMN_ABSENT]) != 0)
			{
				group.absent = true;
				group.table_id = (int) DatumGetInt64(slot->tts_values[COLUMN_ABSENT]);
			}
			else
				group.announced = true;
			/* the leaf of the entry that lost something, else of the one that says so */
			if (DatumGetInt64(slot->tts_values[COLUMN_ABSENT]) != 0 || !group.absent)
				group.leaf = DatumGetInt64(slot->tts_values[COLUMN_LEAF]);
		}
		close_group(verify, &group);
		tuplesort_end(erasures->sort);
		ExecDropSingleTupleTableSlot(slot);
		ExecDropSingleTupleTableSlot(erasures->input);
		erasures->sort = NULL;
	}
	gl_report_pass(verify->report, GL_CHECK_ERASURE, NULL, "log", "%lld erasure records, and nothing is missing without one",
				   (long long) erasures->announced);
}
