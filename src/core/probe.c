/*
 * probe.c
 *		Index scans for many look-ups; see probe.h.
 */
#include "core/probe.h"

#include "access/table.h"
#include "access/tableam.h"
#include "utils/memutils.h"

void
gl_probe_open(GlProbe *probe, GlRelation heap, Oid index, Snapshot snapshot, int nkeys)
{
	memset(probe, 0, sizeof(*probe));
	probe->memory = CurrentMemoryContext;
	probe->heap = gl_relation_open(heap, AccessShareLock);
	probe->index = index_open(index, AccessShareLock);
	probe->scan = gl_index_beginscan(probe->heap, probe->index, snapshot, nkeys, 0);
	probe->slot = table_slot_create(probe->heap, NULL);
	probe->done = true;
}

void
gl_probe_close(GlProbe *probe)
{
	ExecDropSingleTupleTableSlot(probe->slot);
	index_endscan(probe->scan);
	index_close(probe->index, NoLock);
	table_close(probe->heap, NoLock);
}

void
gl_probe_start(GlProbe *probe, ScanKey keys, int nkeys)
{
	MemoryContext old = MemoryContextSwitchTo(probe->memory);

	index_rescan(probe->scan, keys, nkeys, NULL, 0);
	probe->done = false;
	MemoryContextSwitchTo(old);
}

static bool
step(GlProbe *probe, ScanDirection direction)
{
	MemoryContext old;

	if (probe->done)
		return false;
	old = MemoryContextSwitchTo(probe->memory);
	probe->done = !index_getnext_slot(probe->scan, direction, probe->slot);
	if (!probe->done)
		slot_getallattrs(probe->slot);
	MemoryContextSwitchTo(old);
	return !probe->done;
}

bool
gl_probe_next(GlProbe *probe)
{
	return step(probe, ForwardScanDirection);
}

bool
gl_probe_previous(GlProbe *probe)
{
	return step(probe, BackwardScanDirection);
}
