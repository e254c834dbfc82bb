/*
 * context.h
 *		Who, from where, and why: the context of an entry (src/format/README.md section 5).
 */
#ifndef GL_CAPTURE_CONTEXT_H
#define GL_CAPTURE_CONTEXT_H

#include "core/compat.h"
#include "format/hash.h"

/*
 * Commit to the context of the current transaction. What the server knows goes to govledger.context, once per session as
 * long as it stays the same; returns that row's id. What the application claims is given back in `claimed`
 * (CurrentMemoryContext), to be stored with the entry.
 */
extern int64 gl_context_record(Oid user, const GlSalt *salt, GlBytes *claimed, GlHash *commitment);
/* Keep or forget the rows this transaction made. */
extern void gl_context_end(bool committed);

extern void gl_context_init(void);

#endif
