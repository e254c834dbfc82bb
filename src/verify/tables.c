/*
 * tables.c
 *		The catalog of ledger tables under the snapshot of the run.
 *
 * ledger/table.h reads what is committed now; here everything must come from one snapshot, and a damaged catalog must
 * not end the verification.
 */
#include "verify/tables.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/catalog.h"
#include "history/table.h"
#include "ledger/rows.h"

struct GlTables
{
	List	   *tables;			/* of GlTable *, ascending table id */
};

static GlTable *
add_table(GlTables *tables, const Datum *values, const bool *nulls)
{
	GlTable    *table = palloc0(sizeof(GlTable));
	GlLedgerTable *ledger = palloc0(sizeof(GlLedgerTable));

	ledger->table_id = DatumGetInt32(values[Anum_gl_ledger_table_table_id - 1]);
	/* an unknown word becomes a number that no record has */
	ledger->visibility = gl_visibility_from_name(TextDatumGetCString(values[Anum_gl_ledger_table_visibility - 1]));
	ledger->append_only = DatumGetBool(values[Anum_gl_ledger_table_append_only - 1]);
	ledger->history = DatumGetBool(values[Anum_gl_ledger_table_history - 1]);
	ledger->unprotected = !nulls[Anum_gl_ledger_table_unprotected_at - 1];
	table->ledger = ledger;
	table->name = psprintf("table %d", ledger->table_id);
	tables->tables = lappend(tables->tables, table);
	return table;
}

