/*
 * spool.c
 *		Compare rows before and after a command; see spool.h.
 *
 * Both sides are sorted by the bytes of the key (without a key: by a hash of the row) and then merged, for a rewrite may put rows
 * into another order. Rows with one key, should there be several, pair up in any order: what counts is the multiset.
 */
#include "capture/spool.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/tuplesort.h"

#include "capture/encode.h"
#include "capture/progress.h"
#include "capture/row.h"
#include "core/catalog.h"

enum
{
	COLUMN_KEY,
	COLUMN_RELATION,			/* place in the list of relations */
	COLUMN_ROW,
	COLUMNS_COUNT
};

typedef struct GlSpoolRelation
{
	Oid			oid;
	Bitmapset  *before;			/* column ids */
	Relation	relation;		/* open while we compare */
	const GlEncoder *encoder;	/* of now */
} GlSpoolRelation;

struct GlSpool
{
	MemoryContext memory;
	MemoryContext row_memory;
	TupleDesc	descriptor;
	TupleTableSlot *input;
	Tuplesortstate *before;
	List	   *relations;		/* of GlSpoolRelation * */
	GlBuffer	image;
	GlBuffer	key;
};

/* One side of the merge. */
typedef struct GlSide
{
	Tuplesortstate *sort;
	TupleTableSlot *slot;
	bool		more;
	GlBytes		key;
	int			relation;
	GlBytes		row;
} GlSide;

static Tuplesortstate *
gl_sort_begin(const GlSpool *spool)
{
	AttrNumber	columns[] = {COLUMN_KEY + 1, COLUMN_RELATION + 1};
	Oid			operators[] = {ByteaLessOperator, Int4LessOperator};
	Oid			collations[] = {InvalidOid, InvalidOid};
	bool		nulls_first[] = {false, false};

	return tuplesort_begin_heap(spool->descriptor, lengthof(columns), columns, operators, collations, nulls_first,
								work_mem, NULL, 0);
}

GlSpool *
gl_spool_open(void)
{
	GlSpool    *spool = palloc0(sizeof(GlSpool));

	spool->memory = CurrentMemoryContext;
	spool->row_memory = AllocSetContextCreate(spool->memory, "govledger spool row", ALLOCSET_DEFAULT_SIZES);
	spool->descriptor = CreateTemplateTupleDesc(COLUMNS_COUNT);
	TupleDescInitEntry(spool->descriptor, COLUMN_KEY + 1, NULL, BYTEAOID, -1, 0);
	TupleDescInitEntry(spool->descriptor, COLUMN_RELATION + 1, NULL, INT4OID, -1, 0);
	TupleDescInitEntry(spool->descriptor, COLUMN_ROW + 1, NULL, BYTEAOID, -1, 0);
	spool->input = MakeSingleTupleTableSlot(spool->descriptor, &TTSOpsVirtual);
	spool->before = gl_sort_begin(spool);
	gl_buffer_init(&spool->image, gl_grow);
	gl_buffer_reserve(&spool->image, 8192);
	gl_buffer_init(&spool->key, gl_grow);
	gl_buffer_reserve(&spool->key, 256);
	return spool;
}

/* --- rows into a sort --- */

/* The key columns of an image; without a key a hash of it. */
static void
gl_make_key(GlSpool *spool, const GlEncoder *encoder, GlBytes image)
{
	GlReader	reader;
	GlFieldReader fields;
	GlField		field;
	GlHash		hash;
	int			i = 0;

	spool->key.length = 0;
	if (!encoder->has_key)
	{
		gl_sha256_parts(&image, 1, &hash);
		gl_buffer_append(&spool->key, hash.bytes, GL_HASH_SIZE);
		return;
	}
	gl_reader_init(&reader, image.data, image.length);
	gl_fields_begin(&fields, &reader, false);
	while (gl_fields_next(&fields, &field))
	{
		/* both ascend */
		while (i < encoder->columns_count && (uint64) encoder->columns[i].column_id < field.column_id)
			i++;
		if (i == encoder->columns_count || (uint64) encoder->columns[i].column_id != field.column_id ||
			encoder->columns[i].key_ordinal == 0)
			continue;
		gl_buffer_varint(&spool->key, field.column_id);
		gl_buffer_text(&spool->key, field.value.data, field.value.length);
	}
}

