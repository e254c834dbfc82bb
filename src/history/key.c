/*
 * key.c
 *		Versions of one key in a history; see key.h.
 */
#include "history/key.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/relcache.h"

#include "history/stream.h"
#include "ledger/table.h"

void
gl_history_fields(Relation heap, AttrNumber *numbers)
{
	TupleDesc	descriptor = RelationGetDescr(heap);
	int			field;
	int			i;

	for (field = 0; field < GL_HISTORY_FIELDS; field++)
	{
		numbers[field] = InvalidAttrNumber;
		for (i = 0; i < descriptor->natts; i++)
			if (!TupleDescAttr(descriptor, i)->attisdropped &&
				strcmp(NameStr(TupleDescAttr(descriptor, i)->attname), gl_history_field_names[field]) == 0 &&
				TupleDescAttr(descriptor, i)->atttypid == gl_history_field_types[field])
				numbers[field] = i + 1;
		if (numbers[field] == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("history \"%s\" has no column \"%s\" of type %s", RelationGetRelationName(heap),
							gl_history_field_names[field], format_type_be(gl_history_field_types[field])),
					 errhint("Somebody altered it. Drop it and run SELECT govledger.rebuild('schema.table').")));
	}
}

static void
find_columns(Relation heap, int table_id, GlHistoryKey *key)
{
	GlLedgerTable *table = gl_ledger_table_load(table_id);
	GlHistoryTable *history = gl_history_load(table_id, NULL);
	ListCell   *cell;
	ListCell   *mapped;

	memset(key, 0, sizeof(*key));
	foreach(cell, table->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (column->key_ordinal == 0 || column->key_ordinal > INDEX_MAX_KEYS - 1)
			continue;
		key->count = Max(key->count, column->key_ordinal);
		foreach(mapped, history->columns)
		{
			const GlHistoryColumn *place = lfirst(mapped);

			if (place->column_id == column->column_id && place->current)
				key->attributes[column->key_ordinal - 1] = get_attnum(RelationGetRelid(heap), place->name);
		}
	}
}

void
gl_history_key(Relation heap, int table_id, GlHistoryKey *key)
{
	List	   *indexes = RelationGetIndexList(heap);
	AttrNumber	fields[GL_HISTORY_FIELDS];
	ListCell   *cell;
	int			i;

	find_columns(heap, table_id, key);
	gl_history_fields(heap, fields);
	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		Form_pg_index form = index->rd_index;
		bool		fits = form->indisvalid && form->indnatts == key->count + 1 &&
			RelationGetIndexPredicate(index) == NIL && index->rd_rel->relam == BTREE_AM_OID &&
			form->indkey.values[key->count] == fields[GL_HISTORY_ENTRY];

		for (i = 0; fits && i < key->count; i++)
			fits = form->indkey.values[i] == key->attributes[i];
		if (fits && key->count > 0 && !OidIsValid(key->index))
			key->index = lfirst_oid(cell);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
}

int
gl_place_compare(const GlVersionPlace *a, const GlVersionPlace *b)
{
	if (a->entry != b->entry)
		return a->entry < b->entry ? -1 : 1;
	if (a->command != b->command)
		return a->command < b->command ? -1 : 1;
	if (a->record != b->record)
		return a->record < b->record ? -1 : 1;
	return (int) b->is_delete - (int) a->is_delete;
}

void
gl_version_read(TupleTableSlot *slot, const AttrNumber *fields, GlVersion *version)
{
	bool		isnull;
	text	   *operation = DatumGetTextPP(slot_getattr(slot, fields[GL_HISTORY_OPERATION], &isnull));

	version->operation = VARSIZE_ANY_EXHDR(operation) > 0 ? *VARDATA_ANY(operation) : ' ';
	version->place.entry = DatumGetInt64(slot_getattr(slot, fields[GL_HISTORY_ENTRY], &isnull));
	version->place.command = DatumGetInt64(slot_getattr(slot, fields[GL_HISTORY_COMMAND], &isnull));
	version->place.record = DatumGetInt64(slot_getattr(slot, fields[GL_HISTORY_RECORD], &isnull));
	version->place.is_delete = version->operation == 'd';
	version->relation = DatumGetInt32(slot_getattr(slot, fields[GL_HISTORY_RELATION], &isnull));
}

static void
key_scan_init(Relation index, const GlHistoryKey *key, const Datum *values, ScanKey keys)
{
	int			i;

	for (i = 0; i < key->count; i++)
	{
		Oid			operator = get_opfamily_member(index->rd_opfamily[i], index->rd_opcintype[i], index->rd_opcintype[i],
												   BTEqualStrategyNumber);

		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber, index->rd_opcintype[i],
							   index->rd_indcollation[i], get_opcode(operator), values[key->attributes[i] - 1]);
	}
}

void
gl_versions_walk(Relation heap, const GlHistoryKey *key, Snapshot snapshot, const Datum *values, GlVersionVisit visit,
				 void *arg)
{
	AttrNumber	fields[GL_HISTORY_FIELDS];
	ScanKeyData keys[INDEX_MAX_KEYS];
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	GlVersion	version;

	if (!OidIsValid(key->index))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("history \"%s\" has no index on its key", RelationGetRelationName(heap)),
				 errhint("Run SELECT govledger.rebuild('schema.table').")));
	gl_history_fields(heap, fields);
	index = index_open(key->index, AccessShareLock);
	key_scan_init(index, key, values, keys);
	slot = table_slot_create(heap, NULL);
	scan = gl_index_beginscan(heap, index, snapshot, key->count, 0);
	index_rescan(scan, keys, key->count, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		gl_version_read(slot, fields, &version);
		if (!visit(arg, &version))
			break;
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
}

Oid
gl_history_marks_index(Relation heap)
{
	AttrNumber	entry = get_attnum(RelationGetRelid(heap), gl_history_field_names[GL_HISTORY_ENTRY]);
	List	   *indexes = RelationGetIndexList(heap);
	Oid			found = InvalidOid;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index->rd_index->indisvalid && index->rd_index->indnatts == 1 && index->rd_rel->relam == BTREE_AM_OID &&
			index->rd_index->indkey.values[0] == entry && RelationGetIndexPredicate(index) != NIL)
			found = lfirst_oid(cell);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return found;
}

static Oid
require_marks_index(Relation heap)
{
	Oid			index = gl_history_marks_index(heap);

	if (!OidIsValid(index))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("history \"%s\" has no index of its truncates", RelationGetRelationName(heap)),
				 errhint("Run SELECT govledger.rebuild('schema.table').")));
	return index;
}

bool
gl_version_is_gone(Relation heap, Snapshot snapshot, const GlVersion *version, int64 limit)
{
	AttrNumber	fields[GL_HISTORY_FIELDS];
	ScanKeyData keys[2];
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	GlVersion	mark;
	bool		gone = false;

	gl_history_fields(heap, fields);
	index = index_open(require_marks_index(heap), AccessShareLock);
	ScanKeyInit(&keys[0], 1, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(version->place.entry));
	ScanKeyInit(&keys[1], 1, BTLessStrategyNumber, F_INT8LT, Int64GetDatum(limit));
	slot = table_slot_create(heap, NULL);
	scan = gl_index_beginscan(heap, index, snapshot, 2, 0);
	index_rescan(scan, keys, 2, NULL, 0);
	while (!gone && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		gl_version_read(slot, fields, &mark);
		gone = (mark.operation == 't' || mark.operation == 'r') && mark.relation == version->relation &&
			gl_place_compare(&mark.place, &version->place) > 0;
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	return gone;
}
