/*
 * rebuild.c
 *		govledger.rebuild(): the history of one table anew, from the log, in the transaction of the caller.
 */
#include "core/compat.h"

#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "capture/capture.h"
#include "core/catalog.h"
#include "core/owner.h"
#include "core/text.h"
#include "history/define.h"
#include "history/project.h"
#include "history/writer.h"
#include "ledger/state.h"
#include "ledger/table.h"

PG_FUNCTION_INFO_V1(gl_rebuild);

/* Tell how far we are at most this often. */
#define PROGRESS_MILLISECONDS 2000

typedef struct GlRebuild
{
	const char *name;			/* of the table */
	GlHistoryTable *history;
	Relation	heap;
	GlWriter   *writer;
	int64		rows;			/* of writers closed before */
	int64		target;			/* tree size */
	TimestampTz told;
	GlOwnerScope scope;
} GlRebuild;

static void
open_writer(GlRebuild *rebuild)
{
	rebuild->heap = table_open(rebuild->history->history, RowExclusiveLock);
	rebuild->writer = gl_writer_open(rebuild->heap, rebuild->history->table_id);
}

static void
close_writer(GlRebuild *rebuild)
{
	gl_writer_flush(rebuild->writer);
	rebuild->rows += gl_writer_rows(rebuild->writer);
	gl_writer_close(rebuild->writer);
	table_close(rebuild->heap, NoLock);
}

static void
write_row(GlHistorySource *source, const GlHistoryRow *row)
{
	gl_writer_row(((GlRebuild *) source->arg)->writer, row);
}

static void
erase_values(GlHistorySource *source, const GlErasure *erasure)
{
	gl_writer_erase(((GlRebuild *) source->arg)->writer, source->table, erasure);
}

/* Types that the table had before it had a history have no place yet. */
static bool
add_missing(GlRebuild *rebuild, GlBytes body)
{
	GlReader	reader;
	GlSchemaHead head;
	GlSchemaColumn logged;
	uint64		left;
	bool		added = false;

	gl_reader_init(&reader, body.data, body.length);
	if (!gl_schema_read_head(&reader, &head))
		return false;
	for (left = gl_read_varint(&reader); left > 0 && gl_schema_read_column(&reader, &logged); left--)
	{
		char	   *name = gl_server_text(logged.name);
		char	   *type_name = gl_server_text(logged.type);

		if (name == NULL || type_name == NULL || logged.column_id > PG_INT16_MAX ||
			gl_history_column_find(rebuild->history, (int) logged.column_id, type_name) != NULL)
			continue;
		if (!added)
		{
			/* no relation may be open while it is altered */
			close_writer(rebuild);
			gl_owner_leave(&rebuild->scope);
		}
		added = true;
		gl_history_add_past(rebuild->history, (int) logged.column_id, name, type_name);
	}
	return added;
}

static void
follow_schema(GlHistorySource *source, GlBytes body)
{
	GlRebuild  *rebuild = source->arg;
	MemoryContext old = MemoryContextSwitchTo(source->memory);

	if (add_missing(rebuild, body))
	{
		gl_owner_enter(&rebuild->scope, gl_history_owner());
		open_writer(rebuild);
		source->descriptor = RelationGetDescr(rebuild->heap);
	}
	MemoryContextSwitchTo(old);
}

static bool
tell_progress(void *arg, int64 next, uint64 records)
{
	GlRebuild  *rebuild = arg;
	TimestampTz now;

	if (records < 1000 && next % 256 != 0)
		return true;
	now = GetCurrentTimestamp();
	if (TimestampDifferenceExceeds(rebuild->told, now, PROGRESS_MILLISECONDS))
	{
		rebuild->told = now;
		ereport(NOTICE,
				(errmsg("rebuild of the history of %s: %lld rows, %d %%", rebuild->name,
						(long long) (rebuild->rows + gl_writer_rows(rebuild->writer)),
						(int) (100.0 * next / Max(rebuild->target, 1)))));
	}
	return true;
}

