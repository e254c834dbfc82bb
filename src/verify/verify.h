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

#include "format/record.h"
#include "verify/report.h"

typedef struct GlLog GlLog;
typedef struct GlTables GlTables;
typedef struct GlSchemas GlSchemas;
typedef struct GlKeys GlKeys;
typedef struct GlOrigins GlOrigins;
typedef struct GlErasures GlErasures;
typedef struct GlStrays GlStrays;
typedef struct GlAgainst GlAgainst;
typedef struct GlTiles GlTiles;
typedef struct GlCheckpoints GlCheckpoints;
typedef struct GlLogEntry GlLogEntry;

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

/* --- text.c --- */

/* lower-case hexadecimal */
extern char *gl_hex(const void *data, size_t length);
extern bool gl_bytes_are(GlBytes bytes, const char *string);
extern GlBytes gl_bytes_copy(GlBytes bytes);
extern GlBytes gl_bytes_of(const char *string);
/* UTF-8 in the database encoding, shortened for a report; bytes that are no text as \x... */
extern char *gl_shown(GlBytes bytes, bool is_bytea);
/* "entry GENERATION/TRANSACTION" */
extern char *gl_entry_name(uint32 generation, uint64 transaction_id);
/* all of it, unshortened and in the database encoding; NULL if it cannot be said there */
extern char *gl_server_text(GlBytes bytes);

#endif
