/*
 * record.c
 *		Records and schema bodies (README sections 3, 4, 9, 10).
 */
#include "format/note.h"
#include "format/record.h"

void
gl_record_begin(GlBuffer *out, GlRecordKind kind, uint64_t table_id, uint64_t relation_id, uint64_t command_id)
{
	gl_buffer_u8(out, (uint8_t) kind);
	gl_buffer_varint(out, table_id);
	gl_buffer_varint(out, relation_id);
	gl_buffer_varint(out, command_id);
}

bool
gl_record_next(GlReader *stream, GlBytes *record)
{
	if (stream->failed || stream->at == stream->end)
		return false;
	*record = gl_read_text(stream);
	/* no record is empty: a run of zero bytes is damage, not many records */
	if (record->length == 0)
		stream->failed = true;
	return !stream->failed;
}

bool
gl_record_read(GlBytes bytes, GlRecord *record)
{
	GlReader	reader;

	gl_reader_init(&reader, bytes.data, bytes.length);
	record->kind = gl_read_u8(&reader);
	record->table_id = gl_read_varint(&reader);
	record->relation_id = gl_read_varint(&reader);
	record->command_id = gl_read_varint(&reader);
	record->body = gl_read_bytes(&reader, gl_reader_left(&reader));
	if (reader.failed)
		return false;
	switch (record->kind)
	{
		case GL_RECORD_INSERT:
		case GL_RECORD_GENESIS:
		case GL_RECORD_UPDATE:
		case GL_RECORD_DELETE:
		case GL_RECORD_TRUNCATE:
		case GL_RECORD_SCHEMA:
			return true;
		case GL_RECORD_KEY:
		case GL_RECORD_ERASURE:
		case GL_RECORD_ADOPTION:
		case GL_RECORD_SUCCESSION:
		case GL_RECORD_NOTE:
			return record->table_id == 0 && record->relation_id == 0 && record->command_id == 0;
		default:
			return false;
	}
}

/* Column ids are hashed as 32 bits, and the top bit tells old values from new ones. */
static uint64_t
read_column_id(GlReader *reader)
{
	uint64_t	column_id = gl_read_varint(reader);

	if (column_id > GL_COLUMN_ID_MAX)
		reader->failed = true;
	return column_id;
}

void
gl_fields_begin(GlFieldReader *fields, GlReader *reader, bool changes)
{
	fields->reader = reader;
	fields->left = gl_read_varint(reader);
	fields->previous_column_id = 0;
	fields->changes = changes;
	fields->first = true;
}

bool
gl_fields_next(GlFieldReader *fields, GlField *field)
{
	GlReader   *reader = fields->reader;
	uint64_t	code;

	if (reader->failed || fields->left == 0)
		return false;
	field->column_id = read_column_id(reader);
	if (!fields->first && field->column_id <= fields->previous_column_id)
		reader->failed = true;
	code = gl_read_varint(reader);
	field->is_null = fields->changes && code == 0;
	if (fields->changes && code > 0)
		code--;
	field->is_personal = code & 1;
	field->value = gl_read_bytes(reader, code >> 1);
	if (field->is_personal && field->value.length != GL_HASH_SIZE)
		reader->failed = true;
	fields->first = false;
	fields->previous_column_id = field->column_id;
	fields->left--;
	return !reader->failed;
}

static void
skip_fields(GlReader *reader, bool changes)
{
	GlFieldReader fields;
	GlField		field;

	gl_fields_begin(&fields, reader, changes);
	while (gl_fields_next(&fields, &field))
		;
}

static void
skip_schema(GlReader *reader)
{
	GlSchemaHead head;
	GlSchemaColumn column;
	GlSchemaRelation relation;
	uint64_t	left;

	(void) gl_schema_read_head(reader, &head);
	for (left = gl_read_varint(reader); left > 0; left--)
	{
		if (!gl_schema_read_column(reader, &column))
			return;
	}
	for (left = gl_read_varint(reader); left > 0; left--)
	{
		if (!gl_schema_read_relation(reader, &relation))
			return;
	}
	(void) gl_read_utf8(reader);
}

