/*
 * scan.c
 *		The rows of a table as capture would print them.
 */
#include "verify/tables.h"

#include "access/table.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "capture/encode.h"
#include "core/catalog.h"

struct GlScan
{
	GlVerify   *verify;
	const GlTable *table;
	Relation	heap;
	const GlEncoder *encoder;
	TableScanDesc scan;
	TupleTableSlot *slot;
	MemoryContext row_memory;
	GlBuffer	image;
	double		blocks;
	GlOwnerScope scope;
};

GlScan *
gl_scan_open(GlVerify *verify, GlTable *table, const GlLedgerRelation *relation)
{
	GlScan	   *scan = palloc0(sizeof(GlScan));

	scan->verify = verify;
	scan->table = table;
	scan->heap = table_open(relation->relation, AccessShareLock);
	scan->encoder = gl_encoder_for(scan->heap);
	if (scan->encoder == NULL)
		elog(ERROR, "relation %u is not in the ledger catalog", relation->relation);
	scan->slot = table_slot_create(scan->heap, NULL);
	scan->row_memory = AllocSetContextCreate(CurrentMemoryContext, "govledger row", ALLOCSET_DEFAULT_SIZES);
	gl_buffer_init(&scan->image, gl_grow);
	gl_buffer_reserve(&scan->image, 8192);
	scan->blocks = (double) RelationGetNumberOfBlocks(scan->heap);
	gl_owner_enter(&scan->scope, scan->heap->rd_rel->relowner);
	scan->scan = table_beginscan(scan->heap, verify->snapshot, 0, NULL);
	return scan;
}

bool
gl_scan_next(GlScan *scan, GlBytes *row)
{
	MemoryContext old;
	GlBytes		image;

	if (!table_scan_getnextslot(scan->scan, ForwardScanDirection, scan->slot))
		return false;
	gl_verify_progress(scan->verify, scan->table->name, (double) ItemPointerGetBlockNumber(&scan->slot->tts_tid),
					   scan->blocks);
	MemoryContextReset(scan->row_memory);
	old = MemoryContextSwitchTo(scan->row_memory);
	slot_getallattrs(scan->slot);
	scan->image.length = 0;
	gl_encode_clear_image(scan->encoder, scan->slot->tts_values, scan->slot->tts_isnull, &scan->image);
	MemoryContextSwitchTo(old);
	image.data = scan->image.data;
	image.length = scan->image.length;
	*row = gl_row_of_image(image);
	return true;
}

void
gl_scan_close(GlScan *scan)
{
	table_endscan(scan->scan);
	gl_owner_leave(&scan->scope);
	ExecDropSingleTupleTableSlot(scan->slot);
	table_close(scan->heap, NoLock);
	MemoryContextDelete(scan->row_memory);
	pfree(scan->image.data);
	pfree(scan);
}
