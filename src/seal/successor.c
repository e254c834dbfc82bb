/*
 * successor.c
 *		govledger.start_successor(): a signed part of the log is lost for good, and a new log begins that says so.
 *
 * Whoever holds a checkpoint of the lost part would call a continued log a fork, and rightly. So the tree goes on under
 * another origin, and the first record of the new log names the last known checkpoint and what is missing. Nothing that is
 * here is moved or hashed anew: the leaves of the former log keep its origin, its seals and checkpoints stay provable.
 */
#include "core/compat.h"

#include "access/table.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "capture/capture.h"
#include "core/catalog.h"
#include "core/version.h"
#include "format/note.h"
#include "ledger/former.h"
#include "ledger/state.h"
#include "seal/query.h"
#include "seal/rows.h"
#include "seal/settings.h"
#include "seal/state_file.h"
#include "seal/step.h"

PG_FUNCTION_INFO_V1(gl_start_successor);

typedef struct GlLoss
{
	char		origin[GL_ORIGIN_MAX_SIZE + 1]; /* of the log that ends */
	List	   *former_logs;	/* before it */
	bool		ours;			/* this database wrote it */
	GlSealRow	seal;			/* the newest here */
	uint64		lost_from;
	uint64		known_size;		/* 0: nothing is known */
	GlHash		known_root;
} GlLoss;

static void
gl_successor_check_call(const char *reason, const char *origin)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot start a successor during recovery"),
				 errhint("Promote this server first.")));
	gl_version_require_current();
	if (strspn(reason, " \t\r\n") == strlen(reason))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a reason for starting a successor must be given"),
				 errhint("It becomes part of the log.")));
	if (origin != NULL && !gl_origin_valid(origin, strlen(origin)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid origin \"%s\"", origin),
				 errdetail("An origin is 1 to 255 printable ASCII characters without \"+\" and space.")));
	if (gl_capture_pending())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("this transaction has changed ledger tables"),
				 errhint("Run govledger.start_successor() in a transaction of its own.")));
	if (!gl_ledger_state()->exists)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is no ledger here"),
				 errhint("Protect a table: SELECT govledger.protect('schema.table').")));
}

/* A prepared transaction may hold an entry of the generation that ends, and nobody would ever seal it. */
static void
gl_refuse_prepared(void)
{
	static GlQuery query = {
		.text = "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database() "
		"ORDER BY prepared LIMIT 1"
	};

	if (gl_query_read(&query, NULL, 1) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot start a successor while transactions are prepared"),
				 errdetail("One of them is \"%s\".", TextDatumGetCString(gl_query_value(0, 1))),
				 errhint("Run COMMIT PREPARED or ROLLBACK PREPARED for each of pg_prepared_xacts.")));
}

/*
 * Nobody seals, signs, or writes entries of the old generation until we have committed. Writers hold the locks on the tables of
 * entries from their first row to their end, and take them in this order.
 */
static void
gl_successor_lock(void)
{
	static const GlRelation written[] = {GL_REL_RECORD_CHUNK, GL_REL_PERSONAL, GL_REL_ENTRY};
	int			i;

	gl_refuse_prepared();
	gl_step_lock(GL_MUTEX_SEAL);
	gl_step_lock(GL_MUTEX_SIGN);
	table_close(gl_relation_open(GL_REL_LEDGER, ShareRowExclusiveLock), NoLock);
	for (i = 0; i < lengthof(written); i++)
		table_close(gl_relation_open(written[i], ShareRowExclusiveLock), NoLock);
}

/*
 * What waits for a seal goes into the first block of the new log, where its writer cannot be told any more: see that
 * each row was written by the transaction it names. A restored dump has other writers anyway.
 */
static void
gl_refuse_strangers(const GlLoss *loss)
{
	Portal		portal = gl_candidates_open(&loss->seal);
	uint64		rows;

	do
	{
		uint64		i;

		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, GL_LEAF_ROW_ENTRIES);
		rows = SPI_processed;
		for (i = 0; i < rows; i++)
		{
			GlEntryRow	entry;

			gl_entry_row_read(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, &entry);
			if (entry.inserted_by != (uint32) entry.header.transaction_id)
				ereport(ERROR,
						(errcode(ERRCODE_DATA_CORRUPTED),
						 errmsg("a row of govledger.entry was not written by the transaction " UINT64_FORMAT " that it names",
								entry.header.transaction_id),
						 errhint("Run SELECT * FROM govledger.verify().")));
		}
		SPI_freetuptable(SPI_tuptable);
	} while (rows > 0);
	SPI_cursor_close(portal);
}

/* --- what is lost --- */

static char *
gl_signer_file(void)
{
	if (*gl_setting_signer_state_file == '\0' && gl_key_uri_path(gl_setting_signing_key) == NULL)
		return NULL;
	return gl_state_file_path(gl_setting_signing_key);
}

