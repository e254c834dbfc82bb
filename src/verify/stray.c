/*
 * stray.c
 *		Entries that no leaf points to: those that wait for a seal, and those that should not be there.
 *
 * An entry that the newest seal's snapshot sees must be sealed. Whether each of them is, a multiset sum tells (see
 * sum.c): over what the leaves point to, and over the entries that are there. Only when the two differ are they joined.
 */
#include "verify/tables.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/pg_lsn.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"
#include "utils/xid8.h"

#include "core/catalog.h"
#include "ledger/rows.h"

enum
{
	COLUMN_GENERATION,
	COLUMN_POSITION,
	COLUMN_TRANSACTION,
	COLUMNS_COUNT
};

struct GlStrays
{
	GlStoredSeal *newest;			/* NULL: nothing is sealed */
	GlStoredSeal *start;			/* the seal that `since` begins at */
	GlSum		leaves;
	GlSum		entries;
	TupleDesc	descriptor;
	TupleTableSlot *input;
	TupleTableSlot *output;
	Tuplesortstate *waiting;
	int64		waiting_count;
};

static void
open_waiting(GlStrays *strays)
{
	AttrNumber	columns[] = {1, 2, 3};
	Oid			operators[] = {Int8LessOperator, Int8LessOperator, Int8LessOperator};
	Oid			collations[] = {InvalidOid, InvalidOid, InvalidOid};
	bool		nulls_first[] = {false, false, false};

	/* read again when tables differ from the log: 1 is random access, a flag in 15 and a boolean in 14 */
	strays->waiting = tuplesort_begin_heap(strays->descriptor, lengthof(columns), columns, operators, collations,
										   nulls_first, work_mem / 4, NULL, 1);
	strays->waiting_count = 0;
}

GlStrays *
gl_strays_open(GlVerify *verify)
{
	GlStrays   *strays = palloc0(sizeof(GlStrays));
	int			i;

	strays->newest = gl_seal_before(verify->snapshot, PG_INT64_MAX, CurrentMemoryContext);
	if (verify->since > 0)
		strays->start = gl_seal_before(verify->snapshot, verify->since, CurrentMemoryContext);
	strays->descriptor = CreateTemplateTupleDesc(COLUMNS_COUNT);
	for (i = 0; i < COLUMNS_COUNT; i++)
		TupleDescInitEntry(strays->descriptor, i + 1, NULL, INT8OID, -1, 0);
	strays->input = MakeSingleTupleTableSlot(strays->descriptor, &TTSOpsVirtual);
	strays->output = MakeSingleTupleTableSlot(strays->descriptor, &TTSOpsMinimalTuple);
	open_waiting(strays);
	return strays;
}

static void
hash_entry(uint32 generation, uint64 transaction_id, GlHash *hash)
{
	uint8		bytes[12];
	GlBytes		row;

	gl_put_u32(bytes, generation);
	gl_put_u64(bytes + 4, transaction_id);
	row.data = bytes;
	row.length = sizeof(bytes);
	gl_sum_hash(0, row, hash);
}

void
gl_strays_sealed(GlStrays *strays, uint32 generation, uint64 transaction_id)
{
	GlHash		hash;

	hash_entry(generation, transaction_id, &hash);
	gl_sum_add(&strays->leaves, &hash);
}

