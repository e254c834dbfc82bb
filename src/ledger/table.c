/*
 * table.c
 *		The catalog of ledger tables; see table.h.
 *
 * Rows are read and written directly, without SPI: the caller needs no right on our tables, and no user's search
 * path or plan is involved.
 */
#include "ledger/table.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "core/catalog.h"
#include "ledger/rows.h"

static const char *const gl_visibility_names[] = {"private", "peers", "public"};

int
gl_visibility_from_name(const char *name)
{
	int			i;

	for (i = 0; i < (int) lengthof(gl_visibility_names); i++)
		if (strcmp(name, gl_visibility_names[i]) == 0)
			return i;
	return -1;
}

const char *
gl_visibility_name(GlVisibility visibility)
{
	return gl_visibility_names[visibility];
}

bool
gl_ledger_relation_find(Oid relation, int *table_id, int *relation_id)
{
	Relation	catalog;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	bool		found;
	bool		isnull;

	catalog = gl_relation_open(GL_REL_LEDGER_RELATION, AccessShareLock);
	ScanKeyInit(&key, Anum_gl_ledger_relation_relation, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(catalog, gl_relation_oid(GL_REL_LEDGER_RELATION_RELATION_IDX), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		*table_id = DatumGetInt32(heap_getattr(tuple, Anum_gl_ledger_relation_table_id,
											   RelationGetDescr(catalog), &isnull));
		*relation_id = DatumGetInt32(heap_getattr(tuple, Anum_gl_ledger_relation_relation_id,
												  RelationGetDescr(catalog), &isnull));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* Start a scan of `which` for the rows of one table, in the order of the primary key. */
static SysScanDesc
gl_scan_table_id(Relation catalog, GlRelation index, Relation *opened, ScanKeyData *key, int table_id)
{
	ScanKeyInit(key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table_id));
	*opened = index_open(gl_relation_oid(index), AccessShareLock);
	return systable_beginscan_ordered(catalog, *opened, NULL, 1, key);
}

GlLedgerColumn *
gl_ledger_column_read(HeapTuple tuple, TupleDesc descriptor, int *table_id)
{
	Datum		values[Natts_gl_ledger_column];
	bool		nulls[Natts_gl_ledger_column];
	GlLedgerColumn *column = palloc0(sizeof(GlLedgerColumn));

	heap_deform_tuple(tuple, descriptor, values, nulls);
	*table_id = DatumGetInt32(values[Anum_gl_ledger_column_table_id - 1]);
	column->column_id = DatumGetInt32(values[Anum_gl_ledger_column_column_id - 1]);
	column->attribute_number = DatumGetInt16(values[Anum_gl_ledger_column_attribute_number - 1]);
	column->name = pstrdup(NameStr(*DatumGetName(values[Anum_gl_ledger_column_column_name - 1])));
	column->type_name = TextDatumGetCString(values[Anum_gl_ledger_column_type_name - 1]);
	column->personal = DatumGetBool(values[Anum_gl_ledger_column_personal - 1]);
	if (!nulls[Anum_gl_ledger_column_key_ordinal - 1])
		column->key_ordinal = DatumGetInt16(values[Anum_gl_ledger_column_key_ordinal - 1]);
	column->dropped = DatumGetBool(values[Anum_gl_ledger_column_dropped - 1]);
	return column;
}

GlLedgerRelation *
gl_ledger_relation_read(HeapTuple tuple, TupleDesc descriptor, int *table_id)
{
	Datum		values[Natts_gl_ledger_relation];
	bool		nulls[Natts_gl_ledger_relation];
	GlLedgerRelation *relation = palloc0(sizeof(GlLedgerRelation));

	heap_deform_tuple(tuple, descriptor, values, nulls);
	*table_id = DatumGetInt32(values[Anum_gl_ledger_relation_table_id - 1]);
	relation->relation_id = DatumGetInt32(values[Anum_gl_ledger_relation_relation_id - 1]);
	if (!nulls[Anum_gl_ledger_relation_relation - 1])
		relation->relation = DatumGetObjectId(values[Anum_gl_ledger_relation_relation - 1]);
	relation->schema_name = pstrdup(NameStr(*DatumGetName(values[Anum_gl_ledger_relation_schema_name - 1])));
	relation->name = pstrdup(NameStr(*DatumGetName(values[Anum_gl_ledger_relation_relation_name - 1])));
	return relation;
}

static List *
gl_load_columns(int table_id)
{
	Relation	catalog = gl_relation_open(GL_REL_LEDGER_COLUMN, AccessShareLock);
	Relation	index;
	ScanKeyData key;
	SysScanDesc scan = gl_scan_table_id(catalog, GL_REL_LEDGER_COLUMN_PKEY, &index, &key, table_id);
	HeapTuple	tuple;
	List	   *columns = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
		columns = lappend(columns, gl_ledger_column_read(tuple, RelationGetDescr(catalog), &table_id));
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(catalog, AccessShareLock);
	return columns;
}

static List *
gl_load_relations(int table_id)
{
	Relation	catalog = gl_relation_open(GL_REL_LEDGER_RELATION, AccessShareLock);
	Relation	index;
	ScanKeyData key;
	SysScanDesc scan = gl_scan_table_id(catalog, GL_REL_LEDGER_RELATION_PKEY, &index, &key, table_id);
	HeapTuple	tuple;
	List	   *relations = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
		relations = lappend(relations, gl_ledger_relation_read(tuple, RelationGetDescr(catalog), &table_id));
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(catalog, AccessShareLock);
	return relations;
}

GlLedgerTable *
gl_ledger_table_load(int table_id)
{
	Relation	catalog = gl_relation_open(GL_REL_LEDGER_TABLE, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Datum		values[Natts_gl_ledger_table];
	bool		nulls[Natts_gl_ledger_table];
	GlLedgerTable *table = palloc0(sizeof(GlLedgerTable));

	ScanKeyInit(&key, Anum_gl_ledger_table_table_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table_id));
	scan = systable_beginscan(catalog, gl_relation_oid(GL_REL_LEDGER_TABLE_PKEY), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("ledger table %d is missing from the catalog of govledger", table_id),
				 errhint("Run govledger.verify() to see what else was changed.")));
	heap_deform_tuple(tuple, RelationGetDescr(catalog), values, nulls);
	table->table_id = table_id;
	table->visibility = gl_visibility_from_name(TextDatumGetCString(values[Anum_gl_ledger_table_visibility - 1]));
	table->append_only = DatumGetBool(values[Anum_gl_ledger_table_append_only - 1]);
	table->history = DatumGetBool(values[Anum_gl_ledger_table_history - 1]);
	table->unprotected = !nulls[Anum_gl_ledger_table_unprotected_at - 1];
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);

	table->columns = gl_load_columns(table_id);
	table->relations = gl_load_relations(table_id);
	if (table->relations == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the relations of ledger table %d are missing from the catalog of govledger", table_id),
				 errhint("Run govledger.verify() to see what else was changed.")));
	return table;
}

