/*
 * decode.h
 *		Values of the log as values of the built-in types that histories have.
 *
 * Only functions of the server itself run here. The settings of the formats must be pinned (gl_owner_enter).
 */
#ifndef GL_HISTORY_DECODE_H
#define GL_HISTORY_DECODE_H

#include "core/compat.h"
#include "catalog/pg_attribute.h"
#include "fmgr.h"

#include "format/buffer.h"

typedef struct GlDecoder
{
	Oid			type;
	Oid			parameter;
	FmgrInfo	input;
} GlDecoder;

/*
 * What a history keeps for a column of this type: the built-in type below domains, or text for a type that users may have made or
 * whose values cannot be read back. typmod -1 unless the type only limits a length.
 */
extern void gl_history_type(Oid type, int32 typmod, Oid *kept, int32 *kept_typmod);

/* False, and nothing, for a type of users: somebody altered the history. */
extern bool gl_decoder_init(GlDecoder *decoder, Oid type);
/* In CurrentMemoryContext. Error where the bytes are no value of the type. */
extern Datum gl_decode(GlDecoder *decoder, GlBytes bytes);

#endif
