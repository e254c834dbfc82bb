/*
 * encoder.c
 *		The cache of encoders, one per ledger relation that this backend has met.
 */
#include "capture/encode.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "core/catalog.h"
#include "ledger/table.h"

static HTAB *gl_encoders = NULL;

/* An encoder in use must not vanish, so invalidation only marks it; the next look-up builds it anew. */
static void
gl_encoder_callback(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	GlEncoder  *encoder;

	if (OidIsValid(relid))
	{
		encoder = hash_search(gl_encoders, &relid, HASH_FIND, NULL);
		if (encoder != NULL)
			encoder->valid = false;
		return;
	}
	hash_seq_init(&status, gl_encoders);
	while ((encoder = hash_seq_search(&status)) != NULL)
		encoder->valid = false;
}

static void
gl_encoders_create(void)
{
	HASHCTL		control;

	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(GlEncoder);
	control.hcxt = CacheMemoryContext;
	gl_encoders = hash_create("govledger encoders", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(gl_encoder_callback, (Datum) 0);
}

static int
gl_compare_columns(const void *a, const void *b)
{
	return ((const GlEncoderColumn *) a)->column_id - ((const GlEncoderColumn *) b)->column_id;
}

static char *
gl_root_name(const GlLedgerTable *table)
{
	const GlLedgerRelation *root = linitial(table->relations);

	return quote_qualified_identifier(root->schema_name, root->name);
}

/* Columns are matched by name: attribute numbers differ between partitions and after a restore. */
static void
gl_encoder_build_columns(GlEncoder *encoder, Relation relation, const GlLedgerTable *table)
{
	TupleDesc	descriptor = RelationGetDescr(relation);
	int			i;

	encoder->descriptor = descriptor;
	encoder->natts = descriptor->natts;
	encoder->columns = MemoryContextAllocZero(encoder->memory, sizeof(GlEncoderColumn) * Max(descriptor->natts, 1));
	for (i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		const GlLedgerColumn *known;
		GlEncoderColumn *column;

		if (attribute->attisdropped || attribute->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
			continue;
		known = gl_ledger_column_find(table, NameStr(attribute->attname));
		if (known == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("column \"%s\" of ledger table \"%s\" is not known to the ledger",
							NameStr(attribute->attname), RelationGetRelationName(relation)),
					 errdetail("The event triggers of govledger were not active when it was added."),
					 errhint("Run SELECT govledger.record_schema('%s').", gl_root_name(table))));
		column = &encoder->columns[encoder->columns_count++];
		column->column_id = known->column_id;
		column->index = i;
		column->key_ordinal = known->key_ordinal;
		column->personal = known->personal;
		gl_value_writer_init(&column->writer, attribute->atttypid, encoder->memory);
		encoder->pin = Max(encoder->pin, column->writer.pin);
		encoder->has_personal |= known->personal;
		encoder->has_key |= known->key_ordinal > 0;
	}
	qsort(encoder->columns, encoder->columns_count, sizeof(GlEncoderColumn), gl_compare_columns);
}

static void
gl_encoder_build(GlEncoder *encoder, Relation relation, int table_id, int relation_id)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "govledger encoder scratch",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	GlLedgerTable *table = gl_ledger_table_load(table_id);

	encoder->memory = AllocSetContextCreate(CacheMemoryContext, "govledger encoder", ALLOCSET_SMALL_SIZES);
	encoder->table_id = table_id;
	encoder->relation_id = relation_id;
	encoder->append_only = table->append_only;
	gl_encoder_build_columns(encoder, relation, table);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

const GlEncoder *
gl_encoder_for(Relation relation)
{
	Oid			relid = RelationGetRelid(relation);
	GlEncoder  *encoder;
	bool		found;
	int			table_id;
	int			relation_id;

	if (gl_encoders == NULL)
		gl_encoders_create();
	encoder = hash_search(gl_encoders, &relid, HASH_ENTER, &found);
	if (found && encoder->valid)
	{
		/* the relcache entry may have been rebuilt in place around an unchanged descriptor */
		encoder->descriptor = RelationGetDescr(relation);
		return encoder;
	}
	if (found && encoder->memory != NULL)
		MemoryContextDelete(encoder->memory);
	memset(encoder, 0, sizeof(GlEncoder));
	encoder->relation = relid;
	if (!gl_ledger_relation_find(relid, &table_id, &relation_id))
		return NULL;
	/* valid before building: an invalidation that arrives meanwhile must stick */
	encoder->valid = true;
	PG_TRY();
	{
		gl_encoder_build(encoder, relation, table_id, relation_id);
	}
	PG_CATCH();
	{
		encoder->valid = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
	return encoder;
}

void
gl_encode_clear_image(const GlEncoder *encoder, const Datum *values, const bool *nulls, GlBuffer *out)
{
	char		scratch[GL_VALUE_SCRATCH];
	int			count = 0;
	int			i;

	for (i = 0; i < encoder->columns_count; i++)
		count += nulls[encoder->columns[i].index] ? 0 : 1;
	gl_buffer_varint(out, count);
	for (i = 0; i < encoder->columns_count; i++)
	{
		GlEncoderColumn *column = &encoder->columns[i];
		GlBytes		bytes;

		if (nulls[column->index])
			continue;
		bytes = gl_value_bytes(&column->writer, values[column->index], scratch);
		gl_buffer_varint(out, column->column_id);
		gl_buffer_varint(out, (uint64) bytes.length << 1);
		gl_buffer_append(out, bytes.data, bytes.length);
	}
}
