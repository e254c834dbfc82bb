/*
 * text.h
 *		Bytes of the formats as text of this database, for readers.
 */
#ifndef GL_CORE_TEXT_H
#define GL_CORE_TEXT_H

#include "core/compat.h"
#include "format/buffer.h"

/* lower-case hexadecimal */
extern char *gl_hex(const void *data, size_t length);
extern bool gl_bytes_are(GlBytes bytes, const char *string);
extern GlBytes gl_bytes_copy(GlBytes bytes);
extern GlBytes gl_bytes_of(const char *string);
/* UTF-8 in the database encoding, shortened for a report; bytes that are no text as \x... */
extern char *gl_shown(GlBytes bytes, bool is_bytea);
/* all of it, unshortened and in the database encoding; NULL if it cannot be said there */
extern char *gl_server_text(GlBytes bytes);

#endif