const GlLedgerColumn *
gl_ledger_column_find(const GlLedgerTable *table, const char *name)
{
	ListCell   *cell;

	foreach(cell, table->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (!column->dropped && strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

List *
gl_ledger_table_ids(void)
{
	Relation	catalog = gl_relation_open(GL_REL_LEDGER_TABLE, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	List	   *ids = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		id = heap_getattr(tuple, Anum_gl_ledger_table_table_id, RelationGetDescr(catalog), &isnull);

		if (heap_attisnull(tuple, Anum_gl_ledger_table_unprotected_at, RelationGetDescr(catalog)))
			ids = lappend_int(ids, DatumGetInt32(id));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return ids;
}

int
gl_ledger_table_next_id(void)
{
	return (int) nextval_internal(gl_relation_oid(GL_REL_TABLE_ID_SEQ), false);
}

void
gl_catalog_put(GlRelation which, GlRelation pkey, int nkeys, Datum *values, bool *nulls)
{
	Relation	catalog = gl_relation_open(which, RowExclusiveLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	old;
	HeapTuple	tuple;
	int			i;

	Assert(nkeys <= (int) lengthof(keys));
	for (i = 0; i < nkeys; i++)
		ScanKeyInit(&keys[i], i + 1, BTEqualStrategyNumber, F_INT4EQ, values[i]);
	tuple = heap_form_tuple(RelationGetDescr(catalog), values, nulls);
	scan = systable_beginscan(catalog, gl_relation_oid(pkey), true, NULL, nkeys, keys);
	old = systable_getnext(scan);
	if (HeapTupleIsValid(old))
		CatalogTupleUpdate(catalog, &old->t_self, tuple);
	else
		CatalogTupleInsert(catalog, tuple);
	systable_endscan(scan);
	table_close(catalog, RowExclusiveLock);
	CommandCounterIncrement();
}

/* The row's time of protection must survive a replacement. */
static Datum
gl_protected_at(int table_id)
{
	Relation	catalog = gl_relation_open(GL_REL_LEDGER_TABLE, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Datum		result = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	bool		isnull;

	ScanKeyInit(&key, Anum_gl_ledger_table_table_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(table_id));
	scan = systable_beginscan(catalog, gl_relation_oid(GL_REL_LEDGER_TABLE_PKEY), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		result = heap_getattr(tuple, Anum_gl_ledger_table_protected_at, RelationGetDescr(catalog), &isnull);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return result;
}

void
gl_ledger_table_put(const GlLedgerTable *table)
{
	Datum		values[Natts_gl_ledger_table] = {0};
	bool		nulls[Natts_gl_ledger_table] = {0};

	values[Anum_gl_ledger_table_table_id - 1] = Int32GetDatum(table->table_id);
	values[Anum_gl_ledger_table_visibility - 1] = CStringGetTextDatum(gl_visibility_name(table->visibility));
	values[Anum_gl_ledger_table_append_only - 1] = BoolGetDatum(table->append_only);
	values[Anum_gl_ledger_table_history - 1] = BoolGetDatum(table->history);
	values[Anum_gl_ledger_table_protected_at - 1] = gl_protected_at(table->table_id);
	values[Anum_gl_ledger_table_unprotected_at - 1] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	nulls[Anum_gl_ledger_table_unprotected_at - 1] = !table->unprotected;
	gl_catalog_put(GL_REL_LEDGER_TABLE, GL_REL_LEDGER_TABLE_PKEY, 1, values, nulls);
}

void
gl_ledger_column_put(int table_id, const GlLedgerColumn *column)
{
	Datum		values[Natts_gl_ledger_column] = {0};
	bool		nulls[Natts_gl_ledger_column] = {0};
	NameData	name;

	namestrcpy(&name, column->name);
	values[Anum_gl_ledger_column_table_id - 1] = Int32GetDatum(table_id);
	values[Anum_gl_ledger_column_column_id - 1] = Int32GetDatum(column->column_id);
	values[Anum_gl_ledger_column_attribute_number - 1] = Int16GetDatum(column->attribute_number);
	values[Anum_gl_ledger_column_column_name - 1] = NameGetDatum(&name);
	values[Anum_gl_ledger_column_type_name - 1] = CStringGetTextDatum(column->type_name);
	values[Anum_gl_ledger_column_personal - 1] = BoolGetDatum(column->personal);
	values[Anum_gl_ledger_column_key_ordinal - 1] = Int16GetDatum(column->key_ordinal);
	nulls[Anum_gl_ledger_column_key_ordinal - 1] = column->key_ordinal == 0;
	values[Anum_gl_ledger_column_dropped - 1] = BoolGetDatum(column->dropped);
	gl_catalog_put(GL_REL_LEDGER_COLUMN, GL_REL_LEDGER_COLUMN_PKEY, 2, values, nulls);
}

void
gl_ledger_relation_put(int table_id, const GlLedgerRelation *relation)
{
	Datum		values[Natts_gl_ledger_relation] = {0};
	bool		nulls[Natts_gl_ledger_relation] = {0};
	NameData	schema_name;
	NameData	name;

	namestrcpy(&schema_name, relation->schema_name);
	namestrcpy(&name, relation->name);
	values[Anum_gl_ledger_relation_table_id - 1] = Int32GetDatum(table_id);
	values[Anum_gl_ledger_relation_relation_id - 1] = Int32GetDatum(relation->relation_id);
	values[Anum_gl_ledger_relation_relation - 1] = ObjectIdGetDatum(relation->relation);
	nulls[Anum_gl_ledger_relation_relation - 1] = !OidIsValid(relation->relation);
	values[Anum_gl_ledger_relation_schema_name - 1] = NameGetDatum(&schema_name);
	values[Anum_gl_ledger_relation_relation_name - 1] = NameGetDatum(&name);
	gl_catalog_put(GL_REL_LEDGER_RELATION, GL_REL_LEDGER_RELATION_PKEY, 2, values, nulls);
}
