/*
 * report.h
 *		What the sealer last said, for govledger.status: the row of sealer_state.
 */
#ifndef GL_SEAL_REPORT_H
#define GL_SEAL_REPORT_H

#include "core/compat.h"

/* Describe the key for people, from gl_key_phase and the error of the last step that used it (NULL: none); palloc'd. */
extern char *gl_key_state_text(const char *error);
/* In a transaction of its own; writes only what differs. `error` NULL: all is well. */
extern void gl_report_step(const char *error, const char *key_state);

#endif
