/*
 * home.c
 *		Which data directory signs; see home.h.
 */
#include "seal/home.h"

#include <sys/stat.h>

#include "access/xlog.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/fd.h"

#include "format/entry.h"
#include "seal/file.h"

#define GL_HOME_FIRST_LINE "govledger signer home v1\n"

/* an origin and three numbers */
#define GL_HOME_LINE_SIZE 512

typedef struct GlHome
{
	uint64		system_identifier;
	uint32		timeline;
	uint64		inode;
} GlHome;

static void
gl_home_of_this(GlHome *home)
{
	struct stat directory;

	if (stat(DataDir, &directory) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not look at data directory \"%s\": %m", DataDir)));
	home->system_identifier = GetSystemIdentifier();
	home->timeline = gl_wal_timeline();
	/* the number of the device changes from boot to boot */
	home->inode = (uint64) directory.st_ino;
}

/* The line of this origin; `others` gets the rest. What cannot be understood counts as nothing: the tree is checked elsewhere. */
static bool
gl_home_read(const char *path, const char *origin, GlHome *home, StringInfo others)
{
	FILE	   *file = AllocateFile(path, "r");
	char		line[GL_HOME_LINE_SIZE];
	char		name[GL_ORIGIN_MAX_SIZE + 1];
	bool		found = false;

	if (file == NULL && errno != ENOENT)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open signer home file \"%s\": %m", path)));
	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL)
	{
		GlHome		read;

		if (sscanf(line, "%255s " UINT64_FORMAT " %u " UINT64_FORMAT "\n", name, &read.system_identifier, &read.timeline,
				   &read.inode) != 4)
			continue;
		if (strcmp(name, origin) != 0)
		{
			appendStringInfoString(others, line);
			continue;
		}
		*home = read;
		found = true;
	}
	FreeFile(file);
	return found;
}

static void
gl_raise_other_home(const char *path, const GlHome *home)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("refusing to sign: another data directory of this cluster signed last"),
			 errdetail("\"%s\" is a copy of it, or it was moved: signer home file \"%s\" knows timeline %u and inode "
					   UINT64_FORMAT ".", DataDir, path, home->timeline, home->inode),
			 errhint("Give a copy a key of its own, or none. If the other one is gone for good, remove the file.")));
}

void
gl_home_take(const char *state_path, const char *origin)
{
	char	   *path = psprintf("%s.home", state_path);
	GlHome		now;
	GlHome		then;
	bool		found;
	StringInfoData content;

	initStringInfo(&content);
	appendStringInfoString(&content, GL_HOME_FIRST_LINE);
	gl_home_of_this(&now);
	found = gl_home_read(path, origin, &then, &content);
	/* another cluster has adopted the log; a server that was promoted has a later timeline */
	if (found && then.system_identifier == now.system_identifier && then.timeline >= now.timeline &&
		then.inode != now.inode)
		gl_raise_other_home(path, &then);
	if (found && then.system_identifier == now.system_identifier && then.timeline == now.timeline)
		return;
	appendStringInfo(&content, "%s " UINT64_FORMAT " %u " UINT64_FORMAT "\n", origin, now.system_identifier, now.timeline,
					 now.inode);
	gl_file_replace(path, psprintf("%s.tmp", path), content.data, S_IRUSR | S_IWUSR, "signer home");
}
