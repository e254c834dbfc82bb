/*
 * project.c
 *		Fill histories from the log; see project.h.
 *
 * Histories that are at the same place are filled together, in one pass over the log. Those that fell behind come first, up to the next
 * one's place, so that they meet.
 */
#include "history/project.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/catalog.h"
#include "core/clock.h"
#include "core/owner.h"
#include "history/define.h"
#include "history/writer.h"
#include "ledger/table.h"
#include "seal/rows.h"
#include "seal/step.h"

/* A batch ends with the entry that passes one of these. */
#define BATCH_RECORDS 100000
#define BATCH_MILLISECONDS 500
/* milliseconds until what failed is tried again: the first time, and at most */
#define RETRY_FIRST 1000
#define RETRY_LAST 60000

/* A table that has failed; for the life of the process. */
typedef struct GlSetAside
{
	int			table_id;		/* 0: the log itself */
	int			failures;		/* in a row */
	int64		next_try;		/* gl_clock */
} GlSetAside;

static List *set_aside = NIL;

/* Whose work an error belongs to; 0: nobody's. */
static int	current_table = 0;
static const GlHistoryStream *current_stream = NULL;

/* One table in a batch. */
typedef struct GlFilled
{
	GlHistorySource source;
	GlHistoryTable before;		/* what is stored */
	Relation	heap;
	GlWriter   *writer;
} GlFilled;

typedef struct GlBatch
{
	Snapshot	snapshot;
	int64		target;			/* size of the sealed tree */
	int64		projected;		/* of all that have no place of their own */
	int64		from;
	int64		to;
	List	   *filled;			/* of GlFilled * */
	bool		tied;			/* those without a place of their own are among them */
	uint64		records;
	int64		began;			/* gl_clock */
} GlBatch;

/* --- what has failed --- */

static GlSetAside *
find_aside(int table_id)
{
	ListCell   *cell;

	foreach(cell, set_aside)
		if (((GlSetAside *) lfirst(cell))->table_id == table_id)
			return lfirst(cell);
	return NULL;
}

static bool
must_wait(int table_id)
{
	const GlSetAside *aside = find_aside(table_id);

	return aside != NULL && aside->next_try > gl_clock();
}

static void
put_aside(int table_id)
{
	GlSetAside *aside = find_aside(table_id);
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	if (aside == NULL)
	{
		aside = palloc0(sizeof(GlSetAside));
		aside->table_id = table_id;
		set_aside = lappend(set_aside, aside);
	}
	aside->next_try = gl_clock() + Min((int64) RETRY_FIRST << Min(aside->failures, 10), RETRY_LAST);
	aside->failures++;
	MemoryContextSwitchTo(old);
}

static void
take_back(int table_id)
{
	GlSetAside *aside = find_aside(table_id);

	if (aside == NULL)
		return;
	set_aside = list_delete_ptr(set_aside, aside);
	pfree(aside);
}

int64
gl_project_next_try(void)
{
	int64		next = 0;
	ListCell   *cell;

	foreach(cell, set_aside)
	{
		const GlSetAside *aside = lfirst(cell);

		if (next == 0 || aside->next_try < next)
			next = Max(aside->next_try, 1);
	}
	return next;
}

void
gl_project_retry(void)
{
	ListCell   *cell;

	foreach(cell, set_aside)
		((GlSetAside *) lfirst(cell))->next_try = 0;
}

/* --- what is to be done --- */

bool
gl_project_behind(void)
{
	GlSealRow	seal;
	List	   *all;
	ListCell   *cell;
	int64		projected;

	if (!gl_history_installed())
		return false;
	gl_seal_latest(&seal);
	projected = gl_history_projected(GetActiveSnapshot());
	all = gl_history_load_all(GetActiveSnapshot());
	foreach(cell, all)
	{
		const GlHistoryTable *table = lfirst(cell);

		if (!table->ended && gl_history_reached(table, projected) < (int64) seal.tree_size)
			return true;
	}
	return false;
}

static void
add_filled(GlBatch *batch, const GlHistoryTable *table)
{
	GlFilled   *filled = palloc0(sizeof(GlFilled));

	filled->source.table = palloc(sizeof(GlHistoryTable));
	*filled->source.table = *table;
	filled->before = *table;
	filled->source.from = batch->from;
	batch->filled = lappend(batch->filled, filled);
	batch->tied |= table->projected == GL_HISTORY_NONE;
}