static void
fill(GlRebuild *rebuild)
{
	static const GlHistoryCallbacks callbacks = {
		.row = write_row,.schema = follow_schema,.erasure = erase_values
	};
	GlHistorySource source = {.table = rebuild->history,.callbacks = &callbacks,.arg = rebuild};
	GlHistoryStream *stream;

	gl_owner_enter(&rebuild->scope, gl_history_owner());
	open_writer(rebuild);
	source.descriptor = RelationGetDescr(rebuild->heap);
	gl_source_open(&source);
	stream = gl_stream_open(GetActiveSnapshot(), list_make1(&source));
	(void) gl_stream_run(stream, 0, rebuild->target, tell_progress, rebuild);
	gl_stream_close(stream);
	close_writer(rebuild);
	gl_owner_leave(&rebuild->scope);
}

/* --- the function --- */

static GlLedgerTable *
find_table(Oid relid)
{
	GlLedgerTable *table;
	int			table_id;
	int			relation_id;

	if (!gl_ledger_relation_find(relid, &table_id, &relation_id) || relation_id != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("\"%s\" is not a ledger table", get_rel_name(relid) != NULL ? get_rel_name(relid) : "?"),
				 errhint("See govledger.ledger_relation for those that are.")));
	if (!gl_owns_relation(relid) && !has_privs_of_role(GetUserId(), get_role_oid("govledger_admin", false)))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
	table = gl_ledger_table_load(table_id);
	if (!table->history)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" is protected without a history", get_rel_name(relid)),
				 errhint("Use govledger.unprotect(), then govledger.protect() with history => true.")));
	return table;
}

/* An empty history: the one there is, or a new one. */
static GlHistoryTable *
empty_history(const GlLedgerTable *table, Oid relid)
{
	GlHistoryTable *history = gl_history_load(table->table_id, NULL);

	if (history != NULL)
	{
		/* whoever fills it leaves it alone from here on */
		LockRelationOid(history->history, AccessExclusiveLock);
		if (get_rel_name(history->history) == NULL)
		{
			gl_history_forget(table->table_id);
			history = NULL;
		}
	}
	if (history == NULL)
		return gl_history_create(table, relid, NULL);
	gl_history_run(history->history, psprintf("TRUNCATE %s", gl_history_quoted(history->history)));
	gl_history_indexes(table->table_id, history->history);
	gl_history_align(table, relid, history);
	return gl_history_load(table->table_id, NULL);
}

static void
start_anew(GlHistoryTable *history)
{
	history->projected = 0;
	history->first_leaf = GL_HISTORY_NONE;
	history->ended = false;
	history->has_schema = false;
	history->schema.length = 0;
	history->error = NULL;
}

Datum
gl_rebuild(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	GlRebuild	rebuild = {0};
	GlLedgerTable *table;

	(void) find_table(relid);
	LockRelationOid(relid, ShareUpdateExclusiveLock);
	table = find_table(relid);
	gl_ledger_require_ours(gl_ledger_state());
	rebuild.name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
	rebuild.history = empty_history(table, relid);
	start_anew(rebuild.history);
	rebuild.told = GetCurrentTimestamp();
	CommandCounterIncrement();

	/* after the lock on the history, so that nothing is missed between who filled it so far and us */
	PushActiveSnapshot(GetLatestSnapshot());
	rebuild.target = gl_sealed_size(GetActiveSnapshot());
	fill(&rebuild);
	PopActiveSnapshot();
	CommandCounterIncrement();
	/* places for old types may have been added */
	gl_history_align(gl_ledger_table_load(table->table_id), relid, gl_history_load(table->table_id, NULL));

	gl_history_lock();
	rebuild.history->projected = gl_history_projected(NULL) == rebuild.target ? GL_HISTORY_NONE : rebuild.target;
	gl_history_progress_put(rebuild.history);
	PG_RETURN_INT64(rebuild.rows);
}
