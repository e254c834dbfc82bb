/*
 * record.h
 *		Records and schema bodies (README sections 3, 4, 9, 10): readers, and the writers
 *		of everything but row images (capture writes those itself, column by column).
 */
#ifndef GL_FORMAT_RECORD_H
#define GL_FORMAT_RECORD_H

#include "format/hash.h"

typedef enum GlRecordKind
{
	GL_RECORD_INSERT = 'I',
	GL_RECORD_GENESIS = 'G',
	GL_RECORD_UPDATE = 'U',
	GL_RECORD_DELETE = 'D',
	GL_RECORD_TRUNCATE = 'T',
	GL_RECORD_SCHEMA = 'S',
	GL_RECORD_KEY = 'K',
	GL_RECORD_ERASURE = 'E',
	GL_RECORD_ADOPTION = 'A',
	GL_RECORD_SUCCESSION = 'L',
	GL_RECORD_NOTE = 'N'
} GlRecordKind;

/* Column ids are hashed as 32 bits whose top bit marks old values (README section 2). */
#define GL_COLUMN_ID_MAX ((uint64_t) INT32_MAX)

typedef struct GlRecord
{
	uint8_t		kind;
	uint64_t	table_id;
	uint64_t	relation_id;
	uint64_t	command_id;
	GlBytes		body;
} GlRecord;

/* One column of an image or of a list of changes. */
typedef struct GlField
{
	uint64_t	column_id;
	bool		is_null;		/* only in changes: the old value was NULL */
	bool		is_personal;	/* value is the 32-byte personal leaf */
	GlBytes		value;
} GlField;

/* Walks an image or a list of changes; check `reader->failed` after the last. */
typedef struct GlFieldReader
{
	GlReader   *reader;
	uint64_t	left;
	uint64_t	previous_column_id;
	bool		changes;
	bool		first;
} GlFieldReader;

extern void gl_record_begin(GlBuffer *out, GlRecordKind kind, uint64_t table_id, uint64_t relation_id,
							uint64_t command_id);

/* Next record of a stream; false at the end or on damage (then stream->failed is set). */
extern bool gl_record_next(GlReader *stream, GlBytes *record);
/* Split one record; false if malformed or of an unknown kind. Does not look into the body. */
extern bool gl_record_read(GlBytes bytes, GlRecord *record);

/* Start on an image, or (changes true) on the changes of an update, at the reader's place. */
extern void gl_fields_begin(GlFieldReader *fields, GlReader *reader, bool changes);
/* Next field; false at the end of the list or on damage (reader->failed). */
extern bool gl_fields_next(GlFieldReader *fields, GlField *field);
/* True iff the body, whatever the kind, is well-formed to its last byte. */
extern bool gl_record_check_body(const GlRecord *record);

/* --- schema --- */

typedef enum GlSchemaOperation
{
	GL_SCHEMA_PROTECT = 'P',
	GL_SCHEMA_ALTER = 'A',
	GL_SCHEMA_RELATION_ADDED = 'C',
	GL_SCHEMA_RELATION_REMOVED = 'X',
	GL_SCHEMA_UNPROTECT = 'U'
} GlSchemaOperation;

typedef enum GlVisibility
{
	GL_VISIBILITY_PRIVATE = 0,
	GL_VISIBILITY_PEERS = 1,
	GL_VISIBILITY_PUBLIC = 2
} GlVisibility;

#define GL_TABLE_APPEND_ONLY 1
#define GL_TABLE_HISTORY 2
#define GL_COLUMN_PERSONAL 1

typedef struct GlSchemaHead
{
	uint8_t		operation;
	GlBytes		schema_name;
	GlBytes		table_name;
	uint8_t		visibility;
	uint8_t		flags;
} GlSchemaHead;

typedef struct GlSchemaColumn
{
	uint64_t	column_id;
	GlBytes		name;
	GlBytes		type;
	uint8_t		flags;
	uint64_t	key_ordinal;
} GlSchemaColumn;