static void
put_waiting(GlStrays *strays, uint32 generation, uint64 position, uint64 transaction_id)
{
	TupleTableSlot *slot = strays->input;

	ExecClearTuple(slot);
	slot->tts_values[COLUMN_GENERATION] = Int64GetDatum(generation);
	slot->tts_values[COLUMN_POSITION] = Int64GetDatum((int64) position);
	slot->tts_values[COLUMN_TRANSACTION] = Int64GetDatum((int64) transaction_id);
	memset(slot->tts_isnull, 0, COLUMNS_COUNT * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(strays->waiting, slot);
	strays->waiting_count++;
}

/* Is this entry in a block? Entries of an older generation all are: the first seal of the next one takes what was left. */
static bool
is_sealed(const GlStoredSeal *seal, uint32 generation, uint64 transaction_id)
{
	if (seal == NULL || !seal->parsed || generation > seal->seal.generation)
		return false;
	return generation < seal->seal.generation || gl_seal_sees(seal, transaction_id);
}

static void
sort_entry(GlStrays *strays, Relation heap, HeapTuple tuple)
{
	TupleDesc	descriptor = RelationGetDescr(heap);
	bool		isnull;
	uint64		transaction_id;
	uint32		generation;
	GlHash		hash;

	transaction_id = U64FromFullTransactionId(DatumGetFullTransactionId(heap_getattr(tuple, Anum_gl_entry_transaction_id,
																					descriptor, &isnull)));
	generation = (uint32) DatumGetInt32(heap_getattr(tuple, Anum_gl_entry_generation, descriptor, &isnull));
	if (strays->start != NULL && is_sealed(strays->start, generation, transaction_id))
		return;
	if (is_sealed(strays->newest, generation, transaction_id))
	{
		hash_entry(generation, transaction_id, &hash);
		gl_sum_add(&strays->entries, &hash);
	}
	else
		put_waiting(strays, generation, DatumGetLSN(heap_getattr(tuple, Anum_gl_entry_position, descriptor, &isnull)),
					transaction_id);
}

/* With `since`, entries that its seal's snapshot sees for certain need not be read. */
static int
since_keys(const GlVerify *verify, ScanKeyData *keys)
{
	const GlStoredSeal *start = verify->strays->start;

	if (start == NULL || !start->parsed || start->seal.generation != verify->generation)
		return 0;
	ScanKeyInit(&keys[0], Anum_gl_entry_generation, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum((int32) verify->generation));
	ScanKeyInit(&keys[1], Anum_gl_entry_transaction_id, BTGreaterEqualStrategyNumber, F_XID8GE,
				DirectFunctionCall1(pg_snapshot_xmin, start->snapshot));
	return 2;
}

/* A query as the owner of the log, under the snapshot of the run. */
static Portal
open_query(GlVerify *verify, GlOwnerScope *scope, const char *query)
{
	Relation	heap = gl_relation_open(GL_REL_ENTRY, AccessShareLock);
	SPIPlanPtr	plan;
	Portal		portal;

	gl_owner_enter(scope, heap->rd_rel->relowner);
	table_close(heap, NoLock);
	PushActiveSnapshot(verify->snapshot);
	if (SPI_connect() != SPI_OK_CONNECT || (plan = SPI_prepare(query, 0, NULL)) == NULL)
		elog(ERROR, "could not read the log");
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	if (portal == NULL)
		elog(ERROR, "could not read the log: %s", SPI_result_code_string(SPI_result));
	return portal;
}

static void
close_query(Portal portal, const GlOwnerScope *scope)
{
	SPI_cursor_close(portal);
	SPI_finish();
	PopActiveSnapshot();
	gl_owner_leave(scope);
}

static int64
query_number(uint64 row, int column)
{
	bool		isnull;

	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull));
}

static void
report_stray(GlVerify *verify, const char *object, const char *problem)
{
	gl_report_log(verify->report, GL_CHECK_STRAY, GL_NO_LEAF, object, "%s", problem);
}

#define QUERY_BATCH 1000

/* Name the rows that a query finds. */
static int64
name_by_query(GlVerify *verify, const char *query, const char *problem)
{
	GlOwnerScope scope;
	Portal		portal = open_query(verify, &scope, query);
	int64		count = 0;
	uint64		i;

	do
	{
		SPI_cursor_fetch(portal, true, QUERY_BATCH);
		for (i = 0; i < SPI_processed; i++)
			report_stray(verify, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1), problem);
		count += (int64) SPI_processed;
		i = SPI_processed;
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	} while (i > 0);
	close_query(portal, &scope);
	return count;
}

/*
 * The sums differ, so entries and leaves are joined: an entry that no leaf points to is a stray if the newest seal saw
 * its transaction, else it waits. What snapshots say is not relied on here, for a seal's may be what was changed.
 */
