/*
 * table.c
 *		The catalog of histories; see table.h.
 */
#include "history/table.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/catalog.h"
#include "core/probe.h"
#include "ledger/rows.h"
#include "ledger/table.h"

enum
{
	Anum_history_state_only_row = 1,
	Anum_history_state_projected,
	Natts_history_state = Anum_history_state_projected
};

enum
{
	Anum_history_table_table_id = 1,
	Anum_history_table_history,
	Anum_history_table_definition,
	Natts_history_table = Anum_history_table_definition
};

enum
{
	Anum_history_progress_table_id = 1,
	Anum_history_progress_projected,
	Anum_history_progress_first_leaf,
	Anum_history_progress_ended,
	Anum_history_progress_schema_state,
	Anum_history_progress_error,
	Anum_history_progress_error_at,
	Natts_history_progress = Anum_history_progress_error_at
};

enum
{
	Anum_history_column_table_id = 1,
	Anum_history_column_mapping_id,
	Anum_history_column_column_id,
	Anum_history_column_type_name,
	Anum_history_column_history_column,
	Anum_history_column_current,
	Natts_history_column = Anum_history_column_current
};

bool
gl_history_installed(void)
{
	return OidIsValid(gl_relation_oid_if_there(GL_REL_HISTORY_TABLE));
}

static GlHistoryTable *
read_table(HeapTuple tuple, TupleDesc descriptor)
{
	GlHistoryTable *table = palloc0(sizeof(GlHistoryTable));
	Datum		values[Natts_history_table];
	bool		nulls[Natts_history_table];

	heap_deform_tuple(tuple, descriptor, values, nulls);
	table->table_id = DatumGetInt32(values[Anum_history_table_table_id - 1]);
	table->history = DatumGetObjectId(values[Anum_history_table_history - 1]);
	if (!nulls[Anum_history_table_definition - 1])
		table->definition = TextDatumGetCString(values[Anum_history_table_definition - 1]);
	table->projected = GL_HISTORY_NONE;
	table->first_leaf = GL_HISTORY_NONE;
	return table;
}

static void
read_progress(GlHistoryTable *table, HeapTuple tuple, TupleDesc descriptor)
{
	Datum		values[Natts_history_progress];
	bool		nulls[Natts_history_progress];

	heap_deform_tuple(tuple, descriptor, values, nulls);
	if (!nulls[Anum_history_progress_projected - 1])
		table->projected = DatumGetInt64(values[Anum_history_progress_projected - 1]);
	if (!nulls[Anum_history_progress_first_leaf - 1])
		table->first_leaf = DatumGetInt64(values[Anum_history_progress_first_leaf - 1]);
	table->ended = DatumGetBool(values[Anum_history_progress_ended - 1]);
	table->has_schema = !nulls[Anum_history_progress_schema_state - 1];
	if (table->has_schema)
	{
		GlBytes		stored = gl_bytea_bytes(values[Anum_history_progress_schema_state - 1]);

		table->schema.data = memcpy(palloc(stored.length + 1), stored.data, stored.length);
		table->schema.length = stored.length;
	}
	if (!nulls[Anum_history_progress_error - 1])
	{
		table->error = TextDatumGetCString(values[Anum_history_progress_error - 1]);
		table->error_at = nulls[Anum_history_progress_error_at - 1] ? 0 :
			DatumGetTimestampTz(values[Anum_history_progress_error_at - 1]);
	}
}

static void
load_progress(GlHistoryTable *table, Snapshot snapshot)
{
	Relation	heap = gl_relation_open(GL_REL_HISTORY_PROGRESS, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_history_progress_table_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table->table_id));
	scan = systable_beginscan(heap, gl_relation_oid(GL_REL_HISTORY_PROGRESS_PKEY), true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		read_progress(table, tuple, RelationGetDescr(heap));
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
}

static GlHistoryColumn *
read_column(HeapTuple tuple, TupleDesc descriptor)
{
	GlHistoryColumn *column = palloc0(sizeof(GlHistoryColumn));
	Datum		values[Natts_history_column];
	bool		nulls[Natts_history_column];

	heap_deform_tuple(tuple, descriptor, values, nulls);
	column->mapping_id = DatumGetInt32(values[Anum_history_column_mapping_id - 1]);
	column->column_id = DatumGetInt32(values[Anum_history_column_column_id - 1]);
	column->type_name = TextDatumGetCString(values[Anum_history_column_type_name - 1]);
	column->name = pstrdup(NameStr(*DatumGetName(values[Anum_history_column_history_column - 1])));
	column->current = DatumGetBool(values[Anum_history_column_current - 1]);
	return column;
}

