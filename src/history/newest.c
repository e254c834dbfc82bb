/*
 * newest.c
 *		The newest version of each key, by one scan; see newest.h.
 *
 * A key is remembered by the hash of its texts, so the memory is what the number of keys asks for, whatever their length.
 */
#include "history/newest.h"

#include "access/tableam.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "format/buffer.h"
#include "format/hash.h"
#include "core/text.h"
#include "history/stream.h"
#include "ledger/table.h"

struct GlNewest
{
	MemoryContext memory;
	MemoryContext row;			/* reset per row */
	int			count;			/* columns of the key */
	List	   *places[INDEX_MAX_KEYS];	/* attribute numbers */
	AttrNumber	fields[GL_HISTORY_FIELDS];
	int64		limit;			/* of what is in the table below */
	HTAB	   *keys;			/* of GlNewestKey; NULL: not scanned yet */
};

typedef struct GlNewestKey
{
	GlHash		key;
	GlVersionPlace place;
} GlNewestKey;

static void
add_places(GlNewest *newest, Relation heap, const GlHistoryTable *history, const GlLedgerColumn *column)
{
	List	  **places = &newest->places[column->key_ordinal - 1];
	ListCell   *cell;

	foreach(cell, history->columns)
	{
		const GlHistoryColumn *place = lfirst(cell);
		AttrNumber	attribute = get_attnum(RelationGetRelid(heap), place->name);

		if (place->column_id == column->column_id && attribute != InvalidAttrNumber)
			*places = list_append_unique_int(*places, attribute);
	}
	newest->count = Max(newest->count, column->key_ordinal);
}

GlNewest *
gl_newest_open(Relation heap, int table_id)
{
	GlLedgerTable *table = gl_ledger_table_load(table_id);
	GlHistoryTable *history = gl_history_load(table_id, NULL);
	GlNewest   *newest = palloc0(sizeof(GlNewest));
	bool		several = false;
	ListCell   *cell;
	int			i;

	foreach(cell, table->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (column->key_ordinal > 0 && column->key_ordinal <= INDEX_MAX_KEYS)
			add_places(newest, heap, history, column);
	}
	for (i = 0; i < newest->count; i++)
		several |= list_length(newest->places[i]) > 1;
	if (!several)
		return NULL;
	newest->memory = CurrentMemoryContext;
	newest->row = AllocSetContextCreate(CurrentMemoryContext, "govledger history key", ALLOCSET_SMALL_SIZES);
	gl_history_fields(heap, newest->fields);
	return newest;
}

/* Append the text of one column of the key; false if it is NULL in all its places. */
static bool
append_text(GlBuffer *texts, const List *places, TupleTableSlot *slot)
{
	ListCell   *cell;

	foreach(cell, places)
	{
		AttrNumber	attribute = lfirst_int(cell);
		bool		isnull;
		Datum		value = slot_getattr(slot, attribute, &isnull);
		Oid			function;
		bool		is_varlena;
		char	   *text;

		if (isnull)
			continue;
		getTypeOutputInfo(TupleDescAttr(slot->tts_tupleDescriptor, attribute - 1)->atttypid, &function, &is_varlena);
		text = OidOutputFunctionCall(function, value);
		gl_buffer_varint(texts, strlen(text));
		gl_buffer_append(texts, text, strlen(text));
		return true;
	}
	return false;
}

/* The hash of the key of this row; false if a part of it was erased, or the row is none. */
static bool
key_of(GlNewest *newest, TupleTableSlot *slot, GlHash *key)
{
	MemoryContext old = MemoryContextSwitchTo(newest->row);
	GlBuffer	texts;
	GlBytes		bytes;
	bool		whole = true;
	int			i;

	gl_buffer_init(&texts, gl_grow);
	gl_buffer_reserve(&texts, 64);
	for (i = 0; i < newest->count && whole; i++)
		whole = append_text(&texts, newest->places[i], slot);
	bytes.data = texts.data;
	bytes.length = texts.length;
	if (whole)
		gl_sha256_parts(&bytes, 1, key);
	MemoryContextSwitchTo(old);
	MemoryContextReset(newest->row);
	return whole;
}

static void
scan(GlNewest *newest, Relation heap, Snapshot snapshot, int64 limit)
{
	HASHCTL		control = {.keysize = sizeof(GlHash),.entrysize = sizeof(GlNewestKey),.hcxt = newest->memory};
	TableScanDesc heap_scan;
	TupleTableSlot *slot = table_slot_create(heap, NULL);

	if (newest->keys != NULL)
		hash_destroy(newest->keys);
	newest->keys = hash_create("govledger newest versions", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	newest->limit = limit;
	heap_scan = table_beginscan(heap, snapshot, 0, NULL);
	while (table_scan_getnextslot(heap_scan, ForwardScanDirection, slot))
	{
		GlVersion	version;
		GlNewestKey *known;
		GlHash		key;
		bool		found;

		CHECK_FOR_INTERRUPTS();
		gl_version_read(slot, newest->fields, &version);
		if (version.place.entry >= limit || !key_of(newest, slot, &key))
			continue;
		known = hash_search(newest->keys, &key, HASH_ENTER, &found);
		if (!found || gl_place_compare(&version.place, &known->place) > 0)
			known->place = version.place;
	}
	table_endscan(heap_scan);
	ExecDropSingleTupleTableSlot(slot);
}

bool
gl_newest_is(GlNewest *newest, Relation heap, Snapshot snapshot, TupleTableSlot *slot, const GlVersion *version, int64 limit)
{
	const GlNewestKey *known;
	GlHash		key;

	if (!key_of(newest, slot, &key))
		return false;
	if (newest->keys == NULL || newest->limit != limit)
		scan(newest, heap, snapshot, limit);
	known = hash_search(newest->keys, &key, HASH_FIND, NULL);
	return known != NULL && gl_place_compare(&version->place, &known->place) == 0;
}