static void
join_entries(GlVerify *verify)
{
	GlStrays   *strays = verify->strays;
	const GlStoredSeal *newest = strays->newest;
	uint32		generation = newest->parsed ? newest->seal.generation : verify->generation;
	char	   *snapshot = DatumGetCString(DirectFunctionCall1(pg_snapshot_out, newest->snapshot));
	GlOwnerScope scope;
	Portal		portal;
	uint64		i;

	tuplesort_end(strays->waiting);
	open_waiting(strays);
	portal = open_query(verify, &scope,
						psprintf("SELECT e.generation::pg_catalog.int8, (e.\"position\" - '0/0')::pg_catalog.int8,"
								 " e.transaction_id::pg_catalog.text::pg_catalog.int8,"
								 " (e.generation < %u OR e.generation = %u"
								 " AND pg_catalog.pg_visible_in_snapshot(e.transaction_id, '%s'))::pg_catalog.int4::pg_catalog.int8"
								 " FROM govledger.entry e WHERE NOT EXISTS (SELECT FROM govledger.leaf l,"
								 " pg_catalog.unnest(l.transaction_ids) t (id)"
								 " WHERE l.generation = e.generation AND t.id = e.transaction_id)",
								 generation, generation, snapshot));
	do
	{
		SPI_cursor_fetch(portal, true, QUERY_BATCH);
		for (i = 0; i < SPI_processed; i++)
		{
			uint64		transaction_id = (uint64) query_number(i, 3);

			if (query_number(i, 4) != 0)
				report_stray(verify, gl_entry_name((uint32) query_number(i, 1), transaction_id),
							 "it is not in the tree, though the newest seal's snapshot saw its transaction: inserted by "
							 "hand, or taken out of the leaves");
			else
				put_waiting(strays, (uint32) query_number(i, 1), (uint64) query_number(i, 2), transaction_id);
		}
		i = SPI_processed;
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	} while (i > 0);
	close_query(portal, &scope);
}

void
gl_strays_collect(GlVerify *verify)
{
	GlStrays   *strays = verify->strays;
	Relation	heap = gl_relation_open(GL_REL_ENTRY, AccessShareLock);
	ScanKeyData keys[2];
	int			nkeys = since_keys(verify, keys);
	SysScanDesc scan = systable_beginscan(heap, gl_relation_oid(GL_REL_ENTRY_PKEY), nkeys > 0, verify->snapshot,
										  nkeys, keys);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CHECK_FOR_INTERRUPTS();
		sort_entry(strays, heap, tuple);
	}
	systable_endscan(scan);
	table_close(heap, NoLock);
	if (!gl_sum_equal(&strays->leaves, &strays->entries) && strays->newest != NULL)
		join_entries(verify);
	tuplesort_performsort(strays->waiting);
}

bool
gl_strays_next(GlStrays *strays, uint32 *generation, uint64 *transaction_id)
{
	TupleTableSlot *slot = strays->output;

	if (!tuplesort_gettupleslot(strays->waiting, true, false, slot, NULL))
		return false;
	slot_getallattrs(slot);
	*generation = (uint32) DatumGetInt64(slot->tts_values[COLUMN_GENERATION]);
	*transaction_id = (uint64) DatumGetInt64(slot->tts_values[COLUMN_TRANSACTION]);
	return true;
}

void
gl_strays_rewind(GlStrays *strays)
{
	tuplesort_rescan(strays->waiting);
}

int64
gl_strays_waiting(const GlStrays *strays)
{
	return strays->waiting_count;
}

/*
 * Of an entry that no tree protects yet, the row itself is the evidence: its transaction inserted it. Later the tree
 * is, and a log that was restored from a dump has rows of other transactions.
 */
static void
check_waiting(GlVerify *verify, const GlLogEntry *entry)
{
	GlHash		leaf;

	(void) gl_entry_check(verify, entry, &leaf);
	if (verify->ours && entry->generation == verify->generation &&
		entry->xmin != XidFromFullTransactionId(FullTransactionIdFromU64(entry->transaction_id)))
		gl_report_log(verify->report, GL_CHECK_UNSEALED, GL_NO_LEAF,
					  gl_entry_name(entry->generation, entry->transaction_id),
					  "transaction %u wrote it, not the one it names: inserted or changed by hand", entry->xmin);
}

