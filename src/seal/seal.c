/*
 * seal.c
 *		The seal step: append what is new to the tree and close it with a seal.
 *
 * One snapshot decides what belongs to the block, and its text form goes into the seal row, so the next block starts
 * exactly where this one ended: no entry is left out or taken twice, whichever transactions are open meanwhile.
 */
#include "seal/step.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "core/catalog.h"
#include "ledger/rows.h"
#include "seal/tree.h"

#define GL_SEAL_BATCH 1000

/* The row of the leaf table that is filling up. */
typedef struct GlLeafRow
{
	uint64		first_leaf;
	uint32		generation;
	int			count;
	Datum		transaction_ids[GL_LEAF_ROW_ENTRIES];
} GlLeafRow;

typedef struct GlBlock
{
	const char *origin;
	uint32		generation;
	GlLeafRow	leaf_row;
	GlBuffer	scratch;
	GlSealResult *result;
} GlBlock;

static void
gl_leaf_row_flush(GlLeafRow *row)
{
	Relation	relation;
	Datum		values[Natts_gl_leaf];
	bool		nulls[Natts_gl_leaf] = {0};

	if (row->count == 0)
		return;
	relation = gl_relation_open(GL_REL_LEAF, RowExclusiveLock);
	values[Anum_gl_leaf_first_leaf - 1] = Int64GetDatum((int64) row->first_leaf);
	values[Anum_gl_leaf_generation - 1] = Int32GetDatum((int32) row->generation);
	values[Anum_gl_leaf_transaction_ids - 1] =
		PointerGetDatum(construct_array(row->transaction_ids, row->count, XID8OID, sizeof(int64), FLOAT8PASSBYVAL,
										TYPALIGN_DOUBLE));
	CatalogTupleInsert(relation, heap_form_tuple(RelationGetDescr(relation), values, nulls));
	table_close(relation, NoLock);
	row->count = 0;
}

static void
gl_block_add(GlBlock *block, const GlEntryRow *entry)
{
	GlLeafRow  *row = &block->leaf_row;
	GlHash		leaf;

	/*
	 * An entry is written by the transaction it names. A row that somebody else inserted is none; verify names it. Rows of
	 * earlier generations came with a dump, so nothing can be said of them.
	 */
	if (entry->header.generation == block->generation && entry->inserted_by != (uint32) entry->header.transaction_id)
	{
		block->result->strangers++;
		block->result->stranger = entry->header.transaction_id;
		return;
	}

	gl_entry_row_leaf(entry, block->origin, &block->scratch, &leaf);
	if (row->count == GL_LEAF_ROW_ENTRIES || (row->count > 0 && row->generation != entry->header.generation))
		gl_leaf_row_flush(row);
	if (row->count == 0)
	{
		row->first_leaf = gl_tree_edge()->size;
		row->generation = entry->header.generation;
	}
	row->transaction_ids[row->count++] =
		FullTransactionIdGetDatum(FullTransactionIdFromU64(entry->header.transaction_id));
	gl_tree_append(&leaf);
	block->result->entries++;
}

static void
gl_block_add_all(GlBlock *block, const GlSealRow *last)
{
	Portal		portal = gl_candidates_open(last);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "govledger block", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	uint64		rows;

	do
	{
		uint64		i;

		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, GL_SEAL_BATCH);
		rows = SPI_processed;
		for (i = 0; i < rows; i++)
		{
			GlEntryRow	entry;

			gl_entry_row_read(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, &entry);
			gl_block_add(block, &entry);
		}
		SPI_freetuptable(SPI_tuptable);
		MemoryContextReset(context);
	} while (rows > 0);
	SPI_cursor_close(portal);
	gl_leaf_row_flush(&block->leaf_row);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

static void
gl_seal_fill(GlSeal *seal, const GlBlock *block, const GlSealRow *last, uint32 key_id)
{
	bool		same_generation = last->exists && last->seal.generation == block->generation;
	int64		now = gl_unix_time(GetCurrentTimestamp());

	memset(seal, 0, sizeof(*seal));
	seal->origin.data = (const uint8_t *) block->origin;
	seal->origin.length = strlen(block->origin);
	seal->generation = block->generation;
	seal->height = last->height + 1;
	if (last->exists)
		seal->previous_seal = last->leaf;
	seal->tree_size = gl_tree_edge()->size;
	gl_merkle_root(gl_tree_edge(), &seal->root);
	seal->time = last->exists ? Max(now, last->seal.time) : now;
	seal->system_identifier = GetSystemIdentifier();
	seal->timeline = gl_wal_timeline();
	/* another server of the same cluster took over: a promotion gives it a new timeline */
	seal->epoch = !same_generation ? 1 : last->seal.epoch + (last->seal.timeline != seal->timeline);
	seal->key_id = key_id;
}

