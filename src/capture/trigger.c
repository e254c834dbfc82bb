/*
 * trigger.c
 *		The triggers: one record per row change, one per truncate.
 */
#include "core/compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "capture/capture.h"
#include "capture/ddl.h"
#include "capture/encode.h"
#include "capture/pending.h"
#include "capture/row.h"
#include "capture/schema.h"
#include "core/catalog.h"

PG_FUNCTION_INFO_V1(gl_capture_row);
PG_FUNCTION_INFO_V1(gl_capture_truncate);

/* The encoder of the trigger's relation, or an error: somebody created our trigger by hand. */
static const GlEncoder *
gl_trigger_encoder(TriggerData *trigger)
{
	const GlEncoder *encoder = gl_encoder_for(trigger->tg_relation);

	if (encoder == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has a trigger of govledger but is not a ledger table",
						RelationGetRelationName(trigger->tg_relation)),
				 errdetail("The table was cloned or restored without its ledger, or the trigger was created by hand."),
				 errhint("Make it a ledger table of this database: SELECT govledger.protect('schema.table'); "
						 "or drop the triggers whose names begin with \"!govledger\".")));
	gl_ddl_refuse_change(encoder->relation);
	return encoder;
}

static void
gl_refuse_append_only(TriggerData *trigger, const char *command)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s is not allowed on table \"%s\"", command, RelationGetRelationName(trigger->tg_relation)),
			 errdetail("It is an append-only ledger table."),
			 errhint("Insert a row that corrects the earlier one.")));
}

/*
 * The command that made the change. Trigger order is not change order: the update of a later row by a user's own trigger is captured
 * before the change that the statement itself made to that row.
 */
static CommandId
gl_change_command(TriggerData *trigger)
{
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		return HeapTupleHeaderGetCmin(trigger->tg_trigtuple->t_data);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return HeapTupleHeaderGetCmin(trigger->tg_newtuple->t_data);
	return HeapTupleHeaderGetCmax(trigger->tg_trigtuple->t_data);
}

static void
gl_record_change(TriggerData *trigger, const GlEncoder *encoder)
{
	CommandId	command = gl_change_command(trigger);

	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		gl_row_record(encoder, GL_RECORD_INSERT, command, trigger->tg_trigtuple, NULL);
	else if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		gl_row_record(encoder, GL_RECORD_UPDATE, command, trigger->tg_newtuple, trigger->tg_trigtuple);
	else
		gl_row_record(encoder, GL_RECORD_DELETE, command, trigger->tg_trigtuple, NULL);
}

Datum
gl_capture_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	const GlEncoder *encoder;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function govledger.capture_row() must be called by an AFTER ROW trigger")));
	/* everybody may execute us, see capture.sql; a second trigger would record each change twice */
	if (strcmp(trigger->tg_trigger->tgname, GL_ROW_TRIGGER) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function govledger.capture_row() must not be called by trigger \"%s\"",
						trigger->tg_trigger->tgname),
				 errhint("Drop that trigger: govledger.protect() makes the one that is needed.")));
	if (GL_STOP("trigger"))
		return PointerGetDatum(NULL);
	encoder = gl_trigger_encoder(trigger);
	if (encoder->append_only && !TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		gl_refuse_append_only(trigger, TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? "UPDATE" : "DELETE");
	gl_record_change(trigger, encoder);
	return PointerGetDatum(NULL);
}

Datum
gl_capture_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	const GlEncoder *encoder;
	GlBuffer   *record;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function govledger.capture_truncate() must be called by a TRUNCATE trigger")));
	encoder = gl_trigger_encoder(trigger);
	if (encoder->append_only)
		gl_refuse_append_only(trigger, "TRUNCATE");
	record = gl_pending_start();
	gl_record_begin(record, GL_RECORD_TRUNCATE, encoder->table_id, encoder->relation_id, GetCurrentCommandId(true));
	gl_pending_finish();

	/*
	 * A user's AFTER TRUNCATE trigger on another table of the same command, or on the parent, may have filled this one
	 * before we came to it. Those rows were recorded, but before the truncate: say that they are there.
	 */
	if (trigger->tg_relation->rd_rel->relkind == RELKIND_RELATION &&
		RelationGetNumberOfBlocks(trigger->tg_relation) > 0)
	{
		CommandCounterIncrement();
		gl_genesis(RelationGetRelid(trigger->tg_relation));
	}
	return PointerGetDatum(NULL);
}