static void
gl_check_signer(const GlCheckpoint *checkpoint)
{
	static GlQuery query = {.text = "SELECT verifier_key FROM govledger.signing_key"};
	uint64		rows = gl_query_read(&query, NULL, 0);
	uint64		i;

	for (i = 0; i < rows; i++)
	{
		char	   *verifier = TextDatumGetCString(gl_query_value(i, 1));
		GlBytes		bytes = {(const uint8_t *) verifier, strlen(verifier)};
		GlVerifierKey key;

		if (gl_verifier_key_read(bytes, &key) && gl_checkpoint_verify(checkpoint, &key, NULL) == GL_NOTE_VALID)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("no key of this log signed the last known checkpoint"),
			 errdetail("The keys are those in govledger.signing_key; one that was registered in the lost part is not among them."),
			 errhint("Give the last checkpoint that one of them signed.")));
}

/* The checkpoint that the caller gives, if it knows more than the signer's file. */
static void
gl_loss_from_checkpoint(GlLoss *loss, const char *given)
{
	char	   *text = gl_one_line_feed(given);
	GlBytes		note = {(const uint8_t *) text, strlen(text)};
	GlCheckpoint checkpoint;

	if (!gl_checkpoint_read(note, &checkpoint) || checkpoint.size > (uint64) PG_INT64_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the last known checkpoint is no checkpoint"),
				 errhint("Give the whole signed note, as in govledger.checkpoint.")));
	if (checkpoint.origin.length != strlen(loss->origin) ||
		memcmp(checkpoint.origin.data, loss->origin, checkpoint.origin.length) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the last known checkpoint is of log \"%.*s\"",
						(int) checkpoint.origin.length, (const char *) checkpoint.origin.data),
				 errdetail("This is log \"%s\".", loss->origin)));
	gl_check_signer(&checkpoint);
	if (checkpoint.size < loss->lost_from)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the last known checkpoint is older than this log"),
				 errdetail("It signs a tree of " UINT64_FORMAT " leaves; " UINT64_FORMAT " are signed here.",
						   checkpoint.size, loss->lost_from)));
	if (checkpoint.size <= loss->known_size)
		return;
	loss->known_size = checkpoint.size;
	loss->known_root = checkpoint.root;
}

static void
gl_raise_nothing_lost(const GlLoss *loss)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("nothing that was signed is lost"),
			 errdetail("The last known tree has " UINT64_FORMAT " leaves, and they are here.", loss->known_size),
			 loss->ours ? errhint("Go on: the log continues by itself.") :
			 errhint("Continue the same log with SELECT govledger.adopt('reason').")));
}

/* Is the last known tree one that is not here? */
static void
gl_loss_check(const GlLoss *loss)
{
	GlSealRow	then;
	bool		here;

	if (loss->known_size == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("it is not known that anything is lost"),
				 errdetail("The signer state file names no tree of this log, and no checkpoint was given."),
				 errhint("Give the newest checkpoint that is known anywhere as last_checkpoint.")));
	here = gl_seal_of_size(loss->known_size, &then) && gl_hash_equal(&then.root, &loss->known_root);
	if (here)
		gl_raise_nothing_lost(loss);
	if (loss->known_size <= loss->lost_from)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the log here is not the one that was signed"),
				 errdetail("Its signed tree of " UINT64_FORMAT " leaves differs from the last known one.", loss->known_size),
				 errhint("Run SELECT * FROM govledger.verify(): this is damage or a fork, and no loss.")));
}

static void
gl_loss_find(GlLoss *loss, const char *last_checkpoint)
{
	char	   *file = gl_signer_file();
	uint64		signed_size;
	uint32		key_id;

	gl_seal_latest(&loss->seal);
	(void) gl_latest_checkpoint(&signed_size, &key_id);
	loss->lost_from = signed_size;
	/* the tree of a successor began with that of its former log */
	if (loss->former_logs != NIL)
		loss->lost_from = Max(loss->lost_from, ((GlFormerLog *) llast(loss->former_logs))->tree_size);
	if (loss->lost_from > loss->seal.tree_size)
		gl_raise_damaged("checkpoint", loss->lost_from);
	if (file != NULL && !gl_state_file_read(file, loss->origin, &loss->known_size, &loss->known_root))
		loss->known_size = 0;
	if (last_checkpoint != NULL)
		gl_loss_from_checkpoint(loss, last_checkpoint);
	gl_loss_check(loss);
}

/* --- the new name --- */

/* Nothing was ever sealed or signed under it, as far as can be told here. */
static bool
gl_origin_is_free(const GlLoss *loss, const char *origin)
{
	char	   *file = gl_signer_file();
	uint64		size;
	GlHash		root;

	return strcmp(origin, loss->origin) != 0 && gl_former_log_find(loss->former_logs, origin) == NULL &&
		(file == NULL || !gl_state_file_read(file, origin, &size, &root));
}

