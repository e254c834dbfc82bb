/*
 * capture.h
 *		What other features may ask of capture.
 */
#ifndef GL_CAPTURE_CAPTURE_H
#define GL_CAPTURE_CAPTURE_H

#include "core/compat.h"
#include "format/record.h"

/* Settings and transaction hooks; called by src/module.c alone. */
extern void gl_capture_init(void);

/*
 * Add a record that is no row change (key change, note, adoption, erasure) to the entry of the current transaction. The
 * entry is written at commit like any other.
 */
extern void gl_capture_event(GlRecordKind kind, const void *body, size_t length);

/*
 * Where the log is adopted after a restore: take the numbers of columns anew, by name, for a dump leaves dropped columns out; and
 * put triggers right that the restore left out or disabled.
 */
extern void gl_capture_adopted(void);

/* True iff the current transaction has records that are not yet in the log (they will be at commit). */
extern bool gl_capture_pending(void);

#endif
