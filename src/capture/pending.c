/*
 * pending.c
 *		The entry of the current transaction, while it grows; see pending.h.
 *
 * Records gather in one buffer, their leaves in a tree of which only the right edge is kept. They are hashed many at a
 * time, which is faster: before the buffer is written out, and before a savepoint. A savepoint is a copy of that edge and
 * of the buffer's length, made when a subtransaction writes its first record; rolling back is putting the copy back. When the bytes of the current subtransaction pass GL_FLUSH_SIZE they are written to record_chunk under its own
 * transaction id, so its rollback takes the rows with it. Bytes of its parents are never written by it.
 */
#include "capture/pending.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/pg_lsn.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "capture/capture.h"
#include "capture/context.h"
#include "core/catalog.h"
#include "core/xact.h"
#include "format/merkle.h"
#include "ledger/rows.h"
#include "ledger/state.h"

/* A chunk that fills one heap page: page less its header, line pointer, tuple header and the other columns. */
#define GL_CHUNK_SIZE 8096
/* What an entry row can hold on one page beside its other columns. */
#define GL_INLINE_SIZE 7600
/* The current subtransaction's bytes are written out above this. */
#define GL_FLUSH_SIZE (256 * 1024)
/* A subtransaction that commits into its parent writes its bytes out when all levels together hold more than this. */
#define GL_TOTAL_SIZE (16 * 1024 * 1024)
/* Records hashed at a time; a power of two, so that they are a subtree mostly. */
#define GL_HASH_BATCH 64
/* Secrets drawn at a time. */
#define GL_SECRET_STOCK 64
/* Scratch larger than this is given back at the end of the transaction. */
#define GL_SCRATCH_KEEP (1024 * 1024)
/* A bytea prints as twice its length, and COPY, which pg_dump uses, ends at 1 GB. */
#define GL_RECORD_MAX (MaxAllocSize / 2 - 1024)

/* Consecutive records in the buffer; a flush by a subtransaction leaves a gap in the numbers. */
typedef struct GlRun
{
	uint64		first_record;
	size_t		offset;
} GlRun;

/* What is put back when a subtransaction rolls back. */
typedef struct GlMark
{
	struct GlMark *parent;
	int			nest_level;
	size_t		length;
	size_t		personal_length;
	int			runs_count;
	uint64		next_in_run;
	GlMerkleEdge edge;
} GlMark;

typedef struct GlPending
{
	bool		active;
	bool		written;		/* the entry row is in */
	bool		in_record;		/* between start and finish */
	MemoryContext memory;
	Oid			user;			/* current user at the first record */
	uint8		secret[GL_SECRET_SIZE];
	uint8		record_secret[GL_SECRET_SIZE];
	bool		has_personal_secret;
	uint8		personal_secret[GL_SECRET_SIZE];	/* never stored */
	uint64		records;
	GlMerkleEdge edge;			/* over the records before offset `hashed` */
	GlBuffer	bytes;			/* record stream */
	size_t		hashed;
	GlBuffer	personal;		/* (record number u64, length u64, personal values)* */
	GlRun	   *runs;
	int			runs_count;
	int			runs_capacity;
	uint64		next_in_run;	/* number that continues the last run */
	GlMark	   *mark;			/* innermost subtransaction that has records */
	GlMark	   *free_marks;
} GlPending;

static GlPending gl_pending;
static GlBuffer gl_scratch;
static GlBuffer gl_personal_scratch;

static void
gl_scratch_reset(GlBuffer *scratch)
{
	if (scratch->capacity > GL_SCRATCH_KEEP)
	{
		pfree(scratch->data);
		gl_buffer_init(scratch, gl_grow);
	}
	scratch->length = 0;
}

static void
gl_scratch_prepare(GlBuffer *scratch)
{
	if (scratch->data == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		gl_buffer_init(scratch, gl_grow);
		gl_buffer_reserve(scratch, 1024);
		MemoryContextSwitchTo(old);
	}
	scratch->length = 0;
}

/*
 * A fresh secret. Asking OpenSSL costs more than the rest of a small transaction's capture, so this backend keeps a
 * stock, and wipes what it takes from it. The stock is filled at first use, after the fork.
 */
