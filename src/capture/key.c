/*
 * key.c
 *		What makes the key of a ledger table a key; see key.h.
 */
#include "capture/key.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_index.h"
#include "utils/builtins.h"

static int
gl_key_count(const GlLedgerTable *table)
{
	ListCell   *cell;
	int			count = 0;

	foreach(cell, table->columns)
		count += ((GlLedgerColumn *) lfirst(cell))->key_ordinal > 0;
	return count;
}

bool
gl_key_is_unique(const GlLedgerTable *table, Relation relation, List *without)
{
	List	   *indexes = RelationGetIndexList(relation);
	int			key_count = gl_key_count(table);
	ListCell   *cell;
	bool		found = key_count == 0;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		Form_pg_index form = index->rd_index;
		int			matches = 0;
		int			i;

		if (!list_member_oid(without, form->indexrelid) && form->indisunique && form->indisvalid && form->indnkeyatts == key_count &&
			RelationGetIndexPredicate(index) == NIL && RelationGetIndexExpressions(index) == NIL)
		{
			ListCell   *column_cell;

			for (i = 0; i < key_count; i++)
				foreach(column_cell, table->columns)
				{
					GlLedgerColumn *column = lfirst(column_cell);

					if (column->key_ordinal > 0 && column->attribute_number == form->indkey.values[i])
						matches++;
				}
		}
		found |= matches == key_count;
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return found;
}

static void
gl_refuse_key_loss(Relation relation)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the key of ledger table \"%s\" must stay unique", RelationGetRelationName(relation)),
			 errdetail("The history of a row needs something that identifies the row."),
			 errhint("Create another unique index on exactly the key columns first, or use govledger.unprotect().")));
}

void
gl_key_check(const GlLedgerTable *table, Relation relation)
{
	ListCell   *cell;

	foreach(cell, table->columns)
	{
		const GlLedgerColumn *column = lfirst(cell);

		if (column->key_ordinal > 0 && !column->dropped &&
			!TupleDescAttr(RelationGetDescr(relation), column->attribute_number - 1)->attnotnull)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("key column \"%s\" of ledger table \"%s\" must stay NOT NULL", column->name,
							RelationGetRelationName(relation)),
					 errdetail("The history of a row needs something that identifies the row."),
					 errhint("Use govledger.unprotect(), and protect the table again with another key.")));
	}
	if (!gl_key_is_unique(table, relation, NIL))
		gl_refuse_key_loss(relation);
}

static void
gl_key_check_without(Oid owner, List *indexes)
{
	GlLedgerTable *table;
	Relation	relation;
	int			table_id;
	int			relation_id;

	if (!gl_ledger_relation_find(owner, &table_id, &relation_id) || relation_id != 0)
		return;
	table = gl_ledger_table_load(table_id);
	relation = table_open(owner, AccessShareLock);
	if (gl_key_is_unique(table, relation, NIL) && !gl_key_is_unique(table, relation, indexes))
		gl_refuse_key_loss(relation);
	table_close(relation, NoLock);
}

void
gl_key_check_drop(List *indexes)
{
	ListCell   *cell;

	foreach(cell, indexes)
		gl_key_check_without(IndexGetRelation(lfirst_oid(cell), true), indexes);
}
