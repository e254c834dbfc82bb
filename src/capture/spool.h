/*
 * spool.h
 *		The rows of ledger relations as they were before a command, to be compared with what they are after it.
 *
 * A difference becomes an ordinary record: U for a row with other values, D for one that is gone, I for a new one. The rows
 * before are those of the table, not those of the log: if somebody changed one behind the ledger's back, the record says
 * that it replaced the changed row, and verify still finds the change.
 */
#ifndef GL_CAPTURE_SPOOL_H
#define GL_CAPTURE_SPOOL_H

#include "core/compat.h"

typedef struct GlSpool GlSpool;

/* In CurrentMemoryContext, which ends with the command at the latest; memory is bounded by work_mem, the rest is on disk. */
extern GlSpool *gl_spool_open(void);
/* Keep the rows of one relation. The caller holds a lock on it that keeps writers out until the transaction ends. */
extern void gl_spool_add(GlSpool *spool, Oid relation);
/* Read all relations again and record what is different. The ledger's catalog is in line with the tables by now. */
extern void gl_spool_compare(GlSpool *spool);

#endif
