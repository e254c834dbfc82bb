/*
 * checkpoint.c
 *		Rows of govledger.checkpoint: what is signed must be the tree.
 */
#include "verify/log.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "core/catalog.h"
#include "format/note.h"
#include "core/probe.h"

enum
{
	Anum_checkpoint_tree_size = 1,
	Anum_checkpoint_signed_at,
	Anum_checkpoint_key_id,
	Anum_checkpoint_note,
	Natts_checkpoint = Anum_checkpoint_note
};

/* More checkpoints than this with keys that are not known yet are no accident. */
#define DEFERRED_MAX 1000

/* A signature by a key whose record has not been met. */
typedef struct GlDeferred
{
	int64		size;
	uint32		named;			/* by the seal */
	uint32		key_id;
	GlBytes		note;
	GlHash		root;
} GlDeferred;

struct GlCheckpoints
{
	GlProbe		probe;
	int64		matched;		/* rows that belong to a seal */
	int64		unsigned_seals;	/* newest seals without one */
	List	   *deferred;		/* of GlDeferred * */
};

static Oid
primary_key(void)
{
	Relation	heap = gl_relation_open(GL_REL_CHECKPOINT, AccessShareLock);
	Oid			index;

	list_free(RelationGetIndexList(heap));
	index = heap->rd_pkindex;
	table_close(heap, NoLock);
	if (!OidIsValid(index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the primary key of govledger.checkpoint is missing")));
	return index;
}

GlCheckpoints *
gl_checkpoints_open(GlVerify *verify)
{
	GlCheckpoints *checkpoints = palloc0(sizeof(GlCheckpoints));

	gl_probe_open(&checkpoints->probe, GL_REL_CHECKPOINT, primary_key(), verify->snapshot, 1);
	return checkpoints;
}

void
gl_checkpoints_close(GlCheckpoints *checkpoints)
{
	gl_probe_close(&checkpoints->probe);
}

static bool
find_checkpoint(GlCheckpoints *checkpoints, int64 tree_size)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(tree_size));
	gl_probe_start(&checkpoints->probe, &key, 1);
	return gl_probe_next(&checkpoints->probe);
}

/* What is wrong with a note, its signature and root apart; NULL if nothing. */
static const char *
check_note(GlVerify *verify, int64 size, GlBytes note, GlCheckpoint *checkpoint)
{
	if (!gl_checkpoint_read(note, checkpoint))
		return "its note is no checkpoint";
	if (!gl_bytes_equal(checkpoint->origin, gl_origin_at(verify, size - 1)))
		return "its note names another origin";
	if (checkpoint->size != (uint64) size)
		return psprintf("its note is about a tree of %llu leaves", (unsigned long long) checkpoint->size);
	return NULL;
}

static const char *
check_signature(GlVerify *verify, const GlDeferred *signature)
{
	if (!gl_keys_succeeds(verify->keys, signature->named, signature->key_id) &&
		gl_keys_known(verify->keys, signature->key_id))
		return psprintf("the seal names key %08x, and key %08x did not replace it", signature->named, signature->key_id);
	return gl_keys_verify(verify->keys, signature->note, signature->key_id);
}

static void
report_checkpoint(GlVerify *verify, int64 size, const char *problem)
{
	gl_report_log(verify->report, GL_CHECK_CHECKPOINT, size - 1, psprintf("checkpoint %lld", (long long) size), "%s",
				  problem);
}

/* A key may sign a tree that does not hold its record yet; then the record is in the next block. */
static void
defer(GlVerify *verify, const GlDeferred *signature)
{
	GlCheckpoints *checkpoints = verify->checkpoints;
	MemoryContext old;
	GlDeferred *copy;

	if (list_length(checkpoints->deferred) >= DEFERRED_MAX)
	{
		report_checkpoint(verify, signature->size, check_signature(verify, signature));
		return;
	}
	old = MemoryContextSwitchTo(verify->memory);
	copy = palloc(sizeof(GlDeferred));
	*copy = *signature;
	copy->note = gl_bytes_copy(signature->note);
	checkpoints->deferred = lappend(checkpoints->deferred, copy);
	MemoryContextSwitchTo(old);
}