static void
gl_put_row(GlSpool *spool, Tuplesortstate *sort, int relation, const GlEncoder *encoder, GlBytes image)
{
	TupleTableSlot *slot = spool->input;

	gl_make_key(spool, encoder, image);
	ExecClearTuple(slot);
	slot->tts_values[COLUMN_KEY] = gl_bytea(spool->key.data, spool->key.length);
	slot->tts_values[COLUMN_RELATION] = Int32GetDatum(relation);
	slot->tts_values[COLUMN_ROW] = gl_bytea(image.data, image.length);
	memset(slot->tts_isnull, 0, COLUMNS_COUNT * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(sort, slot);
}

static void
gl_scan_rows(GlSpool *spool, Tuplesortstate *sort, int relation, Relation heap, const GlEncoder *encoder)
{
	TableScanDesc scan = table_beginscan(heap, GetActiveSnapshot(), 0, NULL);
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	GlProgress	progress;

	gl_progress_start(&progress, heap, spool->before == sort ? "read before the command" : "read after the command");
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext old = MemoryContextSwitchTo(spool->row_memory);
		GlBytes		image;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		spool->image.length = 0;
		gl_encode_clear_image(encoder, slot->tts_values, slot->tts_isnull, &spool->image);
		image.data = spool->image.data;
		image.length = spool->image.length;
		gl_put_row(spool, sort, relation, encoder, image);
		gl_progress_row(&progress, ItemPointerGetBlockNumber(&slot->tts_tid));
		MemoryContextSwitchTo(old);
		MemoryContextReset(spool->row_memory);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
}

/* All rows that are there now: a snapshot from before the lock could miss the last ones of other writers. */
static void
gl_read_relation(GlSpool *spool, Tuplesortstate *sort, int relation, Relation heap, const GlEncoder *encoder)
{
	GlPinState	state;

	PushActiveSnapshot(GetLatestSnapshot());
	gl_pin_begin(&state, encoder->pin);
	PG_TRY();
	{
		gl_scan_rows(spool, sort, relation, heap, encoder);
	}
	PG_FINALLY();
	{
		gl_pin_end(&state);
	}
	PG_END_TRY();
	PopActiveSnapshot();
}

static const GlEncoder *
gl_require_encoder(Relation relation)
{
	const GlEncoder *encoder = gl_encoder_for(relation);

	if (encoder == NULL)
		elog(ERROR, "relation %u is not in the ledger catalog", RelationGetRelid(relation));
	return encoder;
}

static Bitmapset *
gl_column_ids(const GlEncoder *encoder)
{
	Bitmapset  *ids = NULL;
	int			i;

	for (i = 0; i < encoder->columns_count; i++)
		ids = bms_add_member(ids, encoder->columns[i].column_id);
	return ids;
}

void
gl_spool_add(GlSpool *spool, Oid oid)
{
	MemoryContext old = MemoryContextSwitchTo(spool->memory);
	Relation	relation = table_open(oid, NoLock);
	GlSpoolRelation *member = palloc0(sizeof(GlSpoolRelation));
	const GlEncoder *encoder = gl_require_encoder(relation);

	member->oid = oid;
	member->before = gl_column_ids(encoder);
	gl_read_relation(spool, spool->before, list_length(spool->relations), relation, encoder);
	spool->relations = lappend(spool->relations, member);
	/* keep the lock; DDL refuses to work on a table that is open here */
	table_close(relation, NoLock);
	MemoryContextSwitchTo(old);
}

/* --- comparing --- */

/* Open what is still there and still in the ledger; true if columns are gone that the rows before have. */
static bool
gl_open_relations(GlSpool *spool)
{
	bool		dropped = false;
	ListCell   *cell;

	foreach(cell, spool->relations)
	{
		GlSpoolRelation *member = lfirst(cell);

		if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(member->oid)))
			continue;
		member->relation = table_open(member->oid, NoLock);
		member->encoder = gl_encoder_for(member->relation);
		if (member->encoder != NULL)
			dropped |= !bms_is_subset(member->before, gl_column_ids(member->encoder));
	}
	return dropped;
}

static void
gl_close_relations(GlSpool *spool)
{
	ListCell   *cell;

	foreach(cell, spool->relations)
	{
		GlSpoolRelation *member = lfirst(cell);

		if (member->relation != NULL)
			table_close(member->relation, NoLock);
	}
}

static const GlEncoder *
gl_member_encoder(const GlSpool *spool, int relation)
{
	return ((const GlSpoolRelation *) list_nth(spool->relations, relation))->encoder;
}

static bool
gl_side_next(GlSide *side)
{
	side->more = tuplesort_gettupleslot(side->sort, true, false, side->slot, NULL);
	if (!side->more)
		return false;
	slot_getallattrs(side->slot);
	side->key = gl_bytea_bytes(side->slot->tts_values[COLUMN_KEY]);
	side->relation = DatumGetInt32(side->slot->tts_values[COLUMN_RELATION]);
	side->row = gl_bytea_bytes(side->slot->tts_values[COLUMN_ROW]);
	return true;
}

static void
gl_side_open(GlSide *side, const GlSpool *spool, Tuplesortstate *sort)
{
	side->sort = sort;
	side->slot = MakeSingleTupleTableSlot(spool->descriptor, &TTSOpsMinimalTuple);
	tuplesort_performsort(sort);
}

static void
gl_side_close(GlSide *side)
{
	ExecDropSingleTupleTableSlot(side->slot);
	tuplesort_end(side->sort);
}