static void
gl_draw_secret(uint8 secret[GL_SECRET_SIZE])
{
	static uint8 stock[GL_SECRET_STOCK * GL_SECRET_SIZE];
	static int	left = 0;

	if (left == 0)
	{
		if (!pg_strong_random(stock, sizeof(stock)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not draw the random secret of a ledger entry")));
		left = GL_SECRET_STOCK;
	}
	left--;
	memcpy(secret, stock + left * GL_SECRET_SIZE, GL_SECRET_SIZE);
	explicit_bzero(stock + left * GL_SECRET_SIZE, GL_SECRET_SIZE);
}

static void
gl_pending_activate(void)
{
	MemoryContext old;

	gl_ledger_require_ours(gl_ledger_state());
	memset(&gl_pending, 0, sizeof(gl_pending));
	gl_pending.memory = AllocSetContextCreate(TopTransactionContext, "govledger entry", ALLOCSET_DEFAULT_SIZES);
	gl_draw_secret(gl_pending.secret);
	gl_record_secret(gl_pending.secret, gl_pending.record_secret);
	gl_merkle_init(&gl_pending.edge);
	old = MemoryContextSwitchTo(gl_pending.memory);
	gl_buffer_init(&gl_pending.bytes, gl_grow);
	gl_buffer_reserve(&gl_pending.bytes, 4096);
	gl_buffer_init(&gl_pending.personal, gl_grow);
	gl_buffer_reserve(&gl_pending.personal, 64);
	gl_pending.runs_capacity = 8;
	gl_pending.runs = palloc(sizeof(GlRun) * gl_pending.runs_capacity);
	MemoryContextSwitchTo(old);
	gl_pending.active = true;
}

/* Bring the tree up to the last record. */
static void
gl_hash_records(void)
{
	GlReader	reader;
	GlBytes		records[GL_HASH_BATCH];
	GlHash		leaves[GL_HASH_BATCH];
	int			count;

	gl_reader_init(&reader, gl_pending.bytes.data + gl_pending.hashed, gl_pending.bytes.length - gl_pending.hashed);
	do
	{
		count = 0;
		while (count < GL_HASH_BATCH && gl_record_next(&reader, &records[count]))
			count++;
		gl_record_leaves(gl_pending.record_secret, gl_pending.edge.size, records, count, leaves);
		gl_merkle_append_leaves(&gl_pending.edge, leaves, count);
	} while (count == GL_HASH_BATCH);
	gl_pending.hashed = gl_pending.bytes.length;
	Assert(gl_pending.edge.size == gl_pending.records);
}

/* Remember where this subtransaction's records begin, unless that is done. */
static void
gl_mark_level(void)
{
	int			level = GetCurrentTransactionNestLevel();
	GlMark	   *mark;

	if (level == 1 || (gl_pending.mark != NULL && gl_pending.mark->nest_level == level))
		return;
	mark = gl_pending.free_marks;
	if (mark != NULL)
		gl_pending.free_marks = mark->parent;
	else
		mark = MemoryContextAlloc(gl_pending.memory, sizeof(GlMark));
	gl_hash_records();
	mark->parent = gl_pending.mark;
	mark->nest_level = level;
	mark->length = gl_pending.bytes.length;
	mark->personal_length = gl_pending.personal.length;
	mark->runs_count = gl_pending.runs_count;
	mark->next_in_run = gl_pending.next_in_run;
	gl_merkle_copy(&mark->edge, &gl_pending.edge);
	gl_pending.mark = mark;
}

static void
gl_mark_pop(void)
{
	GlMark	   *mark = gl_pending.mark;

	gl_pending.mark = mark->parent;
	mark->parent = gl_pending.free_marks;
	gl_pending.free_marks = mark;
}

GlBuffer *
gl_pending_start(void)
{
	if (!gl_pending.active)
		gl_pending_activate();
	if (gl_pending.written)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("ledger table changed after the entry of the transaction was written"),
				 errdetail("Another extension wrote to a ledger table in its own commit callback.")));
	if (gl_pending.in_record)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("ledger table changed while a row of a ledger table is being recorded"),
				 errdetail("The output function of a column type must not write to ledger tables.")));
	if (gl_pending.records == 0)
		gl_pending.user = GetUserId();
	gl_mark_level();
	gl_scratch_prepare(&gl_scratch);
	gl_scratch_prepare(&gl_personal_scratch);
	gl_pending.in_record = true;
	return &gl_scratch;
}

