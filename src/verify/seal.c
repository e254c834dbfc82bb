/*
 * seal.c
 *		Rows of govledger.seal: reading them, and what can be told from two of them in a row.
 */
#include "verify/log.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "core/catalog.h"
#include "ledger/rows.h"

/* The row in hand, the one before it, and the one after. */
#define SEALS_KEPT 3

struct GlSeals
{
	Relation	heap;
	Relation	index;
	SysScanDesc scan;
	GlStoredSeal	rows[SEALS_KEPT];
	int			next;
};

static void
read_row(GlStoredSeal *row, Relation heap, HeapTuple tuple)
{
	Datum		values[Natts_gl_seal];
	bool		nulls[Natts_gl_seal];
	GlBytes		bytes;

	heap_deform_tuple(tuple, RelationGetDescr(heap), values, nulls);
	row->height = DatumGetInt64(values[Anum_gl_seal_height - 1]);
	row->first_leaf = DatumGetInt64(values[Anum_gl_seal_first_leaf - 1]);
	row->tree_size = DatumGetInt64(values[Anum_gl_seal_tree_size - 1]);
	row->sealed_at = gl_unix_time(DatumGetTimestampTz(values[Anum_gl_seal_sealed_at - 1]));
	row->snapshot = PointerGetDatum(PG_DETOAST_DATUM_COPY(values[Anum_gl_seal_snapshot - 1]));
	bytes = gl_bytea_bytes(values[Anum_gl_seal_root - 1]);
	row->root_ok = bytes.length == GL_HASH_SIZE;
	if (row->root_ok)
		memcpy(row->root.bytes, bytes.data, GL_HASH_SIZE);
	row->content = gl_bytes_copy(gl_bytea_bytes(values[Anum_gl_seal_content - 1]));
	row->parsed = gl_seal_read(row->content, &row->seal);
	gl_merkle_leaf(row->content.data, row->content.length, &row->leaf);
	bytes = gl_bytea_bytes(values[Anum_gl_seal_right_edge - 1]);
	row->edge_ok = gl_merkle_edge_read(&row->edge, (uint64) gl_seal_size(row), bytes.data, bytes.length);
	if (row->edge_ok)
		gl_merkle_root(&row->edge, &row->edge_root);
}

GlSeals *
gl_seals_open(Snapshot snapshot, int64 from_height)
{
	GlSeals    *seals = palloc0(sizeof(GlSeals));
	ScanKeyData key;
	int			i;

	for (i = 0; i < SEALS_KEPT; i++)
		seals->rows[i].memory = AllocSetContextCreate(CurrentMemoryContext, "govledger seal",
													  ALLOCSET_SMALL_SIZES);
	seals->heap = gl_relation_open(GL_REL_SEAL, AccessShareLock);
	seals->index = index_open(gl_relation_oid(GL_REL_SEAL_PKEY), AccessShareLock);
	ScanKeyInit(&key, Anum_gl_seal_height, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(from_height));
	seals->scan = systable_beginscan_ordered(seals->heap, seals->index, snapshot, 1, &key);
	return seals;
}

GlStoredSeal *
gl_seals_next(GlSeals *seals)
{
	HeapTuple	tuple = systable_getnext_ordered(seals->scan, ForwardScanDirection);
	GlStoredSeal  *row = &seals->rows[seals->next];
	MemoryContext old;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	MemoryContextReset(row->memory);
	old = MemoryContextSwitchTo(row->memory);
	read_row(row, seals->heap, tuple);
	MemoryContextSwitchTo(old);
	seals->next = (seals->next + 1) % SEALS_KEPT;
	return row;
}

void
gl_seals_close(GlSeals *seals)
{
	int			i;

	systable_endscan_ordered(seals->scan);
	index_close(seals->index, NoLock);
	table_close(seals->heap, NoLock);
	for (i = 0; i < SEALS_KEPT; i++)
		MemoryContextDelete(seals->rows[i].memory);
	pfree(seals);
}

