/*
 * log.h
 *		Checking the log tables: entries, seals, tiles, checkpoints.
 */
#ifndef GL_VERIFY_LOG_H
#define GL_VERIFY_LOG_H

#include "core/compat.h"
#include "utils/array.h"

#include "format/entry.h"
#include "format/merkle.h"
#include "ledger/log.h"
#include "verify/verify.h"

/* --- entry.c, content.c --- */

/* Check all of an entry and hand its records on; `leaf` gets its leaf hash. False if it cannot be computed. */
extern bool gl_entry_check(GlVerify *verify, const GlLogEntry *entry, GlHash *leaf);
/* Contexts that entries are not committed to, one finding each. */
extern void gl_contexts_check(GlVerify *verify);
/* Give one record to those who follow records of its kind. */
extern void gl_content_record(GlVerify *verify, const GlLogEntry *entry, uint64 number, GlBytes bytes);

/* --- seal.c --- */

typedef struct GlStoredSeal
{
	MemoryContext memory;		/* of what it points to */
	int64		height;
	int64		first_leaf;
	int64		tree_size;
	int64		sealed_at;		/* Unix microseconds */
	Datum		snapshot;
	GlHash		root;
	bool		root_ok;		/* the column has 32 bytes */
	GlBytes		content;
	bool		parsed;
	GlSeal		seal;
	GlHash		leaf;			/* of the content */
	bool		edge_ok;		/* has the right number of hashes */
	GlHash		edge_root;
	GlMerkleEdge edge;
} GlStoredSeal;

typedef struct GlSeals GlSeals;

extern GlSeals *gl_seals_open(Snapshot snapshot, int64 from_height);
/* Next row by height, in storage that stays valid for two more calls; NULL at the end. */
extern GlStoredSeal *gl_seals_next(GlSeals *seals);
extern void gl_seals_close(GlSeals *seals);
/* The newest seal whose tree size is not above `size`, in `memory`; NULL if there is none. */
extern GlStoredSeal *gl_seal_before(Snapshot snapshot, int64 size, MemoryContext memory);
/* The oldest; NULL if there is none. */
extern GlStoredSeal *gl_seal_first(Snapshot snapshot, MemoryContext memory);
/* Size of the tree up to and including this seal: what its content says, if that can be read. */
extern int64 gl_seal_size(const GlStoredSeal *row);
/* Is this transaction visible in the seal's snapshot? */
extern bool gl_seal_sees(const GlStoredSeal *row, uint64 transaction_id);
/* Does its content name the seal before (NULL: none)? */
extern bool gl_seal_follows(const GlStoredSeal *row, const GlStoredSeal *previous);
/* A seal whose content is authentic: columns, and what can be told from the one before (NULL: none or not authentic). */
extern void gl_seal_check(GlVerify *verify, const GlStoredSeal *row, const GlStoredSeal *previous);

/* --- origin.c --- */

/* Find out where former logs end; reports if govledger.ledger and the seals name different logs. */
extern void gl_origins_open(GlVerify *verify);
/* The origin that a leaf is hashed and sealed with (GL_NO_LEAF: not sealed yet). */
extern GlBytes gl_origin_at(const GlVerify *verify, int64 leaf);
extern void gl_origins_record(GlVerify *verify, const GlLogEntry *entry, const GlRecord *record);
/* Seals, succession records and former_log against each other. */
extern void gl_origins_check(GlVerify *verify);
/* Is this the log of now or a former one? */
extern bool gl_origin_known(const GlVerify *verify, GlBytes origin);
/* If a tree of this size of a former log was lost, words that say so; else NULL. */
extern const char *gl_origin_loss(const GlVerify *verify, GlBytes origin, uint64 size);

/* --- tree.c --- */

/* Stream everything that is sealed. */
extern void gl_tree_check(GlVerify *verify);

/* --- tile.c --- */

typedef struct GlTileRow
{
	GlHash		root;
	GlBytes		hashes;
	bool		ok;				/* both have their sizes */
} GlTileRow;

