/*
 * genesis.c
 *		Rows that were there before the ledger; see schema.h.
 */
#include "capture/schema.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "capture/encode.h"
#include "capture/progress.h"
#include "capture/row.h"
#include "core/owner.h"

static void
gl_genesis_scan(Relation relation, const GlEncoder *encoder, Snapshot snapshot)
{
	TableScanDesc scan = table_beginscan(relation, snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	MemoryContext row_memory = AllocSetContextCreate(CurrentMemoryContext, "govledger genesis row",
													 ALLOCSET_DEFAULT_SIZES);
	CommandId	command = GetCurrentCommandId(true);
	GlProgress	progress;

	gl_progress_start(&progress, relation, "recorded");
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext old = MemoryContextSwitchTo(row_memory);
		bool		should_free;
		HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, false, &should_free);

		CHECK_FOR_INTERRUPTS();
		gl_row_record(encoder, GL_RECORD_GENESIS, command, tuple, NULL);
		gl_progress_row(&progress, ItemPointerGetBlockNumber(&slot->tts_tid));
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_memory);
	}
	MemoryContextDelete(row_memory);
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
}

void
gl_genesis(Oid relid)
{
	Relation	relation = table_open(relid, NoLock);
	const GlEncoder *encoder;
	Snapshot	snapshot;
	GlOwnerScope scope;

	if (relation->rd_rel->relkind == RELKIND_RELATION)
	{
		/* the caller's lock keeps writers out; a snapshot from before the lock could miss their last rows */
		snapshot = RegisterSnapshot(GetLatestSnapshot());
		encoder = gl_encoder_for(relation);
		if (encoder == NULL)
			elog(ERROR, "relation %u is not in the ledger catalog", relid);
		gl_owner_enter(&scope, relation->rd_rel->relowner);
		gl_genesis_scan(relation, encoder, snapshot);
		gl_owner_leave(&scope);
		UnregisterSnapshot(snapshot);
	}
	table_close(relation, NoLock);
}
