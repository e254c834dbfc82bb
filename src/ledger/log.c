/*
 * log.c
 *		Entries and what belongs to them, fetched by index with scans that are opened once per run; see log.h.
 */
#include "ledger/log.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/pg_lsn.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "core/catalog.h"
#include "core/probe.h"
#include "ledger/rows.h"

/* Sessions come interleaved, and each repeats its context from entry to entry. */
#define CONTEXT_SLOTS 64

typedef struct GlContextSlot
{
	bool		used;
	bool		exists;
	int64		context_id;
	GlBuffer	content;
} GlContextSlot;

struct GlLog
{
	GlProbe		entries;
	GlProbe		chunks;
	GlProbe		personals;
	GlProbe		contexts;
	GlContextSlot context_slots[CONTEXT_SLOTS];
	GlBuffer	contexts_seen;	/* one bit per context id that an entry has */

	/* the cursor over the personal values of one entry */
	bool		personal_open;	/* it stands in the entry below */
	bool		personal_row;	/* it stands on a row */
	uint32		personal_generation;
	uint64		personal_transaction;

	int64		chunks_read;
	int64		personal_read;
};

/* Start again at the rows of one transaction. */
static void
start_transaction(GlProbe *probe, uint32 generation, uint64 transaction_id)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum((int32) generation));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_XID8EQ,
				FullTransactionIdGetDatum(FullTransactionIdFromU64(transaction_id)));
	gl_probe_start(probe, keys, 2);
}

GlLog *
gl_log_open(Snapshot snapshot)
{
	GlLog	   *log = palloc0(sizeof(GlLog));
	int			i;

	gl_probe_open(&log->entries, GL_REL_ENTRY, gl_relation_oid(GL_REL_ENTRY_PKEY), snapshot, 2);
	gl_probe_open(&log->chunks, GL_REL_RECORD_CHUNK, gl_relation_oid(GL_REL_RECORD_CHUNK_PKEY), snapshot, 2);
	gl_probe_open(&log->personals, GL_REL_PERSONAL, gl_relation_oid(GL_REL_PERSONAL_PKEY), snapshot, 2);
	gl_probe_open(&log->contexts, GL_REL_CONTEXT, gl_relation_oid(GL_REL_CONTEXT_PKEY), snapshot, 1);
	gl_buffer_init(&log->contexts_seen, gl_grow);
	gl_buffer_reserve(&log->contexts_seen, 1);
	for (i = 0; i < CONTEXT_SLOTS; i++)
	{
		gl_buffer_init(&log->context_slots[i].content, gl_grow);
		/* allocate now, in the context of the run */
		gl_buffer_reserve(&log->context_slots[i].content, 1);
	}
	return log;
}

void
gl_log_close(GlLog *log)
{
	gl_probe_close(&log->entries);
	gl_probe_close(&log->chunks);
	gl_probe_close(&log->personals);
	gl_probe_close(&log->contexts);
}

/* A column of a fixed size; says so in `problem` if it has another. */
static void
read_fixed(TupleTableSlot *slot, int column, void *out, size_t size, const char **problem, const char *complaint)
{
	GlBytes		bytes = {NULL, 0};

	if (!slot->tts_isnull[column - 1])
		bytes = gl_bytea_bytes(slot->tts_values[column - 1]);
	if (bytes.length == size)
		memcpy(out, bytes.data, size);
	else
	{
		memset(out, 0, size);
		*problem = complaint;
	}
}

static GlBytes
read_bytes(TupleTableSlot *slot, int column)
{
	GlBytes		bytes = {NULL, 0};

	if (!slot->tts_isnull[column - 1])
		bytes = gl_bytea_bytes(slot->tts_values[column - 1]);
	return bytes;
}

