/*
 * leaf.c
 *		Rows of govledger.leaf, unrolled into single leaves.
 */
#include "verify/log.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/xid8.h"

#include "core/catalog.h"
#include "ledger/rows.h"

struct GlLeaves
{
	Relation	heap;
	Relation	index;
	SysScanDesc scan;
	MemoryContext memory;		/* of the row in hand */
	bool		row;			/* there is one */
	bool		done;			/* an index scan must not be asked again */
	int64		first_leaf;
	uint32		generation;
	const uint64 *transaction_ids;
	int			count;
	int			next;
};

/* Largest first_leaf that is not above `from`: the row which holds that leaf. */
static int64
row_holding(GlLeaves *leaves, Snapshot snapshot, int64 from)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;
	int64		first = from;

	ScanKeyInit(&key, Anum_gl_leaf_first_leaf, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(from));
	scan = systable_beginscan_ordered(leaves->heap, leaves->index, snapshot, 1, &key);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	if (HeapTupleIsValid(tuple))
		first = DatumGetInt64(heap_getattr(tuple, Anum_gl_leaf_first_leaf, RelationGetDescr(leaves->heap), &isnull));
	systable_endscan_ordered(scan);
	return first;
}

GlLeaves *
gl_leaves_open(Snapshot snapshot, int64 from)
{
	GlLeaves   *leaves = palloc0(sizeof(GlLeaves));
	ScanKeyData key;

	leaves->memory = AllocSetContextCreate(CurrentMemoryContext, "govledger leaves", ALLOCSET_DEFAULT_SIZES);
	leaves->heap = gl_relation_open(GL_REL_LEAF, AccessShareLock);
	leaves->index = index_open(gl_relation_oid(GL_REL_LEAF_PKEY), AccessShareLock);
	if (from > 0)
		from = row_holding(leaves, snapshot, from);
	ScanKeyInit(&key, Anum_gl_leaf_first_leaf, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(from));
	leaves->scan = systable_beginscan_ordered(leaves->heap, leaves->index, snapshot, from > 0 ? 1 : 0, &key);
	return leaves;
}

void
gl_leaves_close(GlLeaves *leaves)
{
	systable_endscan_ordered(leaves->scan);
	index_close(leaves->index, NoLock);
	table_close(leaves->heap, NoLock);
	MemoryContextDelete(leaves->memory);
	pfree(leaves);
}

/* An array that is not a plain list of transaction ids counts as empty: the leaves are then missing. */
static void
unroll(GlLeaves *leaves, Datum datum)
{
	ArrayType  *array;
	MemoryContext old;

	MemoryContextReset(leaves->memory);
	old = MemoryContextSwitchTo(leaves->memory);
	array = DatumGetArrayTypePCopy(datum);
	MemoryContextSwitchTo(old);
	leaves->next = 0;
	leaves->count = 0;
	if (ARR_NDIM(array) != 1 || ARR_HASNULL(array) || ARR_ELEMTYPE(array) != XID8OID)
		return;
	leaves->count = ARR_DIMS(array)[0];
	leaves->transaction_ids = (const uint64 *) ARR_DATA_PTR(array);
}

static bool
next_row(GlLeaves *leaves)
{
	HeapTuple	tuple = systable_getnext_ordered(leaves->scan, ForwardScanDirection);
	Datum		values[Natts_gl_leaf];
	bool		nulls[Natts_gl_leaf];

	if (!HeapTupleIsValid(tuple))
		return false;
	heap_deform_tuple(tuple, RelationGetDescr(leaves->heap), values, nulls);
	leaves->first_leaf = DatumGetInt64(values[Anum_gl_leaf_first_leaf - 1]);
	leaves->generation = (uint32) DatumGetInt32(values[Anum_gl_leaf_generation - 1]);
	unroll(leaves, values[Anum_gl_leaf_transaction_ids - 1]);
	return true;
}

bool
gl_leaves_next(GlLeaves *leaves, int64 limit, GlLeaf *leaf)
{
	while (!leaves->done && (!leaves->row || leaves->next >= leaves->count))
	{
		leaves->row = next_row(leaves);
		leaves->done = !leaves->row;
	}
	if (leaves->done)
		return false;
	leaf->index = leaves->first_leaf + leaves->next;
	leaf->generation = leaves->generation;
	leaf->transaction_id = leaves->transaction_ids[leaves->next];
	if (leaf->index >= limit)
		return false;
	leaves->next++;
	return true;
}
