/*
 * publish.c
 *		Signed checkpoints as files in govledger.checkpoint_directory: one per tree size, and "latest".
 *
 * Files appear whole or not at all. What is missing is told from "latest", so a crash, a full disk or a directory that
 * was away for a time leaves no gap. A directory without "latest" begins with the newest checkpoint.
 */
#include "seal/step.h"

#include <fcntl.h>
#include <unistd.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/catalog.h"
#include "format/note.h"
#include "seal/file.h"
#include "seal/query.h"
#include "seal/settings.h"

#define GL_PUBLISH_BATCH 1000
#define GL_LATEST_FILE "latest"
/* a signed note of ours has two lines of at most about 400 bytes, and two more */
#define GL_LATEST_MAX_SIZE 65536

/* Tree size of the checkpoint in "latest"; 0 if there is none. Error if it is of another ledger. */
static uint64
gl_published_size(const char *directory, const char *origin)
{
	char	   *path = psprintf("%s/" GL_LATEST_FILE, directory);
	uint8_t    *content = palloc(GL_LATEST_MAX_SIZE);
	int			fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	ssize_t		got;
	GlCheckpoint checkpoint;
	GlBytes		note;

	if (fd < 0 && errno == ENOENT)
		return 0;
	got = fd < 0 ? -1 : read(fd, content, GL_LATEST_MAX_SIZE);
	if (got < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read checkpoint file \"%s\": %m", path)));
	CloseTransientFile(fd);
	note.data = content;
	note.length = (size_t) got;
	if (!gl_checkpoint_read(note, &checkpoint))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("file \"%s\" is not a checkpoint", path),
				 errhint("Remove the file; it is written again.")));
	if (checkpoint.origin.length != strlen(origin) ||
		memcmp(checkpoint.origin.data, origin, checkpoint.origin.length) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("checkpoint directory \"%s\" belongs to ledger \"%.*s\"",
						directory, (int) checkpoint.origin.length, (const char *) checkpoint.origin.data),
				 errhint("Give each database a directory of its own: ALTER DATABASE ... SET govledger.checkpoint_directory.")));
	return checkpoint.size;
}

static void
gl_write_checkpoint_file(const char *directory, const char *name, const char *note)
{
	char	   *path = psprintf("%s/%s", directory, name);
	char	   *temporary = psprintf("%s/.%s.tmp", directory, name);

	/* a checkpoint is there to be read by others */
	gl_file_replace(path, temporary, note, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH, "checkpoint");
	pfree(path);
	pfree(temporary);
}

/* Write what comes after `published`; returns how many. */
static uint64
gl_publish_after(const char *directory, uint64 published)
{
	static GlQuery newer = {
		.text = "SELECT tree_size, note FROM govledger.checkpoint WHERE tree_size > $1 ORDER BY tree_size",
		.arguments = 1,.types = {INT8OID}
	};
	static GlQuery newest = {
		.text = "SELECT tree_size, note FROM govledger.checkpoint ORDER BY tree_size DESC LIMIT 1"
	};
	Datum		value = Int64GetDatum((int64) published);
	uint64		rows;
	uint64		i;

	if (published == 0)
		rows = gl_query_read(&newest, NULL, 1);
	else
		rows = gl_query_read(&newer, &value, GL_PUBLISH_BATCH);
	for (i = 0; i < rows; i++)
	{
		char		name[32];
		char	   *note = TextDatumGetCString(gl_query_value(i, 2));

		CHECK_FOR_INTERRUPTS();
		snprintf(name, sizeof(name), INT64_FORMAT, DatumGetInt64(gl_query_value(i, 1)));
		gl_write_checkpoint_file(directory, name, note);
		/* the last one counts, and a crash in between must not skip any */
		if (i + 1 == rows)
			gl_write_checkpoint_file(directory, GL_LATEST_FILE, note);
	}
	return rows;
}

void
gl_publish_step(void)
{
	char		origin[GL_ORIGIN_MAX_SIZE + 1];
	const char *directory = gl_setting_checkpoint_directory;
	uint64		written;

	if (*directory == '\0')
		return;
	do
	{
		written = 0;
		if (!gl_step_begin())
			return;
		gl_step_lock(GL_MUTEX_PUBLISH);
		if (gl_step_ledger(origin))
		{
			gl_step_snapshot();
			written = gl_publish_after(directory, gl_published_size(directory, origin));
		}
		gl_step_commit();
	} while (written == GL_PUBLISH_BATCH);
}