static void
read_entry(TupleTableSlot *slot, GlLogEntry *entry)
{
	const Datum *values = slot->tts_values;
	const bool *nulls = slot->tts_isnull;

	entry->problem = NULL;
	entry->position = DatumGetLSN(values[Anum_gl_entry_position - 1]);
	entry->time = gl_unix_time(DatumGetTimestampTz(values[Anum_gl_entry_entry_time - 1]));
	entry->records = (uint64) DatumGetInt64(values[Anum_gl_entry_records - 1]);
	entry->context_id = DatumGetInt64(values[Anum_gl_entry_context_id - 1]);
	read_fixed(slot, Anum_gl_entry_record_root, &entry->record_root, GL_HASH_SIZE, &entry->problem,
			   "record_root does not have 32 bytes");
	read_fixed(slot, Anum_gl_entry_context_commitment, &entry->context_commitment, GL_HASH_SIZE, &entry->problem,
			   "context_commitment does not have 32 bytes");
	entry->has_secret = !nulls[Anum_gl_entry_secret - 1];
	entry->has_record_secret = !nulls[Anum_gl_entry_record_secret - 1];
	if (entry->has_secret)
		read_fixed(slot, Anum_gl_entry_secret, entry->secret, GL_SECRET_SIZE, &entry->problem,
				   "secret does not have 16 bytes");
	else
		read_fixed(slot, Anum_gl_entry_record_secret, entry->secret, GL_SECRET_SIZE, &entry->problem,
				   "neither secret nor record_secret has 16 bytes");
	entry->claimed = read_bytes(slot, Anum_gl_entry_claimed);
	entry->actor_signature = read_bytes(slot, Anum_gl_entry_actor_signature);
	entry->has_content = !nulls[Anum_gl_entry_content - 1];
	entry->content = read_bytes(slot, Anum_gl_entry_content);
}

bool
gl_log_fetch(GlLog *log, uint32 generation, uint64 transaction_id, GlLogEntry *entry)
{
	GlProbe    *probe = &log->entries;

	start_transaction(probe, generation, transaction_id);
	if (!gl_probe_next(probe))
		return false;
	entry->leaf = GL_NO_LEAF;
	entry->generation = generation;
	entry->transaction_id = transaction_id;
	entry->xmin = HeapTupleHeaderGetRawXmin(ExecFetchSlotHeapTuple(probe->slot, false, NULL)->t_data);
	read_entry(probe->slot, entry);
	return true;
}

/* Records are many: look at interrupts now and then. */
#define RECORDS_BETWEEN_INTERRUPTS 1024

static bool
walk_stream(GlBytes stream, const GlLogEntry *entry, GlRecordFunction function, void *arg, uint64 *count)
{
	GlReader	reader;
	GlBytes		record;

	gl_reader_init(&reader, stream.data, stream.length);
	while (gl_record_next(&reader, &record))
	{
		if ((*count & (RECORDS_BETWEEN_INTERRUPTS - 1)) == RECORDS_BETWEEN_INTERRUPTS - 1)
			CHECK_FOR_INTERRUPTS();
		function(arg, entry, (*count)++, record);
	}
	return !reader.failed;
}

static const char *
walk_chunks(GlLog *log, const GlLogEntry *entry, GlRecordFunction function, void *arg, uint64 *count)
{
	TupleTableSlot *slot = log->chunks.slot;

	start_transaction(&log->chunks, entry->generation, entry->transaction_id);
	while (gl_probe_next(&log->chunks))
	{
		struct varlena *content;
		GlBytes		stream;
		bool		sound;

		log->chunks_read++;
		if (DatumGetInt64(slot->tts_values[Anum_gl_record_chunk_first_record - 1]) != (int64) *count)
			return psprintf("record %llu is missing", (unsigned long long) *count);
		content = PG_DETOAST_DATUM_PACKED(slot->tts_values[Anum_gl_record_chunk_content - 1]);
		stream.data = (const uint8_t *) VARDATA_ANY(content);
		stream.length = VARSIZE_ANY_EXHDR(content);
		sound = walk_stream(stream, entry, function, arg, count);
		/* one chunk at a time: an entry may be larger than memory */
		if ((Pointer) content != DatumGetPointer(slot->tts_values[Anum_gl_record_chunk_content - 1]))
			pfree(content);
		if (!sound)
			return psprintf("the stream of records is broken after record %llu", (unsigned long long) *count);
	}
	return NULL;
}

