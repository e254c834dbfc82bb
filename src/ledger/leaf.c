/*
 * leaf.c
 *		Rows of govledger.leaf, unrolled into single leaves.
 */
#include "ledger/log.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/xid8.h"

#include "core/catalog.h"
#include "core/probe.h"
#include "ledger/rows.h"

struct GlLeaves
{
	GlProbe		rows;
	MemoryContext memory;		/* of the row in hand */
	bool		row;			/* there is one */
	int64		first_leaf;
	uint32		generation;
	const uint64 *transaction_ids;
	int			count;
	int			next;
};

/* Largest first_leaf that is not above `from`: the row which holds that leaf. */
static int64
row_holding(GlProbe *rows, int64 from)
{
	ScanKeyData key;

	ScanKeyInit(&key, Anum_gl_leaf_first_leaf, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(from));
	gl_probe_start(rows, &key, 1);
	return gl_probe_previous(rows) ? DatumGetInt64(gl_probe_value(rows, Anum_gl_leaf_first_leaf)) : from;
}

GlLeaves *
gl_leaves_open(Snapshot snapshot, int64 from)
{
	GlLeaves   *leaves = palloc0(sizeof(GlLeaves));
	ScanKeyData key;

	leaves->memory = AllocSetContextCreate(CurrentMemoryContext, "govledger leaves", ALLOCSET_DEFAULT_SIZES);
	gl_probe_open(&leaves->rows, GL_REL_LEAF, gl_relation_oid(GL_REL_LEAF_PKEY), snapshot, 1);
	/* with no bound, whatever number a forged row has is found too */
	from = from > 0 ? row_holding(&leaves->rows, from) : PG_INT64_MIN;
	ScanKeyInit(&key, Anum_gl_leaf_first_leaf, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(from));
	gl_probe_start(&leaves->rows, &key, 1);
	return leaves;
}

void
gl_leaves_close(GlLeaves *leaves)
{
	gl_probe_close(&leaves->rows);
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
	GlProbe    *rows = &leaves->rows;

	if (!gl_probe_next(rows))
		return false;
	leaves->first_leaf = DatumGetInt64(gl_probe_value(rows, Anum_gl_leaf_first_leaf));
	leaves->generation = (uint32) DatumGetInt32(gl_probe_value(rows, Anum_gl_leaf_generation));
	unroll(leaves, gl_probe_value(rows, Anum_gl_leaf_transaction_ids));
	return true;
}

bool
gl_leaves_next(GlLeaves *leaves, int64 limit, GlLeaf *leaf)
{
	while (!leaves->row || leaves->next >= leaves->count)
	{
		leaves->row = next_row(leaves);
		if (!leaves->row)
			return false;
	}
	leaf->index = leaves->first_leaf + leaves->next;
	leaf->generation = leaves->generation;
	leaf->transaction_id = leaves->transaction_ids[leaves->next];
	if (leaf->index >= limit)
		return false;
	leaves->next++;
	return true;
}
