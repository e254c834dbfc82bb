/*
 * pending.h
 *		The entry of the current transaction, while it grows.
 */
#ifndef GL_CAPTURE_PENDING_H
#define GL_CAPTURE_PENDING_H

#include "core/compat.h"
#include "format/record.h"

/*
 * Start a record: makes sure the transaction has an entry and the current subtransaction a savepoint mark. Returns
 * the empty scratch buffer to write the record into. Finish with gl_pending_finish; an error between the two leaves
 * nothing behind.
 */
extern GlBuffer *gl_pending_start(void);
extern void gl_pending_finish(void);

/*
 * Keep a personal value of the record being written beside the entry; gives the leaf that stands for it in the record.
 */
extern void gl_pending_personal(uint32 column_id, bool old, bool present, GlBytes value, GlHash *leaf);

extern void gl_pending_init(void);

#endif