bool
gl_record_check_body(const GlRecord *record)
{
	GlReader	reader;
	GlKeyChange change;
	GlErasure	erasure;
	GlAdoption	adoption;
	GlSuccession succession;

	gl_reader_init(&reader, record->body.data, record->body.length);
	switch (record->kind)
	{
		case GL_RECORD_INSERT:
		case GL_RECORD_GENESIS:
		case GL_RECORD_DELETE:
			skip_fields(&reader, false);
			break;
		case GL_RECORD_UPDATE:
			skip_fields(&reader, false);
			skip_fields(&reader, true);
			break;
		case GL_RECORD_TRUNCATE:
			break;
		case GL_RECORD_SCHEMA:
			skip_schema(&reader);
			break;
		case GL_RECORD_KEY:
			(void) gl_key_change_read(&reader, &change);
			break;
		case GL_RECORD_ERASURE:
			(void) gl_erasure_read(&reader, &erasure);
			break;
		case GL_RECORD_ADOPTION:
			(void) gl_adoption_read(&reader, &adoption);
			break;
		case GL_RECORD_SUCCESSION:
			(void) gl_succession_read(&reader, &succession);
			break;
		case GL_RECORD_NOTE:
			(void) gl_read_utf8(&reader);
			break;
		default:
			return false;
	}
	return gl_reader_done(&reader);
}

/* --- schema --- */

static void
write_text(GlBuffer *out, GlBytes text)
{
	gl_buffer_text(out, text.data, text.length);
}

void
gl_schema_write_head(GlBuffer *out, const GlSchemaHead *head)
{
	gl_buffer_u8(out, head->operation);
	write_text(out, head->schema_name);
	write_text(out, head->table_name);
	gl_buffer_u8(out, head->visibility);
	gl_buffer_u8(out, head->flags);
}

void
gl_schema_write_column(GlBuffer *out, const GlSchemaColumn *column)
{
	gl_buffer_varint(out, column->column_id);
	write_text(out, column->name);
	write_text(out, column->type);
	gl_buffer_u8(out, column->flags);
	gl_buffer_varint(out, column->key_ordinal);
}

void
gl_schema_write_relation(GlBuffer *out, const GlSchemaRelation *relation)
{
	gl_buffer_varint(out, relation->relation_id);
	write_text(out, relation->schema_name);
	write_text(out, relation->name);
}

bool
gl_schema_read_head(GlReader *reader, GlSchemaHead *head)
{
	head->operation = gl_read_u8(reader);
	head->schema_name = gl_read_utf8(reader);
	head->table_name = gl_read_utf8(reader);
	head->visibility = gl_read_u8(reader);
	head->flags = gl_read_u8(reader);
	switch (head->operation)
	{
		case GL_SCHEMA_PROTECT:
		case GL_SCHEMA_ALTER:
		case GL_SCHEMA_RELATION_ADDED:
		case GL_SCHEMA_RELATION_REMOVED:
		case GL_SCHEMA_UNPROTECT:
			break;
		default:
			reader->failed = true;
	}
	if (head->visibility > GL_VISIBILITY_PUBLIC ||
		(head->flags & ~(GL_TABLE_APPEND_ONLY | GL_TABLE_HISTORY)) != 0)
		reader->failed = true;
	return !reader->failed;
}

bool
gl_schema_read_column(GlReader *reader, GlSchemaColumn *column)
{
	column->column_id = read_column_id(reader);
	column->name = gl_read_utf8(reader);
	column->type = gl_read_utf8(reader);
	column->flags = gl_read_u8(reader);
	column->key_ordinal = gl_read_varint(reader);
	if ((column->flags & ~GL_COLUMN_PERSONAL) != 0)
		reader->failed = true;
	return !reader->failed;
}

