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

/*
 * The same from rows that were printed before (gl_encode_clear_image): `image`, and the row before an update, else no bytes.
 * Columns that the encoder does not have any more are left out.
 */
extern void gl_row_record_clear(const GlEncoder *encoder, GlRecordKind kind, CommandId command, GlBytes image, GlBytes old);

#endif