void
gl_pending_personal(uint32 column_id, bool old, bool present, GlBytes value, GlHash *leaf)
{
	GlPersonalValue personal;

	Assert(gl_pending.in_record);
	if (!gl_pending.has_personal_secret)
		gl_draw_secret(gl_pending.personal_secret);
	gl_pending.has_personal_secret = true;
	personal.column_id = column_id;
	personal.old = old;
	personal.present = present;
	personal.value = value;
	gl_salt(gl_pending.personal_secret, gl_pending.records, column_id + (old ? GL_SALT_OLD_VALUE : 0), &personal.salt);
	gl_personal_leaf(&personal.salt, column_id, present, value.data, value.length, leaf);
	gl_personal_write(&gl_personal_scratch, &personal);
}

/* --- writing to the log tables --- */

static void
gl_write_chunk(Relation relation, CatalogIndexState indexes, uint64 first_record, const uint8 *data, size_t length)
{
	Datum		values[Natts_gl_record_chunk];
	bool		nulls[Natts_gl_record_chunk] = {0};
	HeapTuple	tuple;

	values[Anum_gl_record_chunk_transaction_id - 1] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	values[Anum_gl_record_chunk_generation - 1] = Int32GetDatum(gl_ledger_state()->generation);
	values[Anum_gl_record_chunk_first_record - 1] = Int64GetDatum((int64) first_record);
	values[Anum_gl_record_chunk_content - 1] = gl_bytea(data, length);
	tuple = heap_form_tuple(RelationGetDescr(relation), values, nulls);
	CatalogTupleInsertWithInfo(relation, tuple, indexes);
	heap_freetuple(tuple);
	pfree(DatumGetPointer(values[Anum_gl_record_chunk_content - 1]));
}

/* Write one run as chunks of whole records. */
static void
gl_write_run(Relation relation, CatalogIndexState indexes, uint64 record, const uint8 *data, size_t length)
{
	GlReader	reader;
	const uint8 *start = data;
	uint64		first = record;

	gl_reader_init(&reader, data, length);
	while (gl_reader_left(&reader) > 0)
	{
		const uint8 *before = reader.at;

		(void) gl_read_text(&reader);
		Assert(!reader.failed);
		if (reader.at - start > GL_CHUNK_SIZE && before > start)
		{
			gl_write_chunk(relation, indexes, first, start, before - start);
			CHECK_FOR_INTERRUPTS();
			start = before;
			first = record;
		}
		record++;
	}
	gl_write_chunk(relation, indexes, first, start, reader.at - start);
}

/* Where the current subtransaction's own part begins. */
static void
gl_own_part(size_t *length, size_t *personal_length, int *runs_count)
{
	*length = gl_pending.mark != NULL ? gl_pending.mark->length : 0;
	*personal_length = gl_pending.mark != NULL ? gl_pending.mark->personal_length : 0;
	*runs_count = gl_pending.mark != NULL ? gl_pending.mark->runs_count : 0;
}

static void
gl_flush_bytes(size_t from, int from_run)
{
	Relation	relation = gl_relation_open(GL_REL_RECORD_CHUNK, RowExclusiveLock);
	CatalogIndexState indexes = CatalogOpenIndexes(relation);
	int			i;

	/* a mark may lie in the middle of its parent's last run */
	for (i = Max(from_run - 1, 0); i < gl_pending.runs_count; i++)
	{
		size_t		offset = gl_pending.runs[i].offset;
		size_t		end = i + 1 < gl_pending.runs_count ? gl_pending.runs[i + 1].offset : gl_pending.bytes.length;

		uint64		record = gl_pending.runs[i].first_record;

		if (end <= from)
			continue;
		if (offset < from)
		{
			record = gl_pending.mark->next_in_run;
			offset = from;
		}
		gl_write_run(relation, indexes, record, gl_pending.bytes.data + offset, end - offset);
	}
	CatalogCloseIndexes(indexes);
	table_close(relation, NoLock);
}