bool
gl_schema_read_relation(GlReader *reader, GlSchemaRelation *relation)
{
	relation->relation_id = gl_read_varint(reader);
	relation->schema_name = gl_read_utf8(reader);
	relation->name = gl_read_utf8(reader);
	return !reader->failed;
}

/* --- key change --- */

void
gl_key_change_statement(GlBuffer *out, GlBytes origin, const GlKeyChange *change)
{
	gl_buffer_append(out, "GLK1", GL_TAG_SIZE);
	write_text(out, origin);
	gl_buffer_u32(out, change->old_key_id);
	write_text(out, change->new_verifier_key);
	write_text(out, change->reason);
}

void
gl_key_change_write(GlBuffer *out, const GlKeyChange *change)
{
	gl_buffer_u32(out, change->new_key_id);
	write_text(out, change->new_verifier_key);
	gl_buffer_u32(out, change->old_key_id);
	gl_buffer_u8(out, (uint8_t) change->old_signature.length);
	gl_buffer_append(out, change->old_signature.data, change->old_signature.length);
	gl_buffer_u8(out, (uint8_t) change->new_signature.length);
	gl_buffer_append(out, change->new_signature.data, change->new_signature.length);
	write_text(out, change->reason);
}

bool
gl_key_change_read(GlReader *reader, GlKeyChange *change)
{
	GlVerifierKey key;

	change->new_key_id = gl_read_u32(reader);
	change->new_verifier_key = gl_read_utf8(reader);
	change->old_key_id = gl_read_u32(reader);
	change->old_signature = gl_read_bytes(reader, gl_read_u8(reader));
	change->new_signature = gl_read_bytes(reader, gl_read_u8(reader));
	change->reason = gl_read_utf8(reader);
	if (reader->failed)
		return false;

	/* So a caller may hand both signatures to gl_ed25519_verify and trust the id as it stands. */
	if (change->new_signature.length != GL_ED25519_SIGNATURE_SIZE ||
		(change->old_signature.length != 0 &&
		 (change->old_signature.length != GL_ED25519_SIGNATURE_SIZE || change->old_key_id == 0)) ||
		!gl_verifier_key_read(change->new_verifier_key, &key) ||
		key.type != GL_KEY_TYPE_ED25519 || key.key_id != change->new_key_id)
		reader->failed = true;
	return !reader->failed;
}

/* --- adoption --- */

void
gl_adoption_write(GlBuffer *out, const GlAdoption *adoption)
{
	gl_buffer_u32(out, adoption->previous_generation);
	gl_buffer_u64(out, adoption->previous_system_identifier);
	gl_buffer_u32(out, adoption->generation);
	gl_buffer_u64(out, adoption->system_identifier);
	gl_buffer_u64(out, adoption->tree_size);
	gl_buffer_append(out, adoption->root.bytes, GL_HASH_SIZE);
	write_text(out, adoption->reason);
}

bool
gl_adoption_read(GlReader *reader, GlAdoption *adoption)
{
	GlBytes		root;

	adoption->previous_generation = gl_read_u32(reader);
	adoption->previous_system_identifier = gl_read_u64(reader);
	adoption->generation = gl_read_u32(reader);
	adoption->system_identifier = gl_read_u64(reader);
	adoption->tree_size = gl_read_u64(reader);
	root = gl_read_bytes(reader, GL_HASH_SIZE);
	adoption->reason = gl_read_utf8(reader);
	if (reader->failed)
		return false;
	memcpy(adoption->root.bytes, root.data, GL_HASH_SIZE);
	return true;
}

/* --- succession --- */

