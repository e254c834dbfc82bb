/*
 * entry.h
 *		Entry header, context and seal (README sections 5, 6, 7).
 */
#ifndef GL_FORMAT_ENTRY_H
#define GL_FORMAT_ENTRY_H

#include "format/hash.h"

#define GL_HEADER_MAX_SIZE 4096
#define GL_ORIGIN_MAX_SIZE 255

typedef struct GlEntryHeader
{
	GlBytes		origin;
	uint32_t	generation;
	uint64_t	position;
	uint64_t	transaction_id;
	int64_t		time;			/* microseconds since 1970-01-01 UTC */
	uint64_t	records;
	GlHash		record_root;
	GlHash		context_commitment;
	GlBytes		actor_signature;
} GlEntryHeader;

typedef struct GlSeal
{
	GlBytes		origin;
	uint32_t	generation;
	uint32_t	epoch;
	uint64_t	height;
	GlHash		previous_seal;
	uint64_t	tree_size;		/* before this seal's leaf */
	GlHash		root;			/* of that tree */
	int64_t		time;			/* microseconds since 1970-01-01 UTC */
	uint64_t	system_identifier;
	uint32_t	timeline;
	uint32_t	key_id;			/* 0: no key */
	bool		has_state_root;
	GlHash		state_root;
} GlSeal;

typedef enum GlContextField
{
	GL_CONTEXT_SESSION_USER = 1,
	GL_CONTEXT_CURRENT_USER,
	GL_CONTEXT_CLIENT_ADDRESS,
	GL_CONTEXT_AUTHENTICATED_ID,
	GL_CONTEXT_APPLICATION_NAME,
	GL_CONTEXT_CLAIMED_ACTOR,
	GL_CONTEXT_CLAIMED_REASON
} GlContextField;

/* Printable ASCII, 1 to 255 bytes, no '+' and no space: usable as a note key name. */
extern bool gl_origin_valid(const char *origin, size_t length);

/* Appends; the caller keeps the size within GL_HEADER_MAX_SIZE. */
extern void gl_entry_header_write(GlBuffer *out, const GlEntryHeader *header);
extern bool gl_entry_header_read(GlBytes bytes, GlEntryHeader *header);
extern void gl_seal_write(GlBuffer *out, const GlSeal *seal);
extern bool gl_seal_read(GlBytes bytes, GlSeal *seal);

/* Appends nothing for an empty value. Call in ascending order of fields. */
extern void gl_context_write(GlBuffer *out, GlContextField field, const char *value, size_t length);
/* Next field; false at the end or on damage (reader->failed). `previous` starts at 0. */
extern bool gl_context_next(GlReader *reader, uint8_t *previous, uint8_t *field, GlBytes *value);

#endif