static void
gl_flush_personal(size_t from)
{
	Relation	relation = gl_relation_open(GL_REL_PERSONAL, RowExclusiveLock);
	CatalogIndexState indexes = CatalogOpenIndexes(relation);
	GlReader	reader;

	gl_reader_init(&reader, gl_pending.personal.data + from, gl_pending.personal.length - from);
	while (gl_reader_left(&reader) > 0)
	{
		uint64		record = gl_read_u64(&reader);
		GlBytes		content = gl_read_bytes(&reader, gl_read_u64(&reader));
		Datum		values[Natts_gl_personal];
		bool		nulls[Natts_gl_personal] = {0};
		HeapTuple	tuple;

		Assert(!reader.failed);
		values[Anum_gl_personal_transaction_id - 1] = FullTransactionIdGetDatum(GetTopFullTransactionId());
		values[Anum_gl_personal_generation - 1] = Int32GetDatum(gl_ledger_state()->generation);
		values[Anum_gl_personal_record - 1] = Int64GetDatum((int64) record);
		values[Anum_gl_personal_content - 1] = gl_bytea(content.data, content.length);
		tuple = heap_form_tuple(RelationGetDescr(relation), values, nulls);
		CatalogTupleInsertWithInfo(relation, tuple, indexes);
		heap_freetuple(tuple);
		pfree(DatumGetPointer(values[Anum_gl_personal_content - 1]));
		CHECK_FOR_INTERRUPTS();
	}
	CatalogCloseIndexes(indexes);
	table_close(relation, NoLock);
}

/* Write out what the current subtransaction produced, under its own transaction id. */
static void
gl_flush_own(void)
{
	size_t		length;
	size_t		personal_length;
	int			runs_count;

	GL_FAULT("flush-before");
	gl_hash_records();
	gl_own_part(&length, &personal_length, &runs_count);
	if (gl_pending.bytes.length > length && !GL_STOP("hash"))
		gl_flush_bytes(length, runs_count);
	if (gl_pending.personal.length > personal_length)
		gl_flush_personal(personal_length);
	gl_pending.bytes.length = length;
	gl_pending.hashed = length;
	gl_pending.personal.length = personal_length;
	gl_pending.runs_count = runs_count;
	/* nothing continues a run whose end was written out */
	gl_pending.next_in_run = runs_count > 0 ? gl_pending.mark->next_in_run : 0;
	GL_FAULT("flush-after");
}

static size_t
gl_own_size(void)
{
	size_t		length;
	size_t		personal_length;
	int			runs_count;

	gl_own_part(&length, &personal_length, &runs_count);
	return gl_pending.bytes.length - length + gl_pending.personal.length - personal_length;
}

/* The record that comes next belongs to the last run, or starts a new one. */
static void
gl_run_extend(uint64 number)
{
	if (gl_pending.runs_count == 0 || gl_pending.next_in_run != number)
	{
		if (gl_pending.runs_count == gl_pending.runs_capacity)
		{
			gl_pending.runs_capacity *= 2;
			gl_pending.runs = repalloc(gl_pending.runs, sizeof(GlRun) * gl_pending.runs_capacity);
		}
		gl_pending.runs[gl_pending.runs_count].first_record = number;
		gl_pending.runs[gl_pending.runs_count].offset = gl_pending.bytes.length;
		gl_pending.runs_count++;
	}
	gl_pending.next_in_run = number + 1;
}