static void
load_columns(GlHistoryTable *table, Snapshot snapshot)
{
	Relation	heap = gl_relation_open(GL_REL_HISTORY_COLUMN, AccessShareLock);
	Relation	index = index_open(gl_relation_oid(GL_REL_HISTORY_COLUMN_PKEY), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_history_column_table_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table->table_id));
	scan = systable_beginscan_ordered(heap, index, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
		table->columns = lappend(table->columns, read_column(tuple, RelationGetDescr(heap)));
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(heap, AccessShareLock);
}

/* Those of one id, or (0) all. */
static List *
load_tables(int table_id, Snapshot snapshot)
{
	Relation	heap = gl_relation_open(GL_REL_HISTORY_TABLE, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *tables = NIL;
	ListCell   *cell;

	ScanKeyInit(&key, Anum_history_table_table_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table_id));
	scan = systable_beginscan(heap, gl_relation_oid(GL_REL_HISTORY_TABLE_PKEY), table_id != 0, snapshot,
							  table_id != 0 ? 1 : 0, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		tables = lappend(tables, read_table(tuple, RelationGetDescr(heap)));
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
	foreach(cell, tables)
	{
		load_progress(lfirst(cell), snapshot);
		load_columns(lfirst(cell), snapshot);
	}
	return tables;
}

GlHistoryTable *
gl_history_load(int table_id, Snapshot snapshot)
{
	List	   *tables = load_tables(table_id, snapshot);

	return tables != NIL ? linitial(tables) : NULL;
}

List *
gl_history_load_all(Snapshot snapshot)
{
	return load_tables(0, snapshot);
}

int
gl_history_table_of(Oid history)
{
	Relation	heap = gl_relation_open(GL_REL_HISTORY_TABLE, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;
	int			table_id = 0;

	ScanKeyInit(&key, Anum_history_table_history, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(history));
	scan = systable_beginscan(heap, gl_relation_oid(GL_REL_HISTORY_TABLE_HISTORY_IDX), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		table_id = DatumGetInt32(heap_getattr(tuple, Anum_history_table_table_id, RelationGetDescr(heap), &isnull));
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
	return table_id;
}

void
gl_history_put(const GlHistoryTable *table)
{
	Datum		values[Natts_history_table] = {0};
	bool		nulls[Natts_history_table] = {0};

	values[Anum_history_table_table_id - 1] = Int32GetDatum(table->table_id);
	values[Anum_history_table_history - 1] = ObjectIdGetDatum(table->history);
	nulls[Anum_history_table_definition - 1] = table->definition == NULL;
	if (table->definition != NULL)
		values[Anum_history_table_definition - 1] = CStringGetTextDatum(table->definition);
	gl_catalog_put(GL_REL_HISTORY_TABLE, GL_REL_HISTORY_TABLE_PKEY, 1, values, nulls);
}

void
gl_history_progress_put(const GlHistoryTable *table)
{
	Datum		values[Natts_history_progress] = {0};
	bool		nulls[Natts_history_progress] = {0};

	values[Anum_history_progress_table_id - 1] = Int32GetDatum(table->table_id);
	values[Anum_history_progress_projected - 1] = Int64GetDatum(table->projected);
	nulls[Anum_history_progress_projected - 1] = table->projected == GL_HISTORY_NONE;
	values[Anum_history_progress_first_leaf - 1] = Int64GetDatum(table->first_leaf);
	nulls[Anum_history_progress_first_leaf - 1] = table->first_leaf == GL_HISTORY_NONE;
	values[Anum_history_progress_ended - 1] = BoolGetDatum(table->ended);
	nulls[Anum_history_progress_schema_state - 1] = !table->has_schema;
	if (table->has_schema)
		values[Anum_history_progress_schema_state - 1] = gl_bytea(table->schema.data, table->schema.length);
	nulls[Anum_history_progress_error - 1] = table->error == NULL;
	if (table->error != NULL)
		values[Anum_history_progress_error - 1] = CStringGetTextDatum(table->error);
	values[Anum_history_progress_error_at - 1] = TimestampTzGetDatum(table->error_at);
	nulls[Anum_history_progress_error_at - 1] = table->error == NULL;
	gl_catalog_put(GL_REL_HISTORY_PROGRESS, GL_REL_HISTORY_PROGRESS_PKEY, 1, values, nulls);
}

void
gl_history_column_put(int table_id, const GlHistoryColumn *column)
{
	Datum		values[Natts_history_column] = {0};
	bool		nulls[Natts_history_column] = {0};
	NameData	name;

	namestrcpy(&name, column->name);
	values[Anum_history_column_table_id - 1] = Int32GetDatum(table_id);
	values[Anum_history_column_mapping_id - 1] = Int32GetDatum(column->mapping_id);
	values[Anum_history_column_column_id - 1] = Int32GetDatum(column->column_id);
	values[Anum_history_column_type_name - 1] = CStringGetTextDatum(column->type_name);
	values[Anum_history_column_history_column - 1] = NameGetDatum(&name);
	values[Anum_history_column_current - 1] = BoolGetDatum(column->current);
	gl_catalog_put(GL_REL_HISTORY_COLUMN, GL_REL_HISTORY_COLUMN_PKEY, 2, values, nulls);
}

/* Every row of one table. */
static void
forget_rows(GlRelation which, GlRelation pkey, int table_id)
{
	Relation	heap = gl_relation_open(which, RowExclusiveLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table_id));
	scan = systable_beginscan(heap, gl_relation_oid(pkey), true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		CatalogTupleDelete(heap, &tuple->t_self);
	systable_endscan(scan);
	table_close(heap, RowExclusiveLock);
	CommandCounterIncrement();
}

void
gl_history_forget(int table_id)
{
	forget_rows(GL_REL_HISTORY_COLUMN, GL_REL_HISTORY_COLUMN_PKEY, table_id);
	forget_rows(GL_REL_HISTORY_TABLE, GL_REL_HISTORY_TABLE_PKEY, table_id);
}

int64
gl_history_projected(Snapshot snapshot)
{
	Relation	heap = gl_relation_open(GL_REL_HISTORY_STATE, AccessShareLock);
	SysScanDesc scan = systable_beginscan(heap, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple = systable_getnext(scan);
	bool		isnull;
	int64		projected = 0;

	if (HeapTupleIsValid(tuple))
		projected = DatumGetInt64(heap_getattr(tuple, Anum_history_state_projected, RelationGetDescr(heap), &isnull));
	systable_endscan(scan);
	table_close(heap, AccessShareLock);
	return projected;
}

void
gl_history_set_projected(int64 tree_size)
{
	Relation	heap = gl_relation_open(GL_REL_HISTORY_STATE, RowExclusiveLock);
	SysScanDesc scan = systable_beginscan(heap, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	old = systable_getnext(scan);
	Datum		values[Natts_history_state];
	bool		nulls[Natts_history_state] = {0};
	HeapTuple	tuple;

	values[Anum_history_state_only_row - 1] = BoolGetDatum(true);
	values[Anum_history_state_projected - 1] = Int64GetDatum(tree_size);
	tuple = heap_form_tuple(RelationGetDescr(heap), values, nulls);
	if (HeapTupleIsValid(old))
		CatalogTupleUpdate(heap, &old->t_self, tuple);
	else
		CatalogTupleInsert(heap, tuple);
	systable_endscan(scan);
	table_close(heap, RowExclusiveLock);
	CommandCounterIncrement();
}

int64
gl_history_reached(const GlHistoryTable *table, int64 projected)
{
	return table->projected != GL_HISTORY_NONE ? table->projected : projected;
}

int64
gl_sealed_size(Snapshot snapshot)
{
	GlProbe		seals;
	int64		size = 0;

	snapshot = RegisterSnapshot(snapshot);
	gl_probe_open(&seals, GL_REL_SEAL, gl_relation_oid(GL_REL_SEAL_PKEY), snapshot, 0);
	gl_probe_start(&seals, NULL, 0);
	if (gl_probe_previous(&seals))
		size = DatumGetInt64(gl_probe_value(&seals, Anum_gl_seal_tree_size));
	gl_probe_close(&seals);
	UnregisterSnapshot(snapshot);
	return size;
}

const GlHistoryColumn *
gl_history_column_find(const GlHistoryTable *table, int column_id, const char *type_name)
{
	ListCell   *cell;

	foreach(cell, table->columns)
	{
		const GlHistoryColumn *column = lfirst(cell);

		if (column->column_id == column_id && strcmp(column->type_name, type_name) == 0)
			return column;
	}
	return NULL;
}

void
gl_history_lock(void)
{
	LockDatabaseObject(RelationRelationId, gl_relation_oid(GL_REL_HISTORY_STATE), 1, ExclusiveLock);
}

bool
gl_history_try_lock(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId, gl_relation_oid(GL_REL_HISTORY_STATE), 1);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}