static void
check_deferred(GlVerify *verify)
{
	ListCell   *cell;

	foreach(cell, verify->checkpoints->deferred)
	{
		const GlDeferred *signature = lfirst(cell);
		const char *problem = check_signature(verify, signature);
		GlCheckpoint checkpoint;

		if (problem == NULL && gl_checkpoint_read(signature->note, &checkpoint) &&
			!gl_hash_equal(&checkpoint.root, &signature->root))
			problem = "it is signed and has another root: the log was rewritten after it";
		if (problem != NULL)
			report_checkpoint(verify, signature->size, problem);
	}
}

void
gl_checkpoint_of(GlVerify *verify, const GlStoredSeal *seal, GlCheckpointRow *row)
{
	GlCheckpoints *checkpoints = verify->checkpoints;
	int64		size = gl_seal_size(seal);
	GlDeferred	signature = {.size = size, .root = seal->root};
	GlCheckpoint checkpoint;
	const char *problem;

	memset(row, 0, sizeof(*row));
	if (!find_checkpoint(checkpoints, size))
	{
		checkpoints->unsigned_seals++;
		return;
	}
	checkpoints->matched++;
	checkpoints->unsigned_seals = 0;
	signature.note = gl_bytes_of(TextDatumGetCString(gl_probe_value(&checkpoints->probe, Anum_checkpoint_note)));
	signature.key_id = (uint32) DatumGetInt64(gl_probe_value(&checkpoints->probe, Anum_checkpoint_key_id));
	signature.named = seal->parsed ? seal->seal.key_id : 0;
	problem = check_note(verify, size, signature.note, &checkpoint);
	if (problem == NULL && !gl_keys_known(verify->keys, signature.key_id))
	{
		defer(verify, &signature);
		return;
	}
	if (problem == NULL)
		problem = check_signature(verify, &signature);
	if (problem != NULL)
		report_checkpoint(verify, size, problem);
	row->trusted = problem == NULL;
	if (row->trusted)
		row->root = checkpoint.root;
}

static bool
seal_exists(GlVerify *verify, int64 tree_size)
{
	GlStoredSeal *seal = gl_seal_before(verify->snapshot, tree_size, verify->scratch);

	return seal != NULL && gl_seal_size(seal) == tree_size;
}

/* Only when there are more rows than seals account for. */
static void
name_strays(GlVerify *verify)
{
	Relation	heap = verify->checkpoints->probe.heap;
	SysScanDesc scan = systable_beginscan(heap, InvalidOid, false, verify->snapshot, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		int64		size = DatumGetInt64(heap_getattr(tuple, Anum_checkpoint_tree_size, RelationGetDescr(heap), &isnull));

		gl_verify_progress(verify, "checking checkpoints", 0, 0);
		if (!seal_exists(verify, size))
			gl_report_log(verify->report, GL_CHECK_CHECKPOINT, GL_NO_LEAF, psprintf("checkpoint %lld", (long long) size),
						  "no seal ends the tree at %lld leaves: the log was rewritten or rolled back", (long long) size);
		MemoryContextReset(verify->scratch);
	}
	systable_endscan(scan);
}

static int64
count_rows(GlVerify *verify)
{
	SysScanDesc scan = systable_beginscan(verify->checkpoints->probe.heap, InvalidOid, false, verify->snapshot, 0, NULL);
	int64		count = 0;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;

		count += DatumGetInt64(heap_getattr(tuple, Anum_checkpoint_tree_size,
											RelationGetDescr(verify->checkpoints->probe.heap), &isnull)) >= verify->since;
	}
	systable_endscan(scan);
	return count;
}

void
gl_checkpoints_check(GlVerify *verify)
{
	GlCheckpoints *checkpoints = verify->checkpoints;
	const char *newest = "";

	check_deferred(verify);
	if (count_rows(verify) != checkpoints->matched)
		name_strays(verify);
	if (checkpoints->unsigned_seals > 0 && gl_keys_any(verify->keys))
		newest = psprintf("; the newest %lld seals are not signed yet", (long long) checkpoints->unsigned_seals);
	gl_report_pass(verify->report, GL_CHECK_CHECKPOINT, NULL, "log",
				   "%lld checkpoints are signed by a key of this log and match the tree%s",
				   (long long) checkpoints->matched, newest);
}