static void
load_tables(GlTables *tables, Snapshot snapshot)
{
	Relation	heap = gl_relation_open(GL_REL_LEDGER_TABLE, AccessShareLock);
	Relation	index = index_open(gl_relation_oid(GL_REL_LEDGER_TABLE_PKEY), AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(heap, index, snapshot, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		Datum		values[Natts_gl_ledger_table];
		bool		nulls[Natts_gl_ledger_table];

		heap_deform_tuple(tuple, RelationGetDescr(heap), values, nulls);
		(void) add_table(tables, values, nulls);
	}
	systable_endscan_ordered(scan);
	index_close(index, NoLock);
	table_close(heap, NoLock);
}

static void
load_columns(GlTables *tables, Snapshot snapshot)
{
	Relation	heap = gl_relation_open(GL_REL_LEDGER_COLUMN, AccessShareLock);
	Relation	index = index_open(gl_relation_oid(GL_REL_LEDGER_COLUMN_PKEY), AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(heap, index, snapshot, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		int			table_id;
		GlLedgerColumn *column = gl_ledger_column_read(tuple, RelationGetDescr(heap), &table_id);
		GlTable    *table = gl_tables_find(tables, table_id);

		if (table == NULL)
			continue;
		table->ledger->columns = lappend(table->ledger->columns, column);
	}
	systable_endscan_ordered(scan);
	index_close(index, NoLock);
	table_close(heap, NoLock);
}

static void
load_relations(GlTables *tables, Snapshot snapshot)
{
	Relation	heap = gl_relation_open(GL_REL_LEDGER_RELATION, AccessShareLock);
	Relation	index = index_open(gl_relation_oid(GL_REL_LEDGER_RELATION_PKEY), AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(heap, index, snapshot, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		int			table_id;
		GlLedgerRelation *relation = gl_ledger_relation_read(tuple, RelationGetDescr(heap), &table_id);
		GlTable    *table = gl_tables_find(tables, table_id);

		if (table == NULL)
			continue;
		table->ledger->relations = lappend(table->ledger->relations, relation);
		if (relation->relation_id == 0)
			table->name = quote_qualified_identifier(relation->schema_name, relation->name);
	}
	systable_endscan_ordered(scan);
	index_close(index, NoLock);
	table_close(heap, NoLock);
}

/* Column ids are small numbers given in order; a larger one is damage and has no flags. */
#define FLAGS_MAX 65536

static void
note_columns(GlTable *table)
{
	ListCell   *cell;

	foreach(cell, table->ledger->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (column->column_id > 0 && column->column_id < FLAGS_MAX)
			table->flags_count = Max(table->flags_count, column->column_id + 1);
	}
	table->flags = palloc0(table->flags_count + 1);
	foreach(cell, table->ledger->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (column->column_id <= 0 || column->column_id >= FLAGS_MAX)
			continue;
		table->flags[column->column_id] = GL_COLUMN_KNOWN | (column->dropped ? GL_COLUMN_DROPPED : 0) |
			(column->personal ? GL_COLUMN_IS_PERSONAL : 0);
		table->special |= column->dropped || column->personal;
	}
}

GlTables *
gl_tables_open(GlVerify *verify)
{
	GlTables   *tables = palloc0(sizeof(GlTables));
	ListCell   *cell;

	load_tables(tables, verify->snapshot);
	load_columns(tables, verify->snapshot);
	load_relations(tables, verify->snapshot);
	foreach(cell, tables->tables)
	{
		GlTable    *table = lfirst(cell);

		note_columns(table);
		table->access = gl_access_open(table->ledger);
		table->wanted = !table->ledger->unprotected;
	}
	return tables;
}

/* Ids are given in order, so the table with an id is mostly at that place. */
GlTable *
gl_tables_find(const GlTables *tables, uint64 table_id)
{
	ListCell   *cell;

	if (table_id > 0 && table_id <= (uint64) list_length(tables->tables))
	{
		GlTable    *table = list_nth(tables->tables, (int) table_id - 1);

		if ((uint64) table->ledger->table_id == table_id)
			return table;
	}
	foreach(cell, tables->tables)
	{
		GlTable    *table = lfirst(cell);

		if ((uint64) table->ledger->table_id == table_id)
			return table;
	}
	return NULL;
}

List *
gl_tables_list(const GlTables *tables)
{
	return tables->tables;
}

GlTable *
gl_tables_find_relation(const GlTables *tables, Oid relation)
{
	ListCell   *cell;
	ListCell   *relation_cell;

	foreach(cell, tables->tables)
	{
		GlTable    *table = lfirst(cell);

		foreach(relation_cell, table->ledger->relations)
			if (((GlLedgerRelation *) lfirst(relation_cell))->relation == relation)
				return table;
	}
	return NULL;
}

const GlLedgerColumn *
gl_table_column(const GlTable *table, uint64 column_id)
{
	ListCell   *cell;

	foreach(cell, table->ledger->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if ((uint64) column->column_id == column_id)
			return column;
	}
	return NULL;
}

List *
gl_inheritance_tree(Snapshot snapshot, Oid relation)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	List	   *tree = list_make1_oid(relation);
	int			next;

	/* the list grows while it is walked */
	for (next = 0; next < list_length(tree); next++)
	{
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tuple;

		ScanKeyInit(&key, Anum_pg_inherits_inhparent, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(list_nth_oid(tree, next)));
		scan = systable_beginscan(inherits, InheritsParentIndexId, true, snapshot, 1, &key);
		while (HeapTupleIsValid(tuple = systable_getnext(scan)))
			tree = list_append_unique_oid(tree, ((Form_pg_inherits) GETSTRUCT(tuple))->inhrelid);
		systable_endscan(scan);
	}
	table_close(inherits, AccessShareLock);
	return tree;
}

List *
gl_tables_relations(Snapshot snapshot)
{
	Relation	heap = gl_relation_open(GL_REL_LEDGER_RELATION, AccessShareLock);
	SysScanDesc scan = systable_beginscan(heap, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple;
	List	   *relations = NIL;
	List	   *histories;
	ListCell   *cell;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		int			table_id;
		GlLedgerRelation *relation = gl_ledger_relation_read(tuple, RelationGetDescr(heap), &table_id);

		if (OidIsValid(relation->relation))
			relations = list_concat_unique_oid(relations, gl_inheritance_tree(snapshot, relation->relation));
	}
	systable_endscan(scan);
	table_close(heap, NoLock);
	/* filling a history anew truncates it first */
	histories = gl_history_load_all(snapshot);
	foreach(cell, histories)
		if (get_rel_relkind(((GlHistoryTable *) lfirst(cell))->history) == RELKIND_RELATION)
			relations = list_append_unique_oid(relations, ((GlHistoryTable *) lfirst(cell))->history);
	return relations;
}