/* What was set aside may have been filled by another meanwhile (rebuild), or have ended: there is nothing to try again. */
static void
forget_done(const GlBatch *batch, List *all)
{
	ListCell   *cell;
	ListCell   *known;

	foreach(cell, set_aside)
	{
		GlSetAside *aside = lfirst(cell);
		bool		behind = aside->table_id == 0;

		foreach(known, all)
		{
			const GlHistoryTable *table = lfirst(known);

			behind |= table->table_id == aside->table_id && !table->ended &&
				gl_history_reached(table, batch->projected) < batch->target;
		}
		if (behind)
			continue;
		set_aside = foreach_delete_current(set_aside, cell);
		pfree(aside);
	}
}

/* Those that are farthest behind, and how far they go until they meet others. False if there is nothing to do. */
static bool
choose(GlBatch *batch)
{
	List	   *all = gl_history_load_all(NULL);
	ListCell   *cell;

	batch->projected = gl_history_projected(NULL);
	batch->from = batch->target;
	forget_done(batch, all);
	foreach(cell, all)
	{
		const GlHistoryTable *table = lfirst(cell);

		if (!table->ended && !must_wait(table->table_id))
			batch->from = Min(batch->from, gl_history_reached(table, batch->projected));
	}
	batch->to = batch->target;
	foreach(cell, all)
	{
		const GlHistoryTable *table = lfirst(cell);
		int64		reached = gl_history_reached(table, batch->projected);

		if (table->ended || must_wait(table->table_id))
			continue;
		if (reached == batch->from)
			add_filled(batch, table);
		else
			batch->to = Min(batch->to, reached);
	}
	return batch->from < batch->target && batch->filled != NIL;
}

/* --- filling --- */

static void
write_row(GlHistorySource *source, const GlHistoryRow *row)
{
	gl_writer_row(((GlFilled *) source->arg)->writer, row);
}

static void
erase_values(GlHistorySource *source, const GlErasure *erasure)
{
	gl_writer_erase(((GlFilled *) source->arg)->writer, source->table, erasure);
}

static bool
batch_goes_on(void *arg, int64 next, uint64 records)
{
	GlBatch    *batch = arg;

	batch->records += records;
	return batch->records < BATCH_RECORDS &&
		((next & 63) != 0 || gl_clock() - batch->began < BATCH_MILLISECONDS);
}

typedef enum GlOpened
{
	GL_OPEN_DONE,
	GL_OPEN_BUSY,				/* the history is locked: it is being filled anew, or changed */
	GL_OPEN_ENDED				/* there is nothing more to fill */
} GlOpened;

static GlOpened
open_filled(GlFilled *filled, int64 place)
{
	static const GlHistoryCallbacks callbacks = {.row = write_row,.erasure = erase_values};
	GlHistoryTable *table = filled->source.table;

	current_table = table->table_id;
	if (!ConditionalLockRelationOid(table->history, RowExclusiveLock))
		return GL_OPEN_BUSY;
	filled->heap = try_table_open(table->history, NoLock);
	if (filled->heap == NULL && gl_ledger_table_load(table->table_id)->unprotected)
	{
		/* dropped before it was filled to its end, as its owner may */
		table->ended = true;
		table->projected = place;
		table->error = NULL;
		gl_history_progress_put(table);
		current_table = 0;
		return GL_OPEN_ENDED;
	}
	if (filled->heap == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the relation of the history is gone"),
				 errhint("Run SELECT govledger.rebuild('schema.table').")));
	filled->source.descriptor = RelationGetDescr(filled->heap);
	filled->source.callbacks = &callbacks;
	filled->source.arg = filled;
	gl_source_open(&filled->source);
	filled->writer = gl_writer_open(filled->heap, table->table_id);
	current_table = 0;
	return GL_OPEN_DONE;
}

/* It goes its own way, and is tried again. */
static void
leave_behind(const GlFilled *filled, int64 place)
{
	GlHistoryTable table = filled->before;

	current_table = 0;
	put_aside(table.table_id);
	if (table.projected != GL_HISTORY_NONE)
		return;
	table.projected = place;
	gl_history_progress_put(&table);
}

static void
open_batch(GlBatch *batch)
{
	List	   *opened = NIL;
	ListCell   *cell;

	foreach(cell, batch->filled)
	{
		GlOpened	outcome = open_filled(lfirst(cell), batch->from);

		if (outcome == GL_OPEN_DONE)
			opened = lappend(opened, lfirst(cell));
		else if (outcome == GL_OPEN_BUSY)
			leave_behind(lfirst(cell), batch->from);
	}
	list_free(batch->filled);
	batch->filled = opened;
}

/* What stands in the catalog after the batch. */
static void
store_progress(GlBatch *batch, GlFilled *filled, int64 done)
{
	GlHistoryTable *table = filled->source.table;
	int64		others = batch->tied ? done : batch->projected;
	bool		same;

	if (table->projected != GL_HISTORY_NONE)
		table->projected = done == others ? GL_HISTORY_NONE : done;
	table->error = NULL;
	same = table->projected == filled->before.projected && table->first_leaf == filled->before.first_leaf &&
		table->ended == filled->before.ended && filled->before.error == NULL &&
		table->schema.data == filled->before.schema.data;
	/* one that is filled to its end stays there, wherever the others go */
	if (table->ended)
		table->projected = done;
	if (!same)
		gl_history_progress_put(table);
	take_back(table->table_id);
}

