/*
 * adopt.c
 *		govledger.adopt(): this database continues the log that another one wrote.
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
#include "ledger/state.h"
#include "seal/rows.h"

PG_FUNCTION_INFO_V1(gl_adopt);

static void
gl_adopt_check(const GlLedgerState *state, const char *reason)
{
	gl_version_require_current();
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot adopt a ledger during recovery")));
	if (strspn(reason, " \t\r\n") == strlen(reason))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a reason for the adoption must be given"),
				 errhint("It becomes part of the log.")));
	if (!state->exists)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is no ledger to adopt"),
				 errhint("Protect a table: SELECT govledger.protect('schema.table').")));
	if (gl_ledger_is_ours(state))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the ledger belongs to this database already")));
}

Datum
gl_adopt(PG_FUNCTION_ARGS)
{
	char	   *reason = text_to_cstring(PG_GETARG_TEXT_PP(0));
	GlLedgerState before;
	GlAdoption	adoption = {0};
	GlSealRow	seal;
	GlBuffer	body;
	int			reason_length;

	gl_adopt_check(gl_ledger_state(), reason);
	/* two adoptions at once: the second waits here, and then finds that none is needed */
	table_close(gl_relation_open(GL_REL_LEDGER, ShareRowExclusiveLock), NoLock);
	before = *gl_ledger_state();
	gl_adopt_check(&before, reason);

	SPI_connect();
	PushActiveSnapshot(GetLatestSnapshot());
	gl_seal_latest(&seal);
	adoption.previous_generation = (uint32) before.generation;
	adoption.previous_system_identifier = before.system_identifier;
	adoption.generation = adoption.previous_generation + 1;
	adoption.system_identifier = GetSystemIdentifier();
	adoption.tree_size = seal.tree_size;
	adoption.root = seal.root;
	adoption.reason.data = (const uint8_t *) gl_to_utf8(reason, &reason_length);
	adoption.reason.length = reason_length;

	gl_ledger_state_change(before.has_origin ? before.origin : NULL, (int32) adoption.generation,
						   adoption.system_identifier);
	gl_buffer_init(&body, gl_grow);
	gl_adoption_write(&body, &adoption);
	gl_capture_event(GL_RECORD_ADOPTION, body.data, body.length);
	gl_capture_adopted();
	PopActiveSnapshot();
	SPI_finish();
	PG_RETURN_INT32((int32) adoption.generation);
}