/* An image without the columns that the encoder does not have any more; lies in spool->image. */
static GlBytes
gl_without_dropped(GlSpool *spool, const GlEncoder *encoder, GlBytes image)
{
	Bitmapset  *ids = gl_column_ids(encoder);
	GlReader	reader;
	GlFieldReader fields;
	GlField		field;
	GlBytes		result;
	int			pass;
	int			count = 0;

	spool->image.length = 0;
	for (pass = 0; pass < 2; pass++)
	{
		if (pass == 1)
			gl_buffer_varint(&spool->image, count);
		gl_reader_init(&reader, image.data, image.length);
		gl_fields_begin(&fields, &reader, false);
		while (gl_fields_next(&fields, &field))
		{
			if (!bms_is_member((int) field.column_id, ids))
				continue;
			count++;
			if (pass == 0)
				continue;
			gl_buffer_varint(&spool->image, field.column_id);
			gl_buffer_varint(&spool->image, (uint64) field.value.length << 1);
			gl_buffer_append(&spool->image, field.value.data, field.value.length);
		}
	}
	result.data = spool->image.data;
	result.length = spool->image.length;
	return result;
}

/* The schema record took the dropped columns out of the rows of the log: so do we, before we compare. */
static void
gl_forget_dropped(GlSpool *spool)
{
	GlSide		side;
	Tuplesortstate *sort = gl_sort_begin(spool);

	gl_side_open(&side, spool, spool->before);
	while (gl_side_next(&side))
	{
		MemoryContext old = MemoryContextSwitchTo(spool->row_memory);
		const GlEncoder *encoder = gl_member_encoder(spool, side.relation);

		CHECK_FOR_INTERRUPTS();
		if (encoder != NULL)
			gl_put_row(spool, sort, side.relation, encoder, gl_without_dropped(spool, encoder, side.row));
		MemoryContextSwitchTo(old);
		MemoryContextReset(spool->row_memory);
	}
	gl_side_close(&side);
	spool->before = sort;
}

static int
gl_compare_sides(const GlSide *before, const GlSide *after)
{
	int			result;

	if (!before->more || !after->more)
		return before->more ? -1 : 1;
	/* as the sort does it */
	result = memcmp(before->key.data, after->key.data, Min(before->key.length, after->key.length));
	if (result == 0 && before->key.length != after->key.length)
		result = before->key.length < after->key.length ? -1 : 1;
	return result != 0 ? result : before->relation - after->relation;
}

static void
gl_record_difference(const GlSpool *spool, const GlSide *before, const GlSide *after, int order, CommandId command)
{
	MemoryContext old = MemoryContextSwitchTo(spool->row_memory);
	const GlEncoder *encoder = gl_member_encoder(spool, order < 0 ? before->relation : after->relation);
	GlBytes		none = {NULL, 0};

	if (encoder == NULL)
		;						/* the relation went, and a schema record says so */
	else if (order < 0)
		gl_row_record_clear(encoder, GL_RECORD_DELETE, command, before->row, none);
	else if (order > 0)
		gl_row_record_clear(encoder, GL_RECORD_INSERT, command, after->row, none);
	else if (before->row.length != after->row.length ||
			 memcmp(before->row.data, after->row.data, after->row.length) != 0)
		gl_row_record_clear(encoder, GL_RECORD_UPDATE, command, after->row, before->row);
	MemoryContextSwitchTo(old);
	MemoryContextReset(spool->row_memory);
}

static void
gl_merge(GlSpool *spool, Tuplesortstate *after_sort, CommandId command)
{
	GlSide		before;
	GlSide		after;

	gl_side_open(&before, spool, spool->before);
	gl_side_open(&after, spool, after_sort);
	(void) gl_side_next(&before);
	(void) gl_side_next(&after);
	while (before.more || after.more)
	{
		int			order = gl_compare_sides(&before, &after);

		CHECK_FOR_INTERRUPTS();
		gl_record_difference(spool, &before, &after, order, command);
		if (order <= 0)
			(void) gl_side_next(&before);
		if (order >= 0)
			(void) gl_side_next(&after);
	}
	gl_side_close(&before);
	gl_side_close(&after);
}

void
gl_spool_compare(GlSpool *spool)
{
	MemoryContext old = MemoryContextSwitchTo(spool->memory);
	Tuplesortstate *after;
	ListCell   *cell;

	if (gl_open_relations(spool))
		gl_forget_dropped(spool);
	after = gl_sort_begin(spool);
	foreach(cell, spool->relations)
	{
		GlSpoolRelation *member = lfirst(cell);

		if (member->encoder != NULL)
			gl_read_relation(spool, after, foreach_current_index(cell), member->relation, member->encoder);
	}
	gl_merge(spool, after, GetCurrentCommandId(true));
	gl_close_relations(spool);
	ExecDropSingleTupleTableSlot(spool->input);
	MemoryContextSwitchTo(old);
}
