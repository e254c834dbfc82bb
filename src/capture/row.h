/*
 * row.h
 *		One row change as a record of the pending entry.
 */
#ifndef GL_CAPTURE_ROW_H
#define GL_CAPTURE_ROW_H

#include "capture/encode.h"
#include "format/record.h"

/*
 * Add the record of a change to the entry of the current transaction. `row` is the image (the old row for a
 * delete), `old` the row before an update, else NULL. Allocates in CurrentMemoryContext, which the caller resets per row.
 */
extern void gl_row_record(const GlEncoder *encoder, GlRecordKind kind, CommandId command, HeapTuple row, HeapTuple old);

#endif
