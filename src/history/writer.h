/*
 * writer.h
 *		Rows of the log into the relation of a history: decoded, gathered, inserted many at a time, indexes too.
 *
 * Triggers and constraints on a history do not exist for it. The caller has entered the scope of the role that owns histories
 * (gl_owner_enter), so that expressions of indexes which somebody made run with that role's rights.
 */
#ifndef GL_HISTORY_WRITER_H
#define GL_HISTORY_WRITER_H

#include "core/compat.h"
#include "utils/rel.h"

#include "history/stream.h"

typedef struct GlWriter GlWriter;

/* `heap` is open and locked by the caller, and stays so until the writer is closed or made anew. */
extern GlWriter *gl_writer_open(Relation heap, int table_id);
extern void gl_writer_row(GlWriter *writer, const GlHistoryRow *row);
/* Write what is gathered. */
extern void gl_writer_flush(GlWriter *writer);
/* Values of this record that an erasure names go from the history. */
extern void gl_writer_erase(GlWriter *writer, const GlHistoryTable *table, const GlErasure *erasure);
extern int64 gl_writer_rows(const GlWriter *writer);
extern void gl_writer_close(GlWriter *writer);

#endif