void
gl_pending_finish(void)
{
	uint64		number = gl_pending.records;

	Assert(gl_pending.in_record);
	if (gl_scratch.length > GL_RECORD_MAX || gl_personal_scratch.length > GL_RECORD_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("row change of %zu bytes is too large for the ledger",
						Max(gl_scratch.length, gl_personal_scratch.length)),
				 errdetail("A record can have up to %zu bytes.", (size_t) GL_RECORD_MAX)));
	if (GL_STOP("encode"))
	{
		gl_pending.in_record = false;
		return;
	}

	/* all that can fail for want of memory comes before the first lasting change */
	gl_buffer_reserve(&gl_pending.bytes, gl_scratch.length + GL_VARINT_MAX_SIZE);
	gl_buffer_reserve(&gl_pending.personal, gl_personal_scratch.length + 2 * sizeof(uint64));
	gl_run_extend(number);
	gl_buffer_text(&gl_pending.bytes, gl_scratch.data, gl_scratch.length);
	if (gl_personal_scratch.length > 0)
	{
		gl_buffer_u64(&gl_pending.personal, number);
		gl_buffer_u64(&gl_pending.personal, gl_personal_scratch.length);
		gl_buffer_append(&gl_pending.personal, gl_personal_scratch.data, gl_personal_scratch.length);
	}
	gl_pending.records++;
	gl_pending.in_record = false;
	if (gl_own_size() > GL_FLUSH_SIZE)
		gl_flush_own();
}

/*
 * CatalogTupleInsert without its preparations, which look up and open every index anew: once per commit they are felt. Falls
 * back to it if somebody put an index of their own on the table.
 */
static void
gl_insert_entry(Relation relation, Datum *values, bool *nulls)
{
	static IndexInfo *info = NULL;
	static Oid	info_of = InvalidOid;
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(relation), values, nulls);
	List	   *indexes = RelationGetIndexList(relation);
	Oid			primary = gl_relation_oid(GL_REL_ENTRY_PKEY);
	Datum		key[2] = {values[Anum_gl_entry_generation - 1], values[Anum_gl_entry_transaction_id - 1]};
	bool		key_nulls[2] = {false, false};
	Relation	index;

	if (list_length(indexes) != 1 || linitial_oid(indexes) != primary)
	{
		CatalogTupleInsert(relation, tuple);
		return;
	}
	heap_insert(relation, tuple, GetCurrentCommandId(true), 0, NULL);
	index = index_open(primary, RowExclusiveLock);
	if (info == NULL || info_of != primary)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		info = BuildIndexInfo(index);
		info_of = primary;
		MemoryContextSwitchTo(old);
	}
	index_insert(index, key, key_nulls, &tuple->t_self, relation, UNIQUE_CHECK_YES, false, info);
	index_close(index, NoLock);
}

static void
gl_write_entry(bool inline_content, GlBytes claimed, int64 context_id, const GlHash *commitment)
{
	Relation	relation = gl_relation_open(GL_REL_ENTRY, RowExclusiveLock);
	Datum		values[Natts_gl_entry] = {0};
	bool		nulls[Natts_gl_entry] = {0};
	GlHash		root;

	gl_merkle_root(&gl_pending.edge, &root);
	values[Anum_gl_entry_transaction_id - 1] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	/* whoever depends on this transaction reads a later position, for it starts after our commit record */
	values[Anum_gl_entry_position - 1] = LSNGetDatum(GetXLogInsertRecPtr());
	values[Anum_gl_entry_entry_time - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_gl_entry_records - 1] = Int64GetDatum((int64) gl_pending.records);
	values[Anum_gl_entry_context_id - 1] = Int64GetDatum(context_id);
	values[Anum_gl_entry_generation - 1] = Int32GetDatum(gl_ledger_state()->generation);
	values[Anum_gl_entry_record_root - 1] = gl_bytea(root.bytes, GL_HASH_SIZE);
	values[Anum_gl_entry_context_commitment - 1] = gl_bytea(commitment->bytes, GL_HASH_SIZE);
	values[Anum_gl_entry_secret - 1] = gl_bytea(gl_pending.secret, GL_SECRET_SIZE);
	nulls[Anum_gl_entry_record_secret - 1] = true;
	nulls[Anum_gl_entry_claimed - 1] = claimed.length == 0;
	if (claimed.length > 0)
		values[Anum_gl_entry_claimed - 1] = gl_bytea(claimed.data, claimed.length);
	nulls[Anum_gl_entry_actor_signature - 1] = true;
	nulls[Anum_gl_entry_content - 1] = !inline_content;
	if (inline_content)
		values[Anum_gl_entry_content - 1] = gl_bytea(gl_pending.bytes.data, gl_pending.bytes.length);
	gl_insert_entry(relation, values, nulls);
	table_close(relation, NoLock);
}

