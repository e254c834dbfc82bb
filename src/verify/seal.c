/*
 * seal.c
 *		Rows of govledger.seal: reading them, and what can be told from two of them in a row.
 */
#include "verify/log.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "core/catalog.h"
#include "ledger/rows.h"
#include "core/probe.h"

/* The row in hand, the one before it, and the one after. */
#define SEALS_KEPT 3

struct GlSeals
{
	GlProbe		probe;
	GlStoredSeal	rows[SEALS_KEPT];
	int			next;
};

static void
read_row(GlStoredSeal *row, const GlProbe *probe)
{
	const Datum *values = probe->slot->tts_values;
	GlBytes		bytes;

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
	/* a seal of another height put here says nothing about this one */
	row->parsed = gl_seal_read(row->content, &row->seal) && row->seal.height == (uint64) row->height;
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
	gl_probe_open(&seals->probe, GL_REL_SEAL, gl_relation_oid(GL_REL_SEAL_PKEY), snapshot, 1);
	ScanKeyInit(&key, Anum_gl_seal_height, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(from_height));
	gl_probe_start(&seals->probe, &key, 1);
	return seals;
}

GlStoredSeal *
gl_seals_next(GlSeals *seals)
{
	GlStoredSeal *row = &seals->rows[seals->next];
	MemoryContext old;

	if (!gl_probe_next(&seals->probe))
		return NULL;
	MemoryContextReset(row->memory);
	old = MemoryContextSwitchTo(row->memory);
	read_row(row, &seals->probe);
	MemoryContextSwitchTo(old);
	seals->next = (seals->next + 1) % SEALS_KEPT;
	return row;
}

void
gl_seals_close(GlSeals *seals)
{
	int			i;

	gl_probe_close(&seals->probe);
	for (i = 0; i < SEALS_KEPT; i++)
		MemoryContextDelete(seals->rows[i].memory);
	pfree(seals);
}

/* Heights and sizes grow together, so going back from the newest finds it soon, or is bounded by what is new. */
GlStoredSeal *
gl_seal_before(Snapshot snapshot, int64 size, MemoryContext memory)
{
	MemoryContext old = MemoryContextSwitchTo(memory);
	GlStoredSeal *row = palloc0(sizeof(GlStoredSeal));
	GlProbe		probe;
	ScanKeyData key;
	bool		found = false;

	gl_probe_open(&probe, GL_REL_SEAL, gl_relation_oid(GL_REL_SEAL_PKEY), snapshot, 1);
	ScanKeyInit(&key, Anum_gl_seal_height, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(PG_INT64_MIN));
	gl_probe_start(&probe, &key, 1);
	while (!found && gl_probe_previous(&probe))
	{
		CHECK_FOR_INTERRUPTS();
		if (DatumGetInt64(gl_probe_value(&probe, Anum_gl_seal_tree_size)) > size)
			continue;
		read_row(row, &probe);
		row->memory = memory;
		found = true;
	}
	gl_probe_close(&probe);
	MemoryContextSwitchTo(old);
	return found ? row : NULL;
}

GlStoredSeal *
gl_seal_first(Snapshot snapshot, MemoryContext memory)
{
	MemoryContext old = MemoryContextSwitchTo(memory);
	GlSeals    *seals = gl_seals_open(snapshot, PG_INT64_MIN);
	GlStoredSeal *first = gl_seals_next(seals);
	GlStoredSeal *copy = NULL;

	if (first != NULL)
	{
		copy = palloc(sizeof(GlStoredSeal));
		*copy = *first;
		/* what it points to goes with the scan */
		copy->memory = memory;
		copy->content = gl_bytes_copy(first->content);
		copy->parsed = first->parsed && gl_seal_read(copy->content, &copy->seal);
		copy->snapshot = (Datum) 0;
	}
	gl_seals_close(seals);
	MemoryContextSwitchTo(old);
	return copy;
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

/* Is the seal the successor of the one before, as far as servers and time go? */
static const char *
check_succession(const GlSeal *now, const GlSeal *before)
{
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
	return NULL;
}

/* The columns beside the content say the same as the content. */
static const char *
check_columns(const GlStoredSeal *row)
{
	const GlSeal *seal = &row->seal;

	if (gl_seal_size(row) != row->tree_size)
		return psprintf("its content says tree size %lld, the column tree_size %lld",
						(long long) gl_seal_size(row), (long long) row->tree_size);
	if (seal->time != row->sealed_at)
		return "the column sealed_at is not the time in its content";
	return NULL;
}

bool
gl_seal_follows(const GlStoredSeal *row, const GlStoredSeal *previous)
{
	static const GlHash zero;

	return row->parsed && gl_hash_equal(&row->seal.previous_seal, previous != NULL ? &previous->leaf : &zero);
}

void
gl_seal_check(GlVerify *verify, const GlStoredSeal *row, const GlStoredSeal *previous)
{
	char	   *name = psprintf("seal %lld", (long long) row->height);
	int64		leaf = gl_seal_size(row) - 1;
	const char *problem;

	if (!gl_bytes_equal(row->seal.origin, gl_origin_at(verify, leaf)))
		gl_report_log(verify->report, GL_CHECK_SEAL, leaf, name, "its content names another origin: %s",
					  gl_shown(row->seal.origin, false));
	problem = check_columns(row);
	if (problem == NULL && previous != NULL && row->first_leaf != gl_seal_size(previous))
		problem = psprintf("its column first_leaf says leaf %lld, but the block before ends with leaf %lld",
						   (long long) row->first_leaf, (long long) gl_seal_size(previous) - 1);
	if (problem == NULL && row->first_leaf >= gl_seal_size(row) - 1)
		problem = "it closes a block without entries";
	if (problem == NULL && previous != NULL && previous->parsed)
		problem = check_succession(&row->seal, &previous->seal);
	if (problem != NULL)
		gl_report_log(verify->report, GL_CHECK_SEAL, leaf, name, "%s", problem);
}
