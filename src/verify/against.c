/*
 * against.c
 *		Earlier checkpoints in the caller's hands: the log of today must begin with the tree they sign.
 *
 * This is the check that a DBA who owns the key cannot satisfy after rewriting or rolling back the log.
 */
#include "verify/log.h"

#include "catalog/pg_type_d.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/catalog.h"
#include "format/note.h"

typedef struct GlAgainstNote
{
	GlBytes		text;
	bool		sound;			/* a checkpoint */
	GlCheckpoint checkpoint;
	bool		reached;		/* root is that of our tree at this size */
	GlHash		root;
} GlAgainstNote;

struct GlAgainst
{
	int			count;
	int			next;			/* in the order of sizes */
	GlAgainstNote *notes;
};

static int
compare_notes(const void *a, const void *b)
{
	const GlAgainstNote *x = a;
	const GlAgainstNote *y = b;

	/* what is no checkpoint has size 0 */
	return x->checkpoint.size < y->checkpoint.size ? -1 : x->checkpoint.size > y->checkpoint.size;
}

/* Roots of trees that end before the stream begins: only seals remember them. */
static void
look_back(GlVerify *verify, GlAgainstNote *note)
{
	GlStoredSeal *seal = gl_seal_before(verify->snapshot, (int64) note->checkpoint.size, CurrentMemoryContext);

	if (seal == NULL || gl_seal_size(seal) != (int64) note->checkpoint.size || !seal->edge_ok)
		return;
	note->reached = true;
	note->root = seal->edge_root;
}

GlAgainst *
gl_against_open(GlVerify *verify, ArrayType *notes)
{
	GlAgainst  *against = palloc0(sizeof(GlAgainst));
	Datum	   *elements;
	bool	   *nulls;
	int			i;

	deconstruct_array(notes, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &against->count);
	against->notes = palloc0(sizeof(GlAgainstNote) * (against->count + 1));
	for (i = 0; i < against->count; i++)
	{
		GlAgainstNote *note = &against->notes[i];

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a checkpoint in \"against\" must not be null")));
		note->text = gl_bytes_of(gl_one_line_feed(TextDatumGetCString(elements[i])));
		note->sound = gl_checkpoint_read(note->text, &note->checkpoint) && note->checkpoint.size <= (uint64) PG_INT64_MAX;
		if (!note->sound)
			note->checkpoint.size = 0;
	}
	qsort(against->notes, against->count, sizeof(GlAgainstNote), compare_notes);
	while (against->next < against->count &&
		   (int64) against->notes[against->next].checkpoint.size < Max(verify->since, 1))
	{
		GlAgainstNote *note = &against->notes[against->next++];

		if (note->sound && note->checkpoint.size > 0)
			look_back(verify, note);
	}
	return against;
}

uint64
gl_against_next(const GlAgainst *against)
{
	return against->next < against->count ? against->notes[against->next].checkpoint.size : UINT64_MAX;
}

void
gl_against_root(GlAgainst *against, const GlMerkleEdge *edge)
{
	for (; gl_against_next(against) <= edge->size; against->next++)
	{
		GlAgainstNote *note = &against->notes[against->next];

		/* a damaged stretch of the log is jumped over, and no tree is built inside it */
		note->reached = note->checkpoint.size == edge->size;
		if (note->reached)
			gl_merkle_root(edge, &note->root);
	}
}

/* What the note proves against this log; NULL if it agrees. */
static const char *
check_note(GlVerify *verify, const GlAgainstNote *note)
{
	const char *problem;
	unsigned long long size = note->checkpoint.size;

	if (!note->sound)
		return "it is no checkpoint";
	if (!gl_origin_known(verify, note->checkpoint.origin))
		return psprintf("it is of another log: %s", gl_shown(note->checkpoint.origin, false));
	if (size == 0)
		return "it is of the empty tree and proves nothing";
	problem = gl_keys_verify(verify->keys, note->text, 0);
	if (problem != NULL)
		return problem;
	if (!note->reached || !gl_hash_equal(&note->root, &note->checkpoint.root))
		problem = gl_origin_loss(verify, note->checkpoint.origin, size);
	if (problem != NULL)
		return problem;
	if (size > (unsigned long long) verify->tree_size)
		return psprintf("it signs a tree of %llu leaves, this log has %lld: the log was rolled back or rewritten", size,
						(long long) verify->tree_size);
	if (!note->reached)
		return psprintf("no seal ends the tree at %llu leaves, or the tree there could not be built: the log was rewritten",
						size);
	if (!gl_hash_equal(&note->root, &note->checkpoint.root))
		return psprintf("it signs another tree of %llu leaves: the log was rewritten", size);
	return NULL;
}

void
gl_against_check(GlVerify *verify)
{
	const GlAgainst *against = verify->against;
	int			i;

	for (i = 0; i < against->count; i++)
	{
		const GlAgainstNote *note = &against->notes[i];
		GlFinding	finding = {.check = GL_CHECK_AGAINST, .leaf = GL_NO_LEAF};
		char	   *name = psprintf("checkpoint %llu", (unsigned long long) note->checkpoint.size);

		finding.scope = psprintf("%s %d", name, i);
		finding.object = name;
		finding.detail = check_note(verify, note);
		if (finding.detail == NULL)
		{
			gl_report_pass(verify->report, GL_CHECK_AGAINST, finding.scope, name,
						   "the log of now, %lld leaves, begins with the tree it signs", (long long) verify->tree_size);
			continue;
		}
		if (note->reached)
		{
			finding.logged = gl_hex(note->root.bytes, GL_HASH_SIZE);
			finding.found = gl_hex(note->checkpoint.root.bytes, GL_HASH_SIZE);
		}
		gl_report_finding(verify->report, &finding);
	}
}