/* Heights and sizes grow together, so going back from the newest finds it soon, or is bounded by what is new. */
GlStoredSeal *
gl_seal_before(Snapshot snapshot, int64 size, MemoryContext memory)
{
	MemoryContext old = MemoryContextSwitchTo(memory);
	GlStoredSeal  *row = palloc0(sizeof(GlStoredSeal));
	Relation	heap = gl_relation_open(GL_REL_SEAL, AccessShareLock);
	Relation	index = index_open(gl_relation_oid(GL_REL_SEAL_PKEY), AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(heap, index, snapshot, 0, NULL);
	HeapTuple	tuple;
	bool		found = false;

	while (!found && HeapTupleIsValid(tuple = systable_getnext_ordered(scan, BackwardScanDirection)))
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (DatumGetInt64(heap_getattr(tuple, Anum_gl_seal_tree_size, RelationGetDescr(heap), &isnull)) > size)
			continue;
		read_row(row, heap, tuple);
		row->memory = memory;
		found = true;
	}
	systable_endscan_ordered(scan);
	index_close(index, NoLock);
	table_close(heap, NoLock);
	MemoryContextSwitchTo(old);
	return found ? row : NULL;
}

int64
gl_seal_size(const GlStoredSeal *row)
{
	if (row->parsed && row->seal.tree_size < (uint64) PG_INT64_MAX)
		return (int64) row->seal.tree_size + 1;
	return row->tree_size;
}

bool
gl_seal_sees(const GlStoredSeal *row, uint64 transaction_id)
{
	return DatumGetBool(DirectFunctionCall2(pg_visible_in_snapshot,
											FullTransactionIdGetDatum(FullTransactionIdFromU64(transaction_id)),
											row->snapshot));
}

/* Is the seal the successor of the one before, as far as servers, time and snapshots go? */
static const char *
check_succession(const GlStoredSeal *row, const GlStoredSeal *previous)
{
	const GlSeal *now = &row->seal;
	const GlSeal *before = &previous->seal;

	if (now->time < before->time)
		return "its time lies before that of the previous seal";
	if (now->generation < before->generation)
		return "its generation lies before that of the previous seal";
	if (now->generation > before->generation)
		return NULL;
	if (now->system_identifier != before->system_identifier)
		return "another cluster sealed it in the same generation";
	if (now->epoch < before->epoch)
		return "its epoch lies before that of the previous seal";
	if (now->timeline != before->timeline && now->epoch == before->epoch)
		return "another timeline sealed it in the same epoch";
	if (DatumGetUInt64(DirectFunctionCall1(pg_snapshot_xmax, row->snapshot)) <
		DatumGetUInt64(DirectFunctionCall1(pg_snapshot_xmax, previous->snapshot)))
		return "its snapshot lies before that of the previous seal";
	return NULL;
}

/* The columns beside the content say the same as the content. */
static const char *
check_columns(const GlStoredSeal *row)
{
	const GlSeal *seal = &row->seal;

	if (seal->height != (uint64) row->height)
		return psprintf("its content says height %llu", (unsigned long long) seal->height);
	if (gl_seal_size(row) != row->tree_size)
		return psprintf("its content says tree size %lld, the column tree_size %lld",
						(long long) gl_seal_size(row), (long long) row->tree_size);
	if (seal->time != row->sealed_at)
		return "the column sealed_at is not the time in its content";
	if (row->first_leaf < 0 || row->first_leaf >= row->tree_size - 1)
		return "it closes a block without entries";
	return NULL;
}

bool
gl_seal_check(GlVerify *verify, const GlStoredSeal *row, const GlStoredSeal *previous, bool chained)
{
	static const GlHash zero;
	char	   *name = psprintf("seal %lld", (long long) row->height);
	int64		leaf = row->tree_size - 1;
	int64		first = previous != NULL ? gl_seal_size(previous) : 0;
	const char *problem;

	if (!row->parsed)
	{
		gl_report_log(verify->report, GL_CHECK_SEAL, leaf, name, "its content is not a seal");
		return false;
	}
	if (!gl_bytes_equal(row->seal.origin, verify->origin))
		gl_report_log(verify->report, GL_CHECK_SEAL, leaf, name, "its content names another origin: %s",
					  gl_shown(row->seal.origin, false));
	problem = check_columns(row);
	if (problem != NULL)
		gl_report_log(verify->report, GL_CHECK_SEAL, leaf, name, "%s", problem);
	if (row->first_leaf != first && (previous == NULL || chained))
		gl_report_log(verify->report, GL_CHECK_SEAL, leaf, name,
					  "its block begins at leaf %lld, but the one before ends with leaf %lld",
					  (long long) row->first_leaf, (long long) first - 1);
	if (previous != NULL && previous->parsed)
	{
		problem = check_succession(row, previous);
		if (problem != NULL)
			gl_report_log(verify->report, GL_CHECK_SEAL, leaf, name, "%s", problem);
	}
	if (!chained)
		return true;
	return gl_hash_equal(&row->seal.previous_seal, previous != NULL ? &previous->leaf : &zero);
}