void
gl_succession_write(GlBuffer *out, const GlSuccession *succession)
{
	write_text(out, succession->origin);
	gl_buffer_u32(out, succession->previous_generation);
	gl_buffer_u64(out, succession->previous_system_identifier);
	gl_buffer_u32(out, succession->generation);
	gl_buffer_u64(out, succession->system_identifier);
	gl_buffer_u64(out, succession->tree_size);
	gl_buffer_append(out, succession->root.bytes, GL_HASH_SIZE);
	gl_buffer_u64(out, succession->lost_from);
	gl_buffer_u64(out, succession->known_size);
	gl_buffer_append(out, succession->known_root.bytes, GL_HASH_SIZE);
	write_text(out, succession->reason);
}

bool
gl_succession_read(GlReader *reader, GlSuccession *succession)
{
	GlBytes		root;
	GlBytes		known_root;

	succession->origin = gl_read_utf8(reader);
	succession->previous_generation = gl_read_u32(reader);
	succession->previous_system_identifier = gl_read_u64(reader);
	succession->generation = gl_read_u32(reader);
	succession->system_identifier = gl_read_u64(reader);
	succession->tree_size = gl_read_u64(reader);
	root = gl_read_bytes(reader, GL_HASH_SIZE);
	succession->lost_from = gl_read_u64(reader);
	succession->known_size = gl_read_u64(reader);
	known_root = gl_read_bytes(reader, GL_HASH_SIZE);
	succession->reason = gl_read_utf8(reader);
	if (reader->failed || succession->lost_from > succession->tree_size ||
		succession->known_size <= succession->lost_from)
	{
		reader->failed = true;
		return false;
	}
	memcpy(succession->root.bytes, root.data, GL_HASH_SIZE);
	memcpy(succession->known_root.bytes, known_root.data, GL_HASH_SIZE);
	return true;
}

/* --- erasure --- */

void
gl_erasure_write(GlBuffer *out, const GlErasure *erasure)
{
	gl_buffer_u32(out, erasure->generation);
	gl_buffer_u64(out, erasure->transaction_id);
	gl_buffer_varint(out, erasure->record);
	gl_buffer_append(out, erasure->column_ids.data, erasure->column_ids.length);
	write_text(out, erasure->legal_basis);
}

bool
gl_erasure_read(GlReader *reader, GlErasure *erasure)
{
	const uint8_t *start;
	uint64_t	left;

	erasure->generation = gl_read_u32(reader);
	erasure->transaction_id = gl_read_u64(reader);
	erasure->record = gl_read_varint(reader);
	start = reader->at;
	for (left = gl_read_varint(reader); left > 0 && !reader->failed; left--)
		(void) read_column_id(reader);
	erasure->column_ids.data = start;
	erasure->column_ids.length = (size_t) (reader->at - start);
	erasure->legal_basis = gl_read_utf8(reader);
	return !reader->failed;
}

/* --- personal values beside an entry --- */

void
gl_personal_write(GlBuffer *out, const GlPersonalValue *value)
{
	gl_buffer_varint(out, value->column_id);
	gl_buffer_u8(out, value->old ? 1 : 0);
	gl_buffer_append(out, value->salt.bytes, GL_SALT_SIZE);
	gl_buffer_u8(out, value->present ? 1 : 0);
	gl_buffer_text(out, value->value.data, value->present ? value->value.length : 0);
}

bool
gl_personal_next(GlReader *reader, GlPersonalValue *value)
{
	GlBytes		salt;
	uint8_t		old;
	uint8_t		present;

	if (reader->failed || reader->at == reader->end)
		return false;
	value->column_id = read_column_id(reader);
	old = gl_read_u8(reader);
	salt = gl_read_bytes(reader, GL_SALT_SIZE);
	present = gl_read_u8(reader);
	value->value = gl_read_text(reader);
	if (old > 1 || present > 1 || (!present && value->value.length > 0))
		reader->failed = true;
	if (reader->failed)
		return false;
	value->old = old;
	value->present = present;
	memcpy(value->salt.bytes, salt.data, GL_SALT_SIZE);
	return true;
}