static void
gl_seal_insert(const GlSeal *seal, const GlSealRow *last, Datum snapshot)
{
	Relation	relation;
	Datum		values[Natts_gl_seal];
	bool		nulls[Natts_gl_seal] = {0};
	GlBuffer	content;
	GlBuffer	edge;
	GlHash		hash;

	gl_buffer_init(&content, gl_grow);
	gl_buffer_init(&edge, gl_grow);
	gl_seal_write(&content, seal);
	gl_merkle_leaf(content.data, content.length, &hash);
	gl_tree_append(&hash);
	gl_merkle_edge_write(gl_tree_edge(), &edge);
	gl_merkle_root(gl_tree_edge(), &hash);

	relation = gl_relation_open(GL_REL_SEAL, RowExclusiveLock);
	values[Anum_gl_seal_height - 1] = Int64GetDatum((int64) seal->height);
	values[Anum_gl_seal_first_leaf - 1] = Int64GetDatum((int64) last->tree_size);
	values[Anum_gl_seal_tree_size - 1] = Int64GetDatum((int64) gl_tree_edge()->size);
	values[Anum_gl_seal_sealed_at - 1] = TimestampTzGetDatum(gl_timestamp(seal->time));
	values[Anum_gl_seal_snapshot - 1] = snapshot;
	values[Anum_gl_seal_root - 1] = gl_bytea(hash.bytes, GL_HASH_SIZE);
	values[Anum_gl_seal_content - 1] = gl_bytea(content.data, content.length);
	values[Anum_gl_seal_right_edge - 1] = gl_bytea(edge.data, edge.length);
	CatalogTupleInsert(relation, heap_form_tuple(RelationGetDescr(relation), values, nulls));
	table_close(relation, NoLock);
}

/* With entries to seal or found to be strangers; true if a block was written. */
static bool
gl_block_write(GlBlock *block, const GlSealRow *last, uint32 key_id)
{
	/* the active snapshot, as text that outlives it; it does not list this transaction, which has no id yet */
	Datum		snapshot = OidFunctionCall0(F_PG_CURRENT_SNAPSHOT);
	GlSeal		seal;

	gl_tree_begin(last);
	gl_block_add_all(block, last);
	if (block->result->entries > 0)
	{
		gl_ledger_state_pin_origin(block->origin);
		gl_seal_fill(&seal, block, last, key_id != 0 ? key_id : gl_registered_key());
		gl_seal_insert(&seal, last, snapshot);
		block->result->sealed = true;
		block->result->height = seal.height;
		block->result->clock_behind = Max(seal.time - gl_unix_time(GetCurrentTimestamp()), 0);
		block->result->tree_size = gl_tree_edge()->size;
	}
	gl_tree_end();
	return block->result->sealed;
}

void
gl_seal_step(uint32 key_id, GlSealResult *result)
{
	char		origin[GL_ORIGIN_MAX_SIZE + 1];
	GlSealRow	last;
	GlBlock    *block;

	memset(result, 0, sizeof(*result));
	if (!gl_step_begin())
		return;
	gl_step_lock(GL_MUTEX_SEAL);
	if (!gl_step_ledger(origin))
	{
		gl_step_commit();
		return;
	}
	gl_step_snapshot();
	gl_seal_latest(&last);
	if (!gl_candidates_exist(&last))
	{
		gl_step_commit();
		return;
	}
	block = palloc0(sizeof(GlBlock));
	block->origin = origin;
	block->generation = (uint32) gl_ledger_state()->generation;
	block->result = result;
	gl_buffer_init(&block->scratch, gl_grow);
	gl_buffer_reserve(&block->scratch, GL_HEADER_MAX_SIZE * 2);
	gl_block_write(block, &last, key_id);

	GL_FAULT("seal-before-commit");
	gl_step_commit();
	GL_FAULT("seal-after-commit");
	gl_tree_committed();
}
