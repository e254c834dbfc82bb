/*
 * probe.h
 *		An index scan that is opened once and restarted for every look-up: opening one costs more than a look-up.
 *
 * The access method allocates while it is asked, and expects that to last as long as the scan; so every call runs in
 * the memory context the probe was opened in, whichever the caller's is.
 */
#ifndef GL_CORE_PROBE_H
#define GL_CORE_PROBE_H

#include "core/compat.h"
#include "access/genam.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "core/catalog.h"

typedef struct GlProbe
{
	Relation	heap;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;		/* the row in hand, all attributes taken apart */
	MemoryContext memory;
	bool		done;			/* an exhausted scan must not be asked again */
} GlProbe;

extern void gl_probe_open(GlProbe *probe, GlRelation heap, Oid index, Snapshot snapshot, int nkeys);
extern void gl_probe_close(GlProbe *probe);
/* Start (again) with these keys; their number may be lower than at the opening only if it was opened so. */
extern void gl_probe_start(GlProbe *probe, ScanKey keys, int nkeys);
/* Next row into the slot. */
extern bool gl_probe_next(GlProbe *probe);
extern bool gl_probe_previous(GlProbe *probe);

static inline Datum
gl_probe_value(const GlProbe *probe, int column)
{
	return probe->slot->tts_values[column - 1];
}

static inline bool
gl_probe_is_null(const GlProbe *probe, int column)
{
	return probe->slot->tts_isnull[column - 1];
}

#endif