extern GlTiles *gl_tiles_open(Snapshot snapshot);
extern void gl_tiles_close(GlTiles *tiles);
/* Valid until the next call. */
extern bool gl_tile_fetch(GlTiles *tiles, int level, int64 n, GlTileRow *row);
/* Roots of all tiles, tiles above level 0, and rows beyond the tree. */
extern void gl_tiles_check(GlVerify *verify);

/* --- checkpoint.c --- */

/* A checkpoint beside a seal. */
typedef struct GlCheckpointRow
{
	bool		trusted;		/* there, well-formed, of this tree size, signed by the right key */
	GlHash		root;			/* what it says */
} GlCheckpointRow;

extern GlCheckpoints *gl_checkpoints_open(GlVerify *verify);
extern void gl_checkpoints_close(GlCheckpoints *checkpoints);
/* Look at the checkpoint of a seal and report what is wrong with it, its root apart. */
extern void gl_checkpoint_of(GlVerify *verify, const GlStoredSeal *seal, GlCheckpointRow *row);
/* Checkpoints that belong to no seal; which seals are unsigned. */
extern void gl_checkpoints_check(GlVerify *verify);

/* --- against.c --- */

extern GlAgainst *gl_against_open(GlVerify *verify, ArrayType *notes);
/* Size of the tree at which gl_against_root wants to see it next. */
extern uint64 gl_against_next(const GlAgainst *against);
extern void gl_against_root(GlAgainst *against, const GlMerkleEdge *edge);
extern void gl_against_check(GlVerify *verify);

/* --- keys.c --- */

extern GlKeys *gl_keys_open(GlVerify *verify);
extern void gl_keys_record(GlVerify *verify, const GlLogEntry *entry, const GlRecord *record);
/* Did the key with this id (0: any) sign this checkpoint? Returns what is wrong, NULL if nothing. */
extern const char *gl_keys_verify(const GlKeys *keys, GlBytes note, uint32 key_id);
/* Is key_id the key that a seal names, or one that replaced it? The sealer signs with that if it came before the signature. */
extern bool gl_keys_succeeds(const GlKeys *keys, uint32 named, uint32 key_id);
/* The key that a seal names must be introduced somewhere. */
extern void gl_keys_named(GlKeys *keys, const GlStoredSeal *seal);
extern bool gl_keys_known(const GlKeys *keys, uint32 key_id);
extern bool gl_keys_any(const GlKeys *keys);
/* The table signing_key against the log. */
extern void gl_keys_check(GlVerify *verify);

/* --- erasure.c --- */

extern GlErasures *gl_erasures_open(void);
extern void gl_erasures_record(GlVerify *verify, const GlLogEntry *entry, const GlRecord *record);
/* A personal value (with GL_ERASURE_CONTEXT: the context) is not there any more. */
extern void gl_erasures_absent(GlVerify *verify, const GlLogEntry *entry, uint64 record, int table_id, uint64 column_id);
extern void gl_erasures_check(GlVerify *verify);

/* --- stray.c --- */

extern GlStrays *gl_strays_open(GlVerify *verify);
/* A leaf points to this entry. */
extern void gl_strays_sealed(GlStrays *strays, uint32 generation, uint64 transaction_id);
/* Find the entries that wait for a seal and those that belong to nothing. */
extern void gl_strays_collect(GlVerify *verify);
/* Next waiting entry, in order; false at the end. */
extern bool gl_strays_next(GlStrays *strays, uint32 *generation, uint64 *transaction_id);
extern void gl_strays_rewind(GlStrays *strays);
extern void gl_strays_close(GlStrays *strays);
extern int64 gl_strays_waiting(const GlStrays *strays);
/* Rows of the other log tables that belong to no entry. */
extern void gl_strays_check(GlVerify *verify);

/* Walk all records again, sealed ones from verify->since on, then unsealed ones, without checking them. */
extern void gl_log_walk(GlVerify *verify, GlRecordFunction function, void *arg);

#endif