typedef struct GlSchemaRelation
{
	uint64_t	relation_id;
	GlBytes		schema_name;
	GlBytes		name;
} GlSchemaRelation;

/*
 * Writing order: head, count of columns, columns, count of relations, relations, reason; reading the same. The
 * counts are plain varints (gl_buffer_varint, gl_read_varint).
 */
extern void gl_schema_write_head(GlBuffer *out, const GlSchemaHead *head);
extern void gl_schema_write_column(GlBuffer *out, const GlSchemaColumn *column);
extern void gl_schema_write_relation(GlBuffer *out, const GlSchemaRelation *relation);
extern bool gl_schema_read_head(GlReader *reader, GlSchemaHead *head);
extern bool gl_schema_read_column(GlReader *reader, GlSchemaColumn *column);
extern bool gl_schema_read_relation(GlReader *reader, GlSchemaRelation *relation);

/* --- key change --- */

typedef struct GlKeyChange
{
	uint32_t	new_key_id;
	GlBytes		new_verifier_key;
	uint32_t	old_key_id;		/* 0: the first key */
	GlBytes		old_signature;	/* empty: first key, or the old one is lost */
	GlBytes		new_signature;
	GlBytes		reason;
} GlKeyChange;

/* the bytes both signatures are over */
extern void gl_key_change_statement(GlBuffer *out, GlBytes origin, const GlKeyChange *change);
extern void gl_key_change_write(GlBuffer *out, const GlKeyChange *change);
extern bool gl_key_change_read(GlReader *reader, GlKeyChange *change);

/* --- adoption --- */

typedef struct GlAdoption
{
	uint32_t	previous_generation;
	uint64_t	previous_system_identifier;
	uint32_t	generation;
	uint64_t	system_identifier;
	uint64_t	tree_size;
	GlHash		root;
	GlBytes		reason;
} GlAdoption;

extern void gl_adoption_write(GlBuffer *out, const GlAdoption *adoption);
extern bool gl_adoption_read(GlReader *reader, GlAdoption *adoption);

/* --- succession --- */

typedef struct GlSuccession
{
	GlBytes		origin;			/* of the log that ends */
	uint32_t	previous_generation;
	uint64_t	previous_system_identifier;
	uint32_t	generation;
	uint64_t	system_identifier;
	uint64_t	tree_size;		/* what there is of it */
	GlHash		root;
	uint64_t	lost_from;		/* at least as far, that is what was signed; not above tree_size */
	uint64_t	known_size;		/* last known checkpoint: above lost_from */
	GlHash		known_root;
	GlBytes		reason;
} GlSuccession;

extern void gl_succession_write(GlBuffer *out, const GlSuccession *succession);
extern bool gl_succession_read(GlReader *reader, GlSuccession *succession);

/* --- erasure --- */

#define GL_ERASURE_CONTEXT ((uint64_t) INT64_MAX)

typedef struct GlErasure
{
	uint32_t	generation;
	uint64_t	transaction_id;
	uint64_t	record;			/* GL_ERASURE_CONTEXT: the context of the entry */
	GlBytes		column_ids;		/* count varint, then that many varints */
	GlBytes		legal_basis;
} GlErasure;

/* column_ids must already be in its serialised form */
extern void gl_erasure_write(GlBuffer *out, const GlErasure *erasure);
extern bool gl_erasure_read(GlReader *reader, GlErasure *erasure);

/* --- personal values beside an entry --- */

typedef struct GlPersonalValue
{
	uint64_t	column_id;
	bool		old;			/* the old value of a change */
	GlSalt		salt;
	bool		present;		/* false: NULL */
	GlBytes		value;
} GlPersonalValue;

extern void gl_personal_write(GlBuffer *out, const GlPersonalValue *value);
/* Next value; false at the end or on damage (reader->failed). */
extern bool gl_personal_next(GlReader *reader, GlPersonalValue *value);

#endif