static char *
gl_successor_origin(const GlLoss *loss, const char *wanted)
{
	const char *first = loss->former_logs != NIL ? ((GlFormerLog *) linitial(loss->former_logs))->origin : loss->origin;
	int			number = list_length(loss->former_logs) + 2;
	char	   *origin;

	if (wanted != NULL && !gl_origin_is_free(loss, wanted))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("origin \"%s\" was used before", wanted),
				 errhint("A successor needs a name that no log ever had.")));
	if (wanted != NULL)
		return pstrdup(wanted);
	for (;; number++)
	{
		CHECK_FOR_INTERRUPTS();
		origin = psprintf("%s/%d", first, number);
		if (!gl_origin_valid(origin, strlen(origin)))
			ereport(ERROR,
					(errcode(ERRCODE_NAME_TOO_LONG),
					 errmsg("no origin can be derived from \"%s\"", first),
					 errhint("Give the name of the new log as origin.")));
		if (gl_origin_is_free(loss, origin))
			return origin;
		pfree(origin);
	}
}

/* --- the step from one log to the next --- */

static void
gl_successor_record(const GlLoss *loss, const GlLedgerState *before, const char *reason)
{
	GlSuccession succession = {0};
	GlBuffer	body;
	int			length;

	succession.origin.data = (const uint8_t *) loss->origin;
	succession.origin.length = strlen(loss->origin);
	succession.previous_generation = (uint32) before->generation;
	succession.previous_system_identifier = before->system_identifier;
	succession.generation = (uint32) before->generation + 1;
	succession.system_identifier = GetSystemIdentifier();
	succession.tree_size = loss->seal.tree_size;
	succession.root = loss->seal.root;
	succession.lost_from = loss->lost_from;
	succession.known_size = loss->known_size;
	succession.known_root = loss->known_root;
	succession.reason.data = (const uint8_t *) gl_to_utf8(reason, &length);
	succession.reason.length = length;
	gl_buffer_init(&body, gl_grow);
	gl_succession_write(&body, &succession);
	gl_capture_event(GL_RECORD_SUCCESSION, body.data, body.length);
}

static void
gl_successor_begin(const GlLoss *loss, const char *origin, const char *reason)
{
	GlLedgerState before = *gl_ledger_state();
	GlFormerLog log = {0};

	log.generation = before.generation + 1;
	strlcpy(log.origin, loss->origin, sizeof(log.origin));
	log.tree_size = loss->seal.tree_size;
	log.lost_from = loss->lost_from;
	log.known_size = loss->known_size;
	log.known_root = loss->known_root;
	gl_former_log_insert(&log);
	gl_ledger_state_change(origin, log.generation, GetSystemIdentifier());
	gl_successor_record(loss, &before, reason);
	if (!loss->ours)
		gl_capture_adopted();
}

static void
gl_successor_tell(const GlLoss *loss, const char *origin)
{
	ereport(NOTICE,
			(errmsg("leaves " UINT64_FORMAT " to " UINT64_FORMAT " of log \"%s\" are given up as lost",
					loss->lost_from, loss->known_size - 1, loss->origin),
			 errdetail("The log continues as \"%s\" with the first leaf from " UINT64_FORMAT " on.",
					   origin, loss->seal.tree_size),
			 errhint("Give the new verifier key, in govledger.signing_key after the next seal, to everybody who checks this log; "
					 "name a new directory in govledger.checkpoint_directory if it is in use.")));
}

static char *
gl_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

Datum
gl_start_successor(PG_FUNCTION_ARGS)
{
	char	   *reason = gl_argument(fcinfo, 0);
	char	   *wanted = gl_argument(fcinfo, 2);
	MemoryContext context = CurrentMemoryContext;
	GlLoss	   *loss;
	char	   *origin;

	gl_successor_check_call(reason != NULL ? reason : "", wanted);
	SPI_connect();
	PushActiveSnapshot(GetLatestSnapshot());
	gl_successor_lock();
	PopActiveSnapshot();
	/* what was committed while we waited for the locks counts */
	PushActiveSnapshot(GetLatestSnapshot());
	loss = palloc0(sizeof(GlLoss));
	loss->ours = gl_ledger_is_ours(gl_ledger_state());
	loss->former_logs = gl_former_logs(NULL);
	gl_effective_origin(gl_ledger_state(), loss->origin);
	gl_loss_find(loss, gl_argument(fcinfo, 1));
	if (loss->ours)
		gl_refuse_strangers(loss);
	origin = MemoryContextStrdup(context, gl_successor_origin(loss, wanted));
	gl_successor_begin(loss, origin, reason);
	gl_successor_tell(loss, origin);
	PopActiveSnapshot();
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(origin));
}