const char *
gl_log_records(GlLog *log, const GlLogEntry *entry, GlRecordFunction function, void *arg, uint64 *count)
{
	const char *problem;

	*count = 0;
	if (entry->has_content && !walk_stream(entry->content, entry, function, arg, count))
		return psprintf("the stream of records is broken after record %llu", (unsigned long long) *count);
	if (!entry->has_content || *count < entry->records)
	{
		problem = walk_chunks(log, entry, function, arg, count);
		if (problem != NULL)
			return problem;
	}
	if (*count != entry->records)
		return psprintf("it has %llu records and says %llu", (unsigned long long) *count,
						(unsigned long long) entry->records);
	return NULL;
}

/* Ids come from a sequence, so they are dense; what a bit map within work_mem cannot hold is not remembered. */
static bool
seen_place(int64 context_id, size_t *byte, uint8 *bit)
{
	*byte = (size_t) (context_id / 8);
	*bit = (uint8) (1 << (context_id % 8));
	return context_id >= 0 && *byte < (size_t) work_mem * 1024;
}

static void
mark_seen(GlBuffer *seen, int64 context_id)
{
	size_t		byte;
	uint8		bit;

	if (!seen_place(context_id, &byte, &bit))
		return;
	if (byte >= seen->length)
	{
		gl_buffer_reserve(seen, byte + 1 - seen->length);
		memset(seen->data + seen->length, 0, byte + 1 - seen->length);
		seen->length = byte + 1;
	}
	seen->data[byte] |= bit;
}

bool
gl_log_context_seen(const GlLog *log, int64 context_id)
{
	size_t		byte;
	uint8		bit;

	if (!seen_place(context_id, &byte, &bit))
		return true;
	return byte < log->contexts_seen.length && (log->contexts_seen.data[byte] & bit) != 0;
}

bool
gl_log_context(GlLog *log, int64 context_id, GlBytes *content)
{
	GlContextSlot *cached = &log->context_slots[(uint64) context_id % CONTEXT_SLOTS];
	GlProbe    *probe = &log->contexts;

	if (!cached->used || cached->context_id != context_id)
	{
		ScanKeyData key;

		ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(context_id));
		gl_probe_start(probe, &key, 1);
		cached->used = true;
		cached->context_id = context_id;
		mark_seen(&log->contexts_seen, context_id);
		cached->exists = gl_probe_next(probe);
		cached->content.length = 0;
		if (cached->exists)
		{
			GlBytes		bytes = gl_bytea_bytes(gl_probe_value(probe, Anum_gl_context_content));

			gl_buffer_append(&cached->content, bytes.data, bytes.length);
		}
	}
	content->data = cached->content.data;
	content->length = cached->content.length;
	return cached->exists;
}

static void
personal_step(GlLog *log)
{
	log->personal_row = gl_probe_next(&log->personals);
	log->personal_read += log->personal_row;
}

bool
gl_log_personal(GlLog *log, const GlLogEntry *entry, uint64 record, GlBytes *content)
{
	TupleTableSlot *slot = log->personals.slot;

	if (!log->personal_open || log->personal_generation != entry->generation ||
		log->personal_transaction != entry->transaction_id)
	{
		start_transaction(&log->personals, entry->generation, entry->transaction_id);
		log->personal_open = true;
		log->personal_generation = entry->generation;
		log->personal_transaction = entry->transaction_id;
		personal_step(log);
	}
	while (log->personal_row && DatumGetInt64(slot->tts_values[Anum_gl_personal_record - 1]) < (int64) record)
		personal_step(log);
	if (!log->personal_row || DatumGetInt64(slot->tts_values[Anum_gl_personal_record - 1]) != (int64) record)
		return false;
	*content = gl_bytea_bytes(slot->tts_values[Anum_gl_personal_content - 1]);
	return true;
}

int64
gl_log_chunks_read(const GlLog *log)
{
	return log->chunks_read;
}

int64
gl_log_personal_read(const GlLog *log)
{
	return log->personal_read;
}

void
gl_log_restart(GlLog *log)
{
	log->personal_open = false;
}

char *
gl_entry_name(uint32 generation, uint64 transaction_id)
{
	return psprintf("entry %u/%llu", generation, (unsigned long long) transaction_id);
}