/* At commit: everything that is still in memory goes to the log. Runs no user-defined code. */
static void
gl_pending_pre_commit(void)
{
	MemoryContext old;
	GlBytes		claimed;
	GlSalt		salt;
	GlHash		commitment;
	int64		context_id;
	bool		inline_content;

	if (!gl_pending.active || gl_pending.records == 0)
		return;
	GL_FAULT("entry-before");
	gl_hash_records();
	if (GL_STOP("hash"))
		return;
	old = MemoryContextSwitchTo(gl_pending.memory);
	gl_salt(gl_pending.secret, GL_SALT_CONTEXT, 0, &salt);
	context_id = gl_context_record(gl_pending.user, &salt, &claimed, &commitment);
	inline_content = gl_pending.runs_count == 1 && gl_pending.runs[0].first_record == 0 &&
		gl_pending.next_in_run == gl_pending.records && gl_pending.bytes.length <= GL_INLINE_SIZE;
	if (!inline_content && gl_pending.bytes.length > 0)
		gl_flush_bytes(0, 0);
	if (gl_pending.personal.length > 0)
		gl_flush_personal(0);
	if (!GL_STOP("flush"))
		gl_write_entry(inline_content, claimed, context_id, &commitment);
	gl_pending.written = true;
	MemoryContextSwitchTo(old);
	GL_FAULT("entry-after");
}

static void
gl_pending_end(bool committed)
{
	gl_pending.active = false;
	gl_pending.in_record = false;
	gl_pending.mark = NULL;
	explicit_bzero(gl_pending.personal_secret, sizeof(gl_pending.personal_secret));
	gl_scratch_reset(&gl_scratch);
	gl_scratch_reset(&gl_personal_scratch);
	gl_context_end(committed);
}

/* The parent cannot write our bytes under our transaction id later, so the sum of all levels is bounded here. */
static void
gl_pending_pre_commit_sub(int nest_level)
{
	if (gl_pending.active && gl_pending.mark != NULL && gl_pending.mark->nest_level == nest_level &&
		gl_pending.bytes.length + gl_pending.personal.length > GL_TOTAL_SIZE)
		gl_flush_own();
}

static void
gl_pending_end_sub(int nest_level, bool committed)
{
	GlMark	   *mark;

	if (!gl_pending.active)
		return;
	if (!committed)
		gl_pending.in_record = false;
	while ((mark = gl_pending.mark) != NULL && mark->nest_level >= nest_level)
	{
		if (committed)
		{
			int			parent = nest_level - 1;

			if (parent > 1 && (mark->parent == NULL || mark->parent->nest_level < parent))
			{
				mark->nest_level = parent;
				return;
			}
			gl_mark_pop();
			return;
		}
		gl_pending.bytes.length = mark->length;
		gl_pending.hashed = mark->length;
		gl_pending.personal.length = mark->personal_length;
		gl_pending.runs_count = mark->runs_count;
		gl_pending.next_in_run = mark->next_in_run;
		gl_merkle_copy(&gl_pending.edge, &mark->edge);
		gl_pending.records = mark->edge.size;
		gl_mark_pop();
	}
}

static const GlXactHooks gl_pending_hooks = {
	.pre_commit = gl_pending_pre_commit,
	.end = gl_pending_end,
	.pre_commit_sub = gl_pending_pre_commit_sub,
	.end_sub = gl_pending_end_sub,
};

void
gl_pending_init(void)
{
	gl_xact_register(&gl_pending_hooks);
}

bool
gl_capture_pending(void)
{
	return gl_pending.active && gl_pending.records > 0 && !gl_pending.written;
}

void
gl_capture_event(GlRecordKind kind, const void *body, size_t length)
{
	GlBuffer   *record = gl_pending_start();

	gl_record_begin(record, kind, 0, 0, 0);
	gl_buffer_append(record, body, length);
	gl_pending_finish();
}