static void
check_unsealed(GlVerify *verify)
{
	uint32		generation;
	uint64		transaction_id;
	int64		count = 0;

	while (gl_strays_next(verify->strays, &generation, &transaction_id))
	{
		MemoryContext old = MemoryContextSwitchTo(verify->scratch);
		GlLogEntry	entry;

		if (gl_log_fetch(verify->log, generation, transaction_id, &entry))
		{
			entry.order = ++verify->entries;
			check_waiting(verify, &entry);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(verify->scratch);
		gl_verify_progress(verify, "checking entries that wait for a seal", (double) ++count,
						   (double) gl_strays_waiting(verify->strays));
	}
	gl_report_pass(verify->report, GL_CHECK_UNSEALED, NULL, "log", "%lld entries wait for a seal",
				   (long long) gl_strays_waiting(verify->strays));
}

static int64
count_rows(GlVerify *verify, GlRelation which)
{
	Relation	heap = gl_relation_open(which, AccessShareLock);
	SysScanDesc scan = systable_beginscan(heap, InvalidOid, false, verify->snapshot, 0, NULL);
	int64		count = 0;

	while (HeapTupleIsValid(systable_getnext(scan)))
	{
		count++;
		CHECK_FOR_INTERRUPTS();
	}
	systable_endscan(scan);
	table_close(heap, NoLock);
	return count;
}

/* Rows that were not read with any entry: named where they point to none, else counted. */
static void
check_companion(GlVerify *verify, GlRelation which, int64 read, const char *name, const char *query)
{
	int64		rows = count_rows(verify, which);

	if (rows == read || name_by_query(verify, query, "it belongs to no entry") > 0)
		return;
	gl_report_log(verify->report, GL_CHECK_STRAY, GL_NO_LEAF, name, "%lld rows, of which the entries account for %lld",
				  (long long) rows, (long long) read);
}

/* An entry writes the context that it is the first to have, so each belongs to one. */
static void
check_contexts(GlVerify *verify)
{
	Relation	heap = gl_relation_open(GL_REL_CONTEXT, AccessShareLock);
	SysScanDesc scan = systable_beginscan(heap, InvalidOid, false, verify->snapshot, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		int64		id = DatumGetInt64(heap_getattr(tuple, Anum_gl_context_context_id, RelationGetDescr(heap), &isnull));

		CHECK_FOR_INTERRUPTS();
		if (!gl_log_context_seen(verify->log, id))
			gl_report_log(verify->report, GL_CHECK_STRAY, GL_NO_LEAF, psprintf("context %lld", (long long) id),
						  "it belongs to no entry");
	}
	systable_endscan(scan);
	table_close(heap, NoLock);
}

static void
check_companions(GlVerify *verify)
{
	check_companion(verify, GL_REL_RECORD_CHUNK, gl_log_chunks_read(verify->log), "record_chunk",
					"SELECT pg_catalog.format('record_chunk %s/%s/%s', c.generation, c.transaction_id, c.first_record)"
					" FROM govledger.record_chunk c WHERE NOT EXISTS (SELECT FROM govledger.entry e"
					" WHERE e.generation = c.generation AND e.transaction_id = c.transaction_id"
					" AND e.content IS NULL AND c.first_record < e.records)");
	check_companion(verify, GL_REL_PERSONAL, gl_log_personal_read(verify->log), "personal",
					"SELECT pg_catalog.format('personal %s/%s/%s', p.generation, p.transaction_id, p.record)"
					" FROM govledger.personal p WHERE NOT EXISTS (SELECT FROM govledger.entry e"
					" WHERE e.generation = p.generation AND e.transaction_id = p.transaction_id"
					" AND p.record < e.records)");
	check_contexts(verify);
}

void
gl_strays_check(GlVerify *verify)
{
	check_unsealed(verify);
	if (verify->since == 0)
		check_companions(verify);
	gl_report_pass(verify->report, GL_CHECK_STRAY, NULL, "log", "every row of the log tables belongs to the log");
}

void
gl_strays_close(GlStrays *strays)
{
	tuplesort_end(strays->waiting);
	ExecDropSingleTupleTableSlot(strays->input);
	ExecDropSingleTupleTableSlot(strays->output);
}
