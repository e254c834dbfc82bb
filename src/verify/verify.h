/*
 * verify.h
 *		One run of govledger.verify(): what its parts share. Nothing outside src/verify includes this.
 *
 * The log is streamed once: tree.c drives, entry.c checks one entry, content.c hands its records to schema, keys, erasures and
 * sums. Then come the tables and the catalog. Everything is read under one snapshot and nothing is written, so a hot
 * standby can run all of it.
 */
#ifndef GL_VERIFY_VERIFY_H
#define GL_VERIFY_VERIFY_H

#include "core/compat.h"
#include "nodes/pg_list.h"
#include "utils/snapshot.h"

#include "core/text.h"
#include "format/record.h"
#include "verify/report.h"

typedef struct GlTables GlTables;
typedef struct GlSchemas GlSchemas;
typedef struct GlKeys GlKeys;
typedef struct GlOrigins GlOrigins;
typedef struct GlErasures GlErasures;
typedef struct GlStrays GlStrays;
typedef struct GlAgainst GlAgainst;
typedef struct GlTiles GlTiles;
typedef struct GlCheckpoints GlCheckpoints;

typedef struct GlVerify
{
	Snapshot	snapshot;
	GlReport   *report;
	MemoryContext memory;		/* lives as long as the run */
	MemoryContext scratch;		/* reset per entry, row or catalog object */

	/* the row of govledger.ledger */
	GlBytes		origin;			/* of the log of now; empty: not pinned yet */
	uint32		generation;
	uint64		system_identifier;
	bool		ours;			/* that is this cluster */

	/* the newest sound seal; 0: none */
	uint32		sealed_generation;
	uint64		sealed_by;

	int			target_table;	/* 0: all */
	int64		since;			/* leaves below are taken as known; 0: none */
	int64		tree_size;		/* by the newest seal */

	GlLog	   *log;
	GlTables   *tables;
	GlSchemas  *schemas;
	GlOrigins  *origins;
	GlKeys	   *keys;
	GlErasures *erasures;
	GlStrays   *strays;
	GlAgainst  *against;
	GlTiles    *tiles;
	GlCheckpoints *checkpoints;

	List	   *contexts;		/* damaged ones, see entry.c */

	/* what was gone through */
	int64		entries;
	int64		records;
	int64		progress_at;	/* time of the last progress message */
} GlVerify;

/* Once per unit of work: cancel, and a progress message every few seconds. */
extern void gl_verify_progress(GlVerify *verify, const char *what, double done, double total);

#endif