static void
run_batch(GlBatch *batch)
{
	GlHistoryStream *stream;
	List	   *sources = NIL;
	ListCell   *cell;
	int64		done;

	open_batch(batch);
	if (batch->filled == NIL && !batch->tied)
		return;
	foreach(cell, batch->filled)
		sources = lappend(sources, &((GlFilled *) lfirst(cell))->source);
	stream = gl_stream_open(batch->snapshot, sources);
	current_stream = stream;
	done = batch->filled == NIL ? batch->from : gl_stream_run(stream, batch->from, batch->to, batch_goes_on, batch);
	current_stream = NULL;
	foreach(cell, batch->filled)
	{
		GlFilled   *filled = lfirst(cell);

		current_table = filled->source.table->table_id;
		gl_writer_close(filled->writer);
		table_close(filled->heap, NoLock);
	}
	current_table = 0;
	gl_stream_close(stream);
	if (batch->tied && done != batch->projected)
		gl_history_set_projected(done);
	foreach(cell, batch->filled)
		store_progress(batch, lfirst(cell), done);
}

/* In the transaction of a step. */
static GlProjectOutcome
fill(GlBatch *batch)
{
	GlOwnerScope scope;
	GlSealRow	seal;

	if (!gl_history_installed() || !gl_ledger_state()->exists || !gl_ledger_is_ours(gl_ledger_state()) || must_wait(0) || !gl_history_try_lock())
		return GL_PROJECT_IDLE;
	gl_step_snapshot();
	gl_seal_latest(&seal);
	batch->snapshot = GetActiveSnapshot();
	batch->target = (int64) seal.tree_size;
	if (!choose(batch))
		return GL_PROJECT_IDLE;
	batch->began = gl_clock();
	gl_owner_enter(&scope, gl_history_owner());
	run_batch(batch);
	gl_owner_leave(&scope);
	take_back(0);
	return GL_PROJECT_MORE;
}

/* --- errors --- */

/* Write the error to the tables it belongs to. What cannot be stored is in the server log. */
static void
store_error(int table_id, const ErrorData *error)
{
	List	   *all;
	ListCell   *cell;

	if (!gl_step_begin())
		return;
	if (gl_history_try_lock())
	{
		all = gl_history_load_all(NULL);
		foreach(cell, all)
		{
			GlHistoryTable *table = lfirst(cell);

			if (table->ended || (table_id != 0 && table->table_id != table_id))
				continue;
			if (table_id != 0 && table->projected == GL_HISTORY_NONE)
				table->projected = gl_history_projected(NULL);
			table->error = error->detail != NULL ? psprintf("%s (%s)", error->message, error->detail) : error->message;
			table->error_at = GetCurrentTimestamp();
			gl_history_progress_put(table);
		}
	}
	gl_step_commit();
}

/* Whose work the error interrupted. */
static int
guilty_table(void)
{
	int			table_id = current_table;

	if (table_id == 0 && current_stream != NULL && current_stream->current != NULL)
		table_id = current_stream->current->table->table_id;
	current_table = 0;
	current_stream = NULL;
	return table_id;
}

static void
batch_failed(int table_id, const ErrorData *error)
{
	bool		known;

	known = find_aside(table_id) != NULL;
	put_aside(table_id);
	if (!known)
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 table_id != 0 ?
				 errmsg("govledger could not fill the history of table %d: %s", table_id, error->message) :
				 errmsg("govledger could not fill histories: %s", error->message),
				 error->detail != NULL ? errdetail_internal("%s", error->detail) : 0,
				 error->hint != NULL ? errhint("%s", error->hint) : 0));
	PG_TRY();
	{
		store_error(table_id, error);
	}
	PG_CATCH();
	{
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
}

GlProjectOutcome
gl_project_step(void)
{
	static MemoryContext context = NULL;
	GlBatch    *volatile batch;
	volatile GlProjectOutcome outcome = GL_PROJECT_MORE;

	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "govledger history", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(context);
	MemoryContextSwitchTo(context);
	batch = palloc0(sizeof(GlBatch));
	PG_TRY();
	{
		if (!gl_step_begin())
			outcome = GL_PROJECT_GONE;
		else
		{
			outcome = fill(batch);
			gl_step_commit();
		}
	}
	PG_CATCH();
	{
		ErrorData  *error;

		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(context);
		batch_failed(guilty_table(), error);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	return outcome;
}
