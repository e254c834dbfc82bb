/*
 * entry.c
 *		Entry header, context and seal (README sections 5, 6, 7).
 */
#include "format/entry.h"

bool
gl_origin_valid(const char *origin, size_t length)
{
	size_t		i;

	if (length == 0 || length > GL_ORIGIN_MAX_SIZE)
		return false;
	for (i = 0; i < length; i++)
	{
		if (origin[i] <= ' ' || origin[i] > '~' || origin[i] == '+')
			return false;
	}
	return true;
}

static void
write_tag_and_origin(GlBuffer *out, const char *tag, GlBytes origin)
{
	gl_buffer_append(out, tag, GL_TAG_SIZE);
	gl_buffer_u8(out, (uint8_t) origin.length);
	gl_buffer_append(out, origin.data, origin.length);
}

static void
read_tag_and_origin(GlReader *reader, const char *tag, GlBytes *origin)
{
	GlBytes		found = gl_read_bytes(reader, GL_TAG_SIZE);

	if (!reader->failed && memcmp(found.data, tag, GL_TAG_SIZE) != 0)
		reader->failed = true;
	*origin = gl_read_bytes(reader, gl_read_u8(reader));
	if (!gl_origin_valid((const char *) origin->data, origin->length))
		reader->failed = true;
}

static void
read_hash(GlReader *reader, GlHash *hash)
{
	GlBytes		bytes = gl_read_bytes(reader, GL_HASH_SIZE);

	if (reader->failed)
		memset(hash->bytes, 0, GL_HASH_SIZE);
	else
		memcpy(hash->bytes, bytes.data, GL_HASH_SIZE);
}

void
gl_entry_header_write(GlBuffer *out, const GlEntryHeader *header)
{
	write_tag_and_origin(out, "GLE1", header->origin);
	gl_buffer_u32(out, header->generation);
	gl_buffer_u64(out, header->position);
	gl_buffer_u64(out, header->transaction_id);
	gl_buffer_u64(out, (uint64_t) header->time);
	gl_buffer_u64(out, header->records);
	gl_buffer_append(out, header->record_root.bytes, GL_HASH_SIZE);
	gl_buffer_append(out, header->context_commitment.bytes, GL_HASH_SIZE);
	gl_buffer_u16(out, (uint16_t) header->actor_signature.length);
	gl_buffer_append(out, header->actor_signature.data, header->actor_signature.length);
}

bool
gl_entry_header_read(GlBytes bytes, GlEntryHeader *header)
{
	GlReader	reader;

	if (bytes.length > GL_HEADER_MAX_SIZE)
		return false;
	gl_reader_init(&reader, bytes.data, bytes.length);
	read_tag_and_origin(&reader, "GLE1", &header->origin);
	header->generation = gl_read_u32(&reader);
	header->position = gl_read_u64(&reader);
	header->transaction_id = gl_read_u64(&reader);
	header->time = (int64_t) gl_read_u64(&reader);
	header->records = gl_read_u64(&reader);
	read_hash(&reader, &header->record_root);
	read_hash(&reader, &header->context_commitment);
	header->actor_signature = gl_read_bytes(&reader, gl_read_u16(&reader));
	return gl_reader_done(&reader) && header->records > 0;
}

void
gl_seal_write(GlBuffer *out, const GlSeal *seal)
{
	write_tag_and_origin(out, "GLS1", seal->origin);
	gl_buffer_u32(out, seal->generation);
	gl_buffer_u32(out, seal->epoch);
	gl_buffer_u64(out, seal->height);
	gl_buffer_append(out, seal->previous_seal.bytes, GL_HASH_SIZE);
	gl_buffer_u64(out, seal->tree_size);
	gl_buffer_append(out, seal->root.bytes, GL_HASH_SIZE);
	gl_buffer_u64(out, (uint64_t) seal->time);
	gl_buffer_u64(out, seal->system_identifier);
	gl_buffer_u32(out, seal->timeline);
	gl_buffer_u32(out, seal->key_id);
	gl_buffer_u8(out, seal->has_state_root ? GL_HASH_SIZE : 0);
	if (seal->has_state_root)
		gl_buffer_append(out, seal->state_root.bytes, GL_HASH_SIZE);
}

bool
gl_seal_read(GlBytes bytes, GlSeal *seal)
{
	static const GlHash no_seal = {{0}};
	GlReader	reader;
	uint8_t		state_root_length;

	gl_reader_init(&reader, bytes.data, bytes.length);
	read_tag_and_origin(&reader, "GLS1", &seal->origin);
	seal->generation = gl_read_u32(&reader);
	seal->epoch = gl_read_u32(&reader);
	seal->height = gl_read_u64(&reader);
	read_hash(&reader, &seal->previous_seal);
	seal->tree_size = gl_read_u64(&reader);
	read_hash(&reader, &seal->root);
	seal->time = (int64_t) gl_read_u64(&reader);
	seal->system_identifier = gl_read_u64(&reader);
	seal->timeline = gl_read_u32(&reader);
	seal->key_id = gl_read_u32(&reader);
	state_root_length = gl_read_u8(&reader);
	seal->has_state_root = state_root_length == GL_HASH_SIZE;
	if (seal->has_state_root)
		read_hash(&reader, &seal->state_root);
	else
		seal->state_root = no_seal;
	if (!gl_reader_done(&reader) || (state_root_length != 0 && !seal->has_state_root))
		return false;
	return seal->height > 1 || (seal->height == 1 && gl_hash_equal(&seal->previous_seal, &no_seal));
}

void
gl_context_write(GlBuffer *out, GlContextField field, const char *value, size_t length)
{
	if (length == 0)
		return;
	gl_buffer_u8(out, (uint8_t) field);
	gl_buffer_text(out, value, length);
}

bool
gl_context_next(GlReader *reader, uint8_t *previous, uint8_t *field, GlBytes *value)
{
	if (reader->failed || reader->at == reader->end)
		return false;
	*field = gl_read_u8(reader);
	*value = gl_read_text(reader);
	/* an empty field is left out by the writer, so that a context has one form only */
	if (*field <= *previous || *field > GL_CONTEXT_CLAIMED_REASON || value->length == 0)
		reader->failed = true;
	*previous = *field;
	return !reader->failed;
}
